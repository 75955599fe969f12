"""What a benchmark leaves behind: the records, and the file that holds them."""

from optreg.bench.results.file import history_of, read_results, write_results
from optreg.bench.results.journal import History, OtherPlan, Plan, read_journal
from optreg.bench.results.records import (
    MINOR,
    SCHEMA,
    Evaluation,
    Results,
    Sample,
    SlotBytes,
    SpeedEntry,
    State,
    StateName,
    Subject,
    TrainingRun,
    json_ready,
)
from optreg.bench.results.schema import results_schema
from optreg.bench.results.thawing import InvalidResults

__all__ = [
    "MINOR",
    "SCHEMA",
    "Evaluation",
    "History",
    "InvalidResults",
    "OtherPlan",
    "Plan",
    "Results",
    "Sample",
    "SlotBytes",
    "SpeedEntry",
    "State",
    "StateName",
    "Subject",
    "TrainingRun",
    "history_of",
    "json_ready",
    "read_journal",
    "read_results",
    "results_schema",
    "write_results",
]
