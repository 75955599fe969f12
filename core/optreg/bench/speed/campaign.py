"""Everything a run does for speed: which entries there are, in which order they are measured, and how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optreg.bench.contenders import Contender
from optreg.bench.machine import Device, available_memory
from optreg.bench.progress import Clock
from optreg.bench.results import History, SpeedEntry, State
from optreg.bench.results import Subject as Provenance
from optreg.bench.speed.ceiling import CEILING, PROBE
from optreg.bench.speed.forecast import Forecast
from optreg.bench.speed.layouts import Layout
from optreg.bench.speed.plan import Group, admit, slice_of, turn_away
from optreg.bench.speed.stand import Idle, Stand, make_gradients, measure_group
from optreg.bench.speed.timing import Effort, Sampler

HARNESS = "-"
_COPIES = 5  # of all parameters, at most: variable, two slots, temporaries of an unfused step


@dataclass(frozen=True)
class Extent:
    """How far a campaign goes.

    Args:
        executions: Of ``eager``, ``graph`` and ``xla``.
        effort: How much is sampled.
        processes: Which of several processes this is, counted from 0.
    """

    executions: Sequence[str]
    effort: Effort = field(default_factory=Effort)
    process: int = 0


@dataclass
class Campaign:
    """The speed part of a run; its entries stand in the results from the beginning."""

    contenders: Sequence[Contender]
    clock: Clock
    extent: Extent
    history: History = field(default_factory=History)
    forecast: Forecast = field(default_factory=Forecast)
    _ahead: list[tuple[Group, Layout, list[Contender]]] = field(default_factory=list)

    def plan(self, layouts: Sequence[Layout], devices: Sequence[Device]) -> list[SpeedEntry]:
        """Lay out the groups and return all entries; what an earlier run has measured is filled in."""
        self._ahead = [item for device in devices for layout in layouts for item in self._groups(layout, device)]
        entries = [entry for group, _, _ in self._ahead for entry in group.entries]
        known = {id(entry) for entry in entries if self.history.adopt(entry)}
        self.forecast.learn(entry for entry in entries if id(entry) in known)
        self._ahead = [item for item in self._ahead if not all(id(entry) in known for entry in item[0].entries)]
        return entries

    @property
    def groups(self) -> list[Group]:
        """The groups that are not measured yet."""
        return [group for group, _, _ in self._ahead]

    def everything(self) -> None:
        """Measure group by group; what does not fit into the budget is marked."""
        while self._ahead:
            self._measure([group for group, _, _ in self._ahead], *self._ahead.pop(0))

    def seconds_ahead(self) -> float:
        """Forecast the seconds that everything not yet measured will take."""
        waiting = [it for group, _, _ in self._ahead for it in group.entries if it.state.name == "finished"]
        return sum(self.forecast.likely_seconds(entry, self.extent.effort) for entry in waiting if not entry.samples)

    def _groups(self, layout: Layout, device: Device) -> list[tuple[Group, Layout, list[Contender]]]:
        """Return one group for each optimizer, ours and its peers; the first also holds the harness."""
        groups: list[tuple[Group, Layout, list[Contender]]] = []
        for label in dict.fromkeys(contender.optimizer for contender in self.contenders):
            rivals = [contender for contender in self.contenders if contender.optimizer == label]
            everyone = rivals if groups else [harness(), *rivals]
            entries = [
                _entry(contender, execution, layout, device)
                for execution in self.extent.executions
                for contender in everyone
                if contender.foreign is None
            ]
            entries += [
                _entry(contender, contender.foreign.variant.execution, layout, device)
                for contender in everyone
                if contender.foreign is not None
            ]
            if device.kind == "CPU" and not layout.gradient_rows:
                entries.append(_entry(limit(label), PROBE, layout, device))
                everyone = [*everyone, limit(label)]
            groups.append((Group(tuple(entries)), layout, everyone))
        return groups

    def _measure(self, ahead: list[Group], group: Group, layout: Layout, everyone: list[Contender]) -> None:
        self.clock.tell(f"{layout.name}: {group.entries[-1].optimizer} on {group.entries[0].device}")
        if not self._fits_in_memory(group, layout, everyone):
            return
        admitted = admit(ahead, self.clock.left, self.forecast)
        seconds = slice_of(group, ahead, self.clock.left, self.forecast)
        turn_away(group, admitted, self.forecast, self.clock.budget)
        sampler = Sampler(
            self.extent.effort,
            self.clock.tell,
            self.clock.timer,
            announce=self.history.announce,
            process=self.extent.process,
            ends=self.clock.ends,
        )
        measure_group(_stands(group, layout, everyone), sampler, until=self.clock.now + seconds)
        self.forecast.learn(group.entries)
        for entry in group.entries:
            self.history.keep(entry)

    def _fits_in_memory(self, group: Group, layout: Layout, everyone: list[Contender]) -> bool:
        """Skip the group, rather than the machine, when its subjects together would not fit."""
        needed = 4 * layout.parameters * (1 + _COPIES * len(everyone))
        free = available_memory()
        if free is None or needed < free or not group.entries[0].device.startswith("cpu"):
            return True
        reason = f"needs about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
        for entry in group.entries:
            entry.state = State("skipped", reason)
        return False


def harness() -> Contender:
    """Return a contender that does nothing: what it costs to call one."""
    return Contender(HARNESS, "harness", Idle, Provenance(HARNESS, "harness", "", ""))


def limit(optimizer: str) -> Contender:
    """Return what stands for the machine's limit beside an optimizer; its kernel is made when the slots are known."""
    return Contender(optimizer, CEILING, Idle, Provenance(optimizer, CEILING, "", ""), speed_only=True)


def _entry(contender: Contender, execution: str, layout: Layout, device: Device) -> SpeedEntry:
    return SpeedEntry(
        contender.optimizer,
        contender.implementation,
        execution,
        layout.name,
        device.name,
        layout.parameters,
        layout.tensors,
    )


def _stands(group: Group, layout: Layout, everyone: list[Contender]) -> list[tuple[SpeedEntry, Stand]]:
    """Return a stand for each entry that shall run; entries of one contender share theirs."""
    waiting = [entry for entry in group.entries if entry.state.name == "finished"]
    gradients = make_gradients(layout) if waiting else []
    stands = {contender.implementation: Stand(contender, layout, gradients) for contender in everyone}
    return [(entry, stands[entry.implementation]) for entry in waiting]
