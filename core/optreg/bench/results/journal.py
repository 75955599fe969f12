"""The journal: one line of JSON for everything that is done, written while the run goes on.

A run that is killed leaves it behind, whole up to the last line; ``--resume`` takes from it what needs no repeating.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optreg.bench.results.records import MINOR, SCHEMA, json_ready
from optreg.bench.results.sections import Identity, identity_of, is_final, section_of, sections
from optreg.bench.results.thawing import InvalidResults, thaw

_FREE = ("budget", "workers", "executor", "address", "patience")  # what a run that goes on may have otherwise
_HEAD, _PLAN, _BROKEN = "run", "plan", "broken"


class OtherPlan(InvalidResults):
    """What shall be resumed was begun with other names, options or versions."""


@dataclass(frozen=True)
class Plan:
    """What two runs must share so that one can go on with the other: names, options, versions, and what layouts are."""

    names: tuple[str, ...]
    options: Mapping[str, Any]
    versions: Mapping[str, Any]
    started: str = ""
    layouts: Mapping[str, str] = field(default_factory=dict)

    def refuse_unless_equal(self, earlier: Plan) -> None:
        """Do nothing when the plans are one.

        Raises:
            OtherPlan: They differ; the message says in what.
        """
        # A layout is known to both or to one alone: files do not say which those of other modes are.
        shared = [
            {name: it.layouts[name] for name in self.layouts if name in earlier.layouts} for it in (self, earlier)
        ]
        for title, mine, theirs in zip(
            ("names", "options", "versions", "layouts"),
            (*_comparable(self), shared[0]),
            (*_comparable(earlier), shared[1]),
            strict=True,
        ):
            keys = [key for key in {**theirs, **mine} if mine.get(key) != theirs.get(key)]
            if keys:
                was, now = (f"{keys[0]}={side.get(keys[0])!r}" for side in (theirs, mine))
                advice = "repeat it as it was, or begin anew without --resume"
                raise OtherPlan(f"the run to resume had other {title}: {was}, and now {now}; {advice}")


def _comparable(plan: Plan) -> tuple[dict[str, Any], ...]:
    options = {key: value for key, value in json_ready(dict(plan.options)).items() if key not in _FREE}
    return {"names": list(plan.names)}, options, json_ready(dict(plan.versions))


@dataclass
class History:
    """What an earlier run of the same plan has done, and where this one writes down what it does.

    Without a path nothing is written, and without earlier records nothing is found. ``announce`` is called with a few
    words, the optimizer and its implementation before anything of it runs, for the case that it never returns;
    ``broken`` says of which of them this is known, and why.
    """

    path: Path | None = None
    plan: Plan | None = None
    earlier: dict[Identity, Any] = field(default_factory=dict)
    announce: Callable[[str, str, str], object] = lambda *_: None
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    head: dict[str, Any] = field(default_factory=dict)

    def adopt(self, record: Any) -> bool:
        """Give the record everything that an earlier run found, and tell whether there was any."""
        found = self.earlier.get(identity_of(record))
        if found is None:
            return False
        for item in dataclasses.fields(record):
            setattr(record, item.name, getattr(found, item.name))
        return True

    def of(self, section: str, **like: Any) -> list[Any]:
        """Return the records of a section that an earlier run has kept, with these values."""
        return [
            record
            for record in self.earlier.values()
            if section_of(record) == section and all(getattr(record, key) == value for key, value in like.items())
        ]

    def keep(self, record: Any) -> None:
        """Write the record down, if it is final and not known yet; at once, so that nothing can be lost any more."""
        if is_final(record) and identity_of(record) not in self.earlier:
            self.earlier[identity_of(record)] = record
            self._write({section_of(record): dataclasses.asdict(record)})

    def ban(self, optimizer: str, implementation: str, reason: str) -> None:
        """Write down that this one ends the process or never returns, so that it is not run again."""
        self.broken[optimizer, implementation] = reason
        self._write({_BROKEN: [optimizer, implementation, reason]})

    def describe(self, head: Mapping[str, Any]) -> None:
        """Write down what the run knows of itself, such as everything it plans; the last description counts."""
        plan = {} if self.plan is None else dataclasses.asdict(self.plan)
        self._write({_HEAD: {**head, "schema": SCHEMA, "minor": MINOR, _PLAN: plan}})

    def begin(self, plan: Plan, head: Mapping[str, Any]) -> None:
        """Start writing: the plan, everything that the run knows of itself so far, and all that is already done.

        Raises:
            OtherPlan: What is known belongs to another plan.
            OSError: The journal cannot be written.
        """
        if self.plan is not None:
            plan.refuse_unless_equal(self.plan)
        self.plan = plan
        if self.path is not None:
            self.path.write_text("", encoding="utf-8")
            self.describe(head)
            for (optimizer, implementation), reason in self.broken.items():
                self._write({_BROKEN: [optimizer, implementation, reason]})
            for record in self.earlier.values():
                self._write({section_of(record): dataclasses.asdict(record)})

    def restore(self) -> None:
        """Write down again what is known, for another process to go on from; nothing where nothing is known."""
        if self.plan is not None:
            self.begin(self.plan, self.head)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(json_ready(dict(line)), allow_nan=False) + "\n")


def read_journal(path: Path) -> History:
    """Return the history that the journal of a killed run holds; a line cut off by its end is passed over.

    Raises:
        InvalidResults: It is no journal, or one of a newer major version.
        OSError: It cannot be read.
    """
    lines = list(_lines(path))
    heads = [line[_HEAD] for line in lines if _HEAD in line]
    head = heads[-1] if heads else None
    if not isinstance(head, Mapping) or head.get("schema") != SCHEMA:
        raise InvalidResults(f"{path} is no journal of {SCHEMA}; delete it, or begin anew without --resume")
    plan = thaw(Plan, head.get(_PLAN))
    known = sections()
    records = [thaw(known[name], data) for line in lines for name, data in line.items() if name in known]
    broken = {(it[0], it[1]): it[2] for line in lines if (it := line.get(_BROKEN))}
    return History(path, plan, {identity_of(record): record for record in records}, broken=broken, head=dict(head))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
