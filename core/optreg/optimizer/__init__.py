"""The optimizer contract of Keras 2.9 on today's TensorFlow, one idea a file."""

from optreg.optimizer.authoring import ApplyState, arithmetic_dtype
from optreg.optimizer.contract import Optimizer

__all__ = ["ApplyState", "Optimizer", "arithmetic_dtype"]
