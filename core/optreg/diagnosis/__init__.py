"""What ``optreg doctor`` tells: facts about this installation, and what is wrong with it."""

from optreg.diagnosis.diagnosis import Diagnosis, diagnose
from optreg.diagnosis.finding import Fact, Finding

__all__ = ["Diagnosis", "Fact", "Finding", "diagnose"]
