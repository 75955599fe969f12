"""What a benchmark leaves behind: the records, and the file that holds them."""

from optreg.bench.results.records import (
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

__all__ = [
    "SCHEMA",
    "Evaluation",
    "Results",
    "Sample",
    "SlotBytes",
    "SpeedEntry",
    "State",
    "StateName",
    "Subject",
    "TrainingRun",
    "json_ready",
]
