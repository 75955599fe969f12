"""The optimizer contract of Keras 2.9 on today's TensorFlow, one idea a file."""

from optreg.optimizer.authoring import ApplyState, arithmetic_dtype, update_dtype
from optreg.optimizer.clipping import clip
from optreg.optimizer.coefficients import Coefficients
from optreg.optimizer.contract import Optimizer
from optreg.optimizer.distribution import sum_across_replicas
from optreg.optimizer.gradients import map_values
from optreg.optimizer.graphs.compilation import is_compiled_by_xla, stored_first
from optreg.optimizer.kernels import apply_adam
from optreg.optimizer.measures import axes_of_units, of_whole_variables, scaled, sum_of_squares, widened
from optreg.optimizer.state.dictionary import exported_state_dict
from optreg.optimizer.state.paths import StateReport
from optreg.optimizer.steps import Exclusion, GatheringAggregator, GradientAggregator, GradientTransformer

__all__ = [
    "ApplyState",
    "Coefficients",
    "Exclusion",
    "GatheringAggregator",
    "GradientAggregator",
    "GradientTransformer",
    "Optimizer",
    "StateReport",
    "apply_adam",
    "arithmetic_dtype",
    "axes_of_units",
    "clip",
    "exported_state_dict",
    "is_compiled_by_xla",
    "map_values",
    "of_whole_variables",
    "scaled",
    "stored_first",
    "sum_across_replicas",
    "sum_of_squares",
    "update_dtype",
    "widened",
]
