"""Measuring optimizers: how fast the update step is, how much state it keeps, how well it trains.

``run`` measures and returns ``Results``; ``training_rows``, ``speed_rows`` and ``document`` say what they come to.
Nothing here prints. From Python::

    import optreg

    results = optreg.bench.run(["adam", "sgd[momentum=0.9]"], optreg.bench.Options(budget=30))
    for row in optreg.bench.training_rows(results):
        print(row.optimizer, row.accuracy.median)
"""

from optreg.bench.peers import LIBRARIES
from optreg.bench.progress import Progress
from optreg.bench.results import SCHEMA, Results, State
from optreg.bench.run import EXECUTIONS, MODES, Options, run
from optreg.bench.speed.layouts import DEFAULT_LAYOUTS, LAYOUTS, Layout
from optreg.bench.speed.timing import Effort
from optreg.bench.statistics import Interval, Spread
from optreg.bench.summary import SpeedRow, TrainingRow, document, speed_rows, training_rows
from optreg.bench.tasks import TARGET_ACCURACY

__all__ = [
    "DEFAULT_LAYOUTS",
    "EXECUTIONS",
    "LAYOUTS",
    "LIBRARIES",
    "MODES",
    "SCHEMA",
    "TARGET_ACCURACY",
    "Effort",
    "Interval",
    "Layout",
    "Options",
    "Progress",
    "Results",
    "SpeedRow",
    "Spread",
    "State",
    "TrainingRow",
    "document",
    "run",
    "speed_rows",
    "training_rows",
]
