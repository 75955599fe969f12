"""What the options of a run can name."""

from __future__ import annotations

from collections.abc import Mapping

from optreg.bench.comparison.metrics import GATED
from optreg.bench.landscapes.functions import LANDSCAPES
from optreg.bench.peers import LIBRARIES
from optreg.bench.quality.schedules import SCHEDULES
from optreg.bench.replicas.drill import STRATEGIES
from optreg.bench.run import EXECUTIONS, MODES
from optreg.bench.speed.layouts import LAYOUTS
from optreg.bench.suites import SUITES
from optreg.bench.tasks.catalogue import BUILT_IN


def choices() -> Mapping[str, Mapping[str, str]]:
    """Return for each option the words that it takes, with what they mean."""
    return {
        "layouts": {name: make().description for name, make in LAYOUTS.items()},
        "tasks": {name: task.summary for name, task in BUILT_IN.items()},
        "schedules": dict(SCHEDULES),
        "functions": dict.fromkeys((landscape.name for landscape in LANDSCAPES), ""),
        "against": {name: library.distribution for name, library in LIBRARIES.items()},
        "suites": {name: suite.summary for name, suite in SUITES.items()},
        "modes": dict.fromkeys(MODES, ""),
        "strategies": dict.fromkeys(STRATEGIES, ""),
        "executions": dict.fromkeys(EXECUTIONS, ""),
        "metrics": {name: metric.unit for name, metric in GATED.items()},
    }
