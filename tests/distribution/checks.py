"""What a scenario in a process of its own found out, told to the test that started it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path


def report(checks: Iterable[Callable[[], object]], path: Path) -> None:
    """Run the checks in order and write ``{name: "" or traceback}`` to a file after each."""
    found: dict[str, str] = {}
    for check in checks:
        try:
            check()
        except BaseException:
            found[check.__name__] = traceback.format_exc()
        else:
            found[check.__name__] = ""
        path.write_text(json.dumps(found))


def failures(path: Path, output: str) -> dict[str, str]:
    """Return the checks that failed; that nothing was written is a failure too."""
    if not path.exists():
        return {"started": output}
    return {name: text for name, text in json.loads(path.read_text()).items() if text}
