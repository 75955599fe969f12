"""One run of the benchmark, from names to results."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from optreg.bench.contenders import Contender, contenders, libraries_named
from optreg.bench.machine import (
    Device,
    absent_kinds,
    available_memory,
    describe_machine,
    select_devices,
    stolen_seconds,
)
from optreg.bench.progress import Clock, Observer
from optreg.bench.quality.programme import Undertaking, programme, search_plan
from optreg.bench.quality.study import Regime
from optreg.bench.results import Results, SpeedEntry, State
from optreg.bench.results import Subject as Provenance
from optreg.bench.selection import select
from optreg.bench.speed.forecast import Forecast
from optreg.bench.speed.hook_cost import hook_contenders
from optreg.bench.speed.layouts import DEFAULT_LAYOUTS, Layout, find_layout
from optreg.bench.speed.plan import Group, admit, slice_of, turn_away
from optreg.bench.speed.stand import Idle, Stand, make_gradients, measure_group
from optreg.bench.speed.timing import Effort, Sampler
from optreg.bench.tasks.sources import require_bench_extra
from optreg.errors import InvalidFilter, listing, suggestion

MODES = ("speed", "training", "landscapes", "properties")
DEFAULT_MODES = ("speed", "training")
EXECUTIONS = ("eager", "graph", "xla")
DEFAULT_EXECUTIONS = ("eager", "graph")
HARNESS = "-"
_COPIES = 5  # of all parameters, at most: variable, two slots, temporaries of an unfused step


@dataclass(frozen=True)
class Options:
    """What a run measures, and how long it may take.

    Args:
        layouts: Names of parameter layouts, or layouts of your own.
        modes: Of ``speed``, ``training``, ``landscapes`` and ``properties``; the first two by default.
        executions: Of ``eager``, ``graph`` and ``xla``; the first two by default, because compiling takes long.
        against: Libraries whose optimizer of the same name is measured too: ``tf_keras``, ``keras``.
        devices: Such as ``cpu`` or ``gpu:0``; the first of each kind that TensorFlow sees by default.
        tasks: Names of learning tasks; those of the suite by default.
        suite: ``smoke``, ``quick`` or ``standard``: which tasks are trained on, and how many functions are descended.
        landscapes: Names of test functions; those of the suite by default.
        seeds: Training runs of each optimizer, from paired seeds 0, 1, ...
        epochs: Passes over the training data; as many as each task plans by default.
        trials: Learning rates that are tried for each optimizer and task; none by default.
        rates: Exactly these learning rates are tried instead.
        budget: Seconds for everything; what does not fit is marked as skipped.
        effort: How much is sampled in speed mode.
        hooks: Also time the step without its joints and with a plugin attached, to show what the hooks cost.
    """

    layouts: Sequence[str | Layout] = DEFAULT_LAYOUTS
    modes: Sequence[str] = DEFAULT_MODES
    executions: Sequence[str] = DEFAULT_EXECUTIONS
    against: Sequence[str] = ()
    devices: Sequence[str] = ()
    tasks: Sequence[str] = ()
    suite: str = "smoke"
    landscapes: Sequence[str] = ()
    seeds: int = 5
    epochs: int | None = None
    trials: int = 0
    rates: Sequence[float] = ()
    budget: float = 100.0
    effort: Effort = field(default_factory=Effort)
    hooks: bool = False


def run(
    names: Sequence[str] = (),
    options: Options | None = None,
    *,
    observer: Observer | None = None,
    argv: Sequence[str] = (),
) -> Results:
    """Measure the named optimizers, or all that are ready, and return everything found.

    ``KeyboardInterrupt`` ends the run early: what was measured until then is returned, marked ``interrupted``.
    An optimizer that raises or diverges becomes an entry with that state.

    Args:
        names: Names, patterns, or names with hyperparameters such as ``"sgd[momentum=0.9]"``.
        options: What to measure.
        observer: Called with a ``Progress`` now and then.
        argv: Command line to record in the results.

    Raises:
        MissingExtra: scikit-learn or scipy is missing.
        UnknownOptimizer, UnknownLayout, UnknownPeer, UnknownDevice, InvalidFilter: A name that does not exist.
        UnknownHyperparameter, InvalidHyperparameter: A hyperparameter in brackets is wrong.
    """
    options = options or Options()
    clock = Clock(options.budget, observer)
    require_bench_extra("scipy")
    _check_words(options.modes, MODES, "mode")
    _check_words(options.executions, EXECUTIONS, "execution")
    layouts = [find_layout(layout) for layout in options.layouts]
    devices, choices = select_devices(options.devices), select(names)
    libraries = libraries_named(options.against)
    regime = Regime(options.seeds, options.epochs, search_plan(options.trials, options.rates), device=devices[-1].name)
    plan = programme(
        options.modes, tasks=options.tasks, suite=options.suite, landscapes=options.landscapes, regime=regime
    )
    results = Results(started=_now(), argv=list(argv), options=asdict(options), machine=describe_machine())
    stolen = stolen_seconds()
    try:
        clock.tell("preparing")
        field = []
        for choice in choices:
            found, notes = contenders(choice, libraries)
            field += found
            field += hook_contenders(found[0], choice) if options.hooks and not found[0].broken else []
            results.notes += notes
        results.subjects = [contender.provenance for contender in field]
        results.notes += [note for contender in field for note in contender.provenance.notes]
        quality = Undertaking(plan, field, results, clock)
        _Run(options, results, clock, field, quality).everything(layouts, devices)
    except KeyboardInterrupt:
        results.interrupted = True
    _finish(results, stolen)
    return results


class _Run:
    """The state of one run: its options, clock, contenders and the results it fills."""

    def __init__(
        self, options: Options, results: Results, clock: Clock, field: Sequence[Contender], quality: Undertaking
    ) -> None:
        self.options = options
        self.results = results
        self.clock = clock
        self.field = field
        self.quality = quality
        self.forecast = Forecast()
        clock.ahead = self._ahead

    def everything(self, layouts: Sequence[Layout], devices: Sequence[Device]) -> None:
        """Plan all entries, so that even an interrupted run lists them; then measure."""
        speed = "speed" in self.options.modes
        groups = [self._group(layout, device) for device in devices for layout in layouts] if speed else []
        flat = [item for listed in groups for item in listed]
        self.results.speed = [entry for group, _, _ in flat for entry in group.entries]
        self.quality.everything()
        while flat:
            self._measure([group for group, _, _ in flat], *flat.pop(0))

    def _ahead(self) -> float:
        """Forecast the seconds that everything not yet begun will take."""
        unmeasured = [it for it in self.results.speed if not it.samples and it.state.name == "finished"]
        steps = sum(self.forecast.likely_seconds(entry, self.options.effort) for entry in unmeasured)
        return steps + self.quality.seconds_ahead()

    def _group(self, layout: Layout, device: Device) -> list[tuple[Group, Layout, list[Contender]]]:
        """Return one group for each optimizer, ours and its peers; the first also holds the harness."""
        groups: list[tuple[Group, Layout, list[Contender]]] = []
        for label in dict.fromkeys(contender.optimizer for contender in self.field):
            rivals = [contender for contender in self.field if contender.optimizer == label]
            everyone = rivals if groups else [_harness(), *rivals]
            entries = [
                SpeedEntry(
                    contender.optimizer,
                    contender.implementation,
                    execution,
                    layout.name,
                    device.name,
                    layout.parameters,
                    layout.tensors,
                )
                for execution in self.options.executions
                for contender in everyone
            ]
            groups.append((Group(tuple(entries)), layout, everyone))
        return groups

    def _measure(self, ahead: list[Group], group: Group, layout: Layout, everyone: list[Contender]) -> None:
        self.clock.tell(f"{layout.name}: {everyone[-1].optimizer} on {group.entries[0].device}")
        if not self._fits_in_memory(group, layout, everyone):
            return
        admitted = admit(ahead, self.clock.left, self.forecast)
        seconds = slice_of(group, ahead, self.clock.left, self.forecast)
        turn_away(group, admitted, self.forecast, self.options.budget)
        until = self.clock.now + seconds
        stands = _stands(group, layout, everyone)
        measure_group(stands, Sampler(self.options.effort, self.clock.tell), until=until)
        self.forecast.learn(group.entries)

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


def _stands(group: Group, layout: Layout, everyone: list[Contender]) -> list[tuple[SpeedEntry, Stand]]:
    """Return a stand for each entry that shall run; entries of one contender share theirs."""
    waiting = [entry for entry in group.entries if entry.state.name == "finished"]
    gradients = make_gradients(layout) if waiting else []
    stands = {contender.implementation: Stand(contender, layout, gradients) for contender in everyone}
    return [(entry, stands[entry.implementation]) for entry in waiting]


def _harness() -> Contender:
    return Contender(HARNESS, "harness", Idle, Provenance(HARNESS, "harness", "", ""))


def _finish(results: Results, stolen: float | None) -> None:
    """Give every entry that was not reached its state, and note what disturbed the run."""
    for entry in results.speed:
        if entry.state.name == "finished" and not entry.samples:
            entry.state = State("skipped", "interrupted" if results.interrupted else "not measured")
    for run in results.training:
        if run.state.name == "finished" and len(run.losses) < run.planned:
            run.state = State("skipped", "interrupted")
    absent = absent_kinds()
    if absent:
        results.notes.append(f"TensorFlow sees no {' and no '.join(absent)} here; nothing was measured there")
    measured = {entry.device for entry in results.speed} | {run.device for run in results.training}
    others = [name for name in results.machine["devices"] if name not in measured]
    if measured and others:
        results.notes.append(f"not measured: {', '.join(others)}; --device names them")
    now = stolen_seconds()
    if stolen is not None and now is not None:
        results.machine["stolen_seconds"] = now - stolen
    results.notes = list(dict.fromkeys(results.notes))
    results.finished = _now()


def _check_words(words: Sequence[str], allowed: Sequence[str], kind: str) -> None:
    for word in words:
        if word not in allowed:
            raise InvalidFilter(f"unknown {kind} {word!r}; allowed: {listing(allowed)}.{suggestion(word, allowed)}")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
