"""The ledger of each built-in optimizer, as it was recorded: what must run, and what its card expects.

``python -m tests.conformance.ledgers`` validates all built-ins, or those named after it, and writes ``ledgers.json``;
``python -m tests.conformance.page`` puts it into docs/conformance.md.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optreg
from optreg.conformance import use_two_logical_devices, validate
from optreg.conformance.report import RAN

RECORD = Path(__file__).with_name("ledgers.json")


def recorded() -> dict[str, Any]:
    """Return name to ledger, identities of the checks that ran, and reasons for those that do not apply."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


def main(names: list[str]) -> None:
    """Validate all built-ins, or those named, and write the record."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    use_two_logical_devices()
    built_ins = optreg.list_optimizers(distribution="optreg")
    found = recorded() if names else {}
    for name in names or built_ins:
        report = validate(name)
        found[name] = {
            "ledger": asdict(report.ledger),
            "ran": [result.id for result in report.results if result.status in RAN],
            "expected": [result.id for result in report.with_status("expected")],
            "not applicable": dict(report.not_applicable),
        }
        if not report.ok:
            sys.exit(f"{name} does not conform: {[result.id for result in report.with_status('failed')]}")
    RECORD.write_text(json.dumps({name: found[name] for name in built_ins if name in found}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
