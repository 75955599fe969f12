"""Measuring optimizers: how fast the update step is, how much state it keeps, how well it trains.

``run`` measures and returns ``Results``; ``training_rows``, ``speed_rows`` and ``document`` say what they come to.
Nothing here prints. From Python::

    import optreg

    results = optreg.bench.run(["adam", "sgd[momentum=0.9]"], optreg.bench.Options(budget=30))
    for row in optreg.bench.training_rows(results):
        print(row.task, row.optimizer, row.metric.median)
"""

from optreg.bench.choices import choices
from optreg.bench.outline import Outline, outline
from optreg.bench.peers import LIBRARIES
from optreg.bench.progress import Progress
from optreg.bench.quality.ranking import Standing
from optreg.bench.quality.rows import TrainingRow, ranked, training_rows
from optreg.bench.results import SCHEMA, Results, State, read_results, results_schema, write_results
from optreg.bench.run import EXECUTIONS, MODES, Options, run
from optreg.bench.speed.layouts import DEFAULT_LAYOUTS, LAYOUTS, Layout
from optreg.bench.speed.timing import Effort
from optreg.bench.statistics import Interval, Spread
from optreg.bench.suites import SUITES, suite_options
from optreg.bench.summary import SpeedRow, document, speed_rows
from optreg.bench.tasks.sources import Need
from optreg.bench.tasks.task import Judgement, Problem, Task

__all__ = [
    "DEFAULT_LAYOUTS",
    "EXECUTIONS",
    "LAYOUTS",
    "LIBRARIES",
    "MODES",
    "SCHEMA",
    "SUITES",
    "Effort",
    "Interval",
    "Judgement",
    "Layout",
    "Need",
    "Options",
    "Outline",
    "Problem",
    "Progress",
    "Results",
    "SpeedRow",
    "Spread",
    "Standing",
    "State",
    "Task",
    "TrainingRow",
    "choices",
    "document",
    "outline",
    "ranked",
    "read_results",
    "results_schema",
    "run",
    "speed_rows",
    "suite_options",
    "training_rows",
    "write_results",
]
