"""The optimizer contract of Keras 2.9 on today's TensorFlow, one idea a file."""

from optreg.optimizer.authoring import ApplyState, arithmetic_dtype
from optreg.optimizer.contract import Optimizer
from optreg.optimizer.graphs.compilation import is_compiled_by_xla
from optreg.optimizer.state.dictionary import exported_state_dict
from optreg.optimizer.state.paths import StateReport

__all__ = ["ApplyState", "Optimizer", "StateReport", "arithmetic_dtype", "exported_state_dict", "is_compiled_by_xla"]
