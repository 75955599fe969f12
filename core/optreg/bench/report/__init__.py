"""A results file as one HTML page that needs neither network nor JavaScript."""

from optreg.bench.report.page import MOST_BYTES, render

__all__ = ["MOST_BYTES", "render"]
