"""Results beside results: what changed, what counts as a change, and what makes a run fail."""

from optreg.bench.comparison.broken import Breakage
from optreg.bench.comparison.comparing import Comparison, Row, compare_results
from optreg.bench.comparison.gates import DEFAULT_GATES, Gate, InvalidGate, Verdict, judge, names, parse_gate

__all__ = [
    "DEFAULT_GATES",
    "Breakage",
    "Comparison",
    "Gate",
    "InvalidGate",
    "Row",
    "Verdict",
    "compare_results",
    "judge",
    "names",
    "parse_gate",
]
