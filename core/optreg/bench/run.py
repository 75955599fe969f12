"""One run of the benchmark, from names to results."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from optreg.bench.contenders import IMPORT, Contender, banned, contenders, libraries_named, unloadable
from optreg.bench.machine import (
    absent_kinds,
    describe_machine,
    select_devices,
    this_moment,
)
from optreg.bench.memory.survey import Survey
from optreg.bench.peers import Library
from optreg.bench.progress import Clock, Observer
from optreg.bench.quality.programme import Undertaking, programme, search_plan
from optreg.bench.quality.schedules import schedule_named
from optreg.bench.quality.study import Regime
from optreg.bench.replicas.drill import DEFAULT_REPLICAS, STRATEGIES, Drill, Formation
from optreg.bench.results import History, Plan, Results, State
from optreg.bench.results.discretion import discreet_options, discreet_words
from optreg.bench.results.machine import end_of
from optreg.bench.selection import Choice, select
from optreg.bench.speed.campaign import Campaign, Extent
from optreg.bench.speed.hook_cost import hook_contenders
from optreg.bench.speed.layouts import DEFAULT_LAYOUTS, Layout, find_layout
from optreg.bench.speed.timing import Effort
from optreg.bench.sweep.crews import Staff
from optreg.bench.tasks.sources import require_bench_extra
from optreg.errors import InvalidFilter, listing, suggestion

MODES = ("speed", "memory", "training", "landscapes", "properties", "replicas")
DEFAULT_MODES = ("speed", "training")
EXECUTIONS = ("eager", "graph", "xla")
DEFAULT_EXECUTIONS = ("eager", "graph")


@dataclass(frozen=True)
class Options:
    """What a run measures, and how long it may take.

    Args:
        layouts: Names of parameter layouts, or layouts of your own.
        modes: Of ``speed``, ``training``, ``memory``, ``landscapes``, ``properties`` and ``replicas``; the first two by
            default.
        executions: Of ``eager``, ``graph`` and ``xla``; the first two by default, because compiling takes long.
        against: Libraries whose optimizer of the same name is measured too: ``tf_keras``, ``keras``.
        devices: Such as ``cpu`` or ``gpu:0``; the first of each kind that TensorFlow sees by default.
        tasks: Names of learning tasks; those of the suite by default.
        suite: ``smoke``, ``quick``, ``standard`` or ``full``: which tasks are trained on, and how many functions are
            descended; ``suite_options`` returns everything else that belongs to it.
        landscapes: Names of test functions; those of the suite by default.
        seeds: Training runs of each optimizer, from paired seeds 0, 1, ...
        epochs: Passes over the training data; as many as each task plans by default.
        schedule: What every training run does with its learning rate: ``constant``, ``linear`` or ``cosine``; the last
            two warm up and come down to zero where the run ends.
        warmup: Share of the steps of a run in which its learning rate rises; 0.05 by default, and none where the
            learning rate is constant.
        trials: Learning rates that are tried for each optimizer and task; none by default.
        rates: Exactly these learning rates are tried instead.
        budget: Seconds for everything; what does not fit is marked as skipped.
        effort: How much is sampled in speed mode.
        split: Also time forward, backward and update of a training step apart.
        strategies: For replicas: of ``mirrored``, the default, and ``multi-worker``.
        replicas: Numbers of replicas to measure.
        replicated_layouts: What the replicas step.
        workers: How many training runs are made at a time; 1 in a pool is this process, 0 means as many as there are
            processors. By default 1 in a pool, and all of a Ray cluster.
        executor: ``pool``, processes of this machine, or ``ray``.
        address: Of a Ray cluster that runs already.
        patience: Seconds without a sign of life after which a worker has hung.
        process: Which of several processes this is, counted from 0.
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
    schedule: str = "constant"
    warmup: float | None = None
    trials: int = 0
    rates: Sequence[float] = ()
    budget: float = 100.0
    effort: Effort = field(default_factory=Effort)
    hooks: bool = False
    split: bool = False
    strategies: Sequence[str] = STRATEGIES[:1]
    replicas: Sequence[int] = DEFAULT_REPLICAS
    replicated_layouts: Sequence[str | Layout] = ("dozen",)
    workers: int | None = None
    executor: str = "pool"
    address: str = ""
    patience: float = 120.0
    process: int = 0

    @property
    def staff(self) -> Staff:
        """Who makes the training runs; a cluster is taken whole unless a number is given."""
        count = self.workers if self.workers is not None else 0 if self.executor == "ray" else 1
        return Staff(self.executor, count, self.address, self.patience)


def run(
    names: Sequence[str] = (),
    options: Options | None = None,
    *,
    observer: Observer | None = None,
    argv: Sequence[str] = (),
    history: History | None = None,
) -> Results:
    """Measure the named optimizers, or all that are ready, and return everything found.

    ``KeyboardInterrupt`` ends the run early: what was measured until then is returned, marked ``interrupted``.
    An optimizer that raises or diverges becomes an entry with that state.

    Args:
        names: Names, patterns, or names with hyperparameters such as ``"sgd[momentum=0.9]"``.
        options: What to measure.
        observer: Called with a ``Progress`` now and then.
        argv: Command line to record in the results; absolute paths in it are cut down to their last part.
        history: What an earlier run of the same plan has done, and who is told what this one does.

    Raises:
        MissingExtra: scikit-learn or scipy is missing.
        UnknownOptimizer, UnknownLayout, UnknownPeer, UnknownDevice, InvalidFilter: A name that does not exist.
        NoCluster: The Ray cluster does not answer.
        UnknownHyperparameter, InvalidHyperparameter: A hyperparameter in brackets is wrong.
        OtherPlan: The history is one of other names, options or versions.
    """
    options = options or Options()
    clock = Clock(options.budget, observer)
    history = history or History()
    ready = prepare(names, options, clock, history)
    results, results.argv = ready.results, discreet_words(argv)
    _begin(history, results)
    try:
        ready.quality.everything()
        ready.survey.everything()
        ready.drill.everything()
        ready.campaign.everything()
    except KeyboardInterrupt:
        results.interrupted = True
    _finish(results)
    return results


@dataclass(frozen=True)
class Ready:
    """A run before its start: everything named is found, and everything planned stands in the results."""

    results: Results
    quality: Undertaking
    campaign: Campaign
    survey: Survey
    drill: Drill


def prepare(names: Sequence[str], options: Options, clock: Clock, history: History) -> Ready:
    """Look up everything that names and options say, and plan it; nothing is measured.

    Raises:
        OptregError: As ``run`` does.
    """
    require_bench_extra("scipy")
    _check_words(options.modes, MODES, "mode")
    _check_words(options.executions, EXECUTIONS, "execution")
    layouts = [find_layout(layout) for layout in options.layouts]
    formation = Formation(tuple(options.strategies), tuple(options.replicas))
    devices, choices = select_devices(options.devices), select(names)
    libraries = libraries_named(options.against)
    search, schedule = search_plan(options.trials, options.rates), schedule_named(options.schedule, options.warmup)
    regime = Regime(options.seeds, options.epochs, search, devices[-1].name, options.staff, options.split, schedule)
    plan = programme(
        options.modes, tasks=options.tasks, suite=options.suite, landscapes=options.landscapes, regime=regime
    )
    clock.tell("preparing")
    results = Results(_now(), [], list(names), discreet_options(asdict(options)), describe_machine())
    results.run_id = str(uuid.uuid4())
    field = _field(choices, libraries, options, results, history)
    field = [banned(it, history.broken.get((it.optimizer, it.implementation), "")) for it in field]
    results.subjects = [contender.provenance for contender in field]
    results.notes += [note for contender in field for note in contender.provenance.notes]
    quality = Undertaking(plan, field, results, clock, history=history)
    campaign = Campaign(field, clock, Extent(options.executions, options.effort, options.process), history)
    survey, drill = Survey(clock, history), Drill(clock, history)
    replicated = [find_layout(layout) for layout in options.replicated_layouts] if "replicas" in options.modes else []
    results.layouts = {layout.name: layout.fingerprint for layout in [*layouts, *replicated]}
    parts = (quality, survey, drill, campaign)
    clock.ahead = lambda: sum(part.seconds_ahead() for part in parts)
    results.memory = survey.plan(field, layouts, devices) if "memory" in options.modes else []
    if "replicas" in options.modes:
        results.replicas = drill.plan(field, replicated, formation, devices)
    results.speed = campaign.plan(layouts, devices) if "speed" in options.modes else []
    return Ready(results, quality, campaign, survey, drill)


def _field(
    choices: Sequence[Choice], libraries: Sequence[Library], options: Options, results: Results, history: History
) -> list[Contender]:
    field: list[Contender] = []
    for choice in choices:
        history.announce(f"import of {choice.label}", choice.label, IMPORT)
        reason = history.broken.get((choice.label, IMPORT), "")
        found, notes = ([unloadable(choice, reason)], []) if reason else contenders(choice, libraries)
        field += found
        field += hook_contenders(found[0], choice) if options.hooks and not found[0].broken else []
        results.notes += notes
    history.announce("", "", "")  # nothing foreign runs until the next announcement
    return field


def _begin(history: History, results: Results) -> None:
    """Write down what is planned; a run that goes on keeps its name, and the time at which it was first begun."""
    if history.plan is not None:
        results.resumed.append(results.started)
        results.started = history.plan.started or results.started
        results.run_id = history.head.get("run_id") or results.run_id
    plan = Plan(tuple(results.names), results.options, results.machine["versions"], results.started, results.layouts)
    history.begin(plan, results.to_dict())


def mark_unreached(results: Results, reason: str) -> None:
    """Give every entry that was planned and not reached its state."""
    found: list[tuple[Any, bool]] = [
        *((entry, bool(entry.samples)) for entry in results.speed),
        *((replicated, bool(replicated.samples)) for replicated in results.replicas),
        *((memory, memory.allocated is not None) for memory in results.memory),
        *((split, bool(split.step)) for split in results.splits),
        *((run, len(run.losses) >= run.planned) for run in results.training),
    ]
    for entry, reached in found:
        if entry.state.name == "finished" and not reached:
            entry.state = State("skipped", reason)


def _finish(results: Results) -> None:
    """Give every entry that was not reached its state, and note what disturbed the run."""
    mark_unreached(results, "interrupted" if results.interrupted else "not measured")
    absent = absent_kinds()
    if absent:
        results.notes.append(f"TensorFlow sees no {' and no '.join(absent)} here; nothing was measured there")
    measured = {entry.device for entry in results.speed} | {run.device for run in results.training}
    others = [name for name in results.machine["devices"] if name not in measured]
    if measured and others:
        results.notes.append(f"not measured: {', '.join(others)}; --device names them")
    results.machine = end_of(results.machine, asdict(this_moment()))
    results.notes = list(dict.fromkeys(results.notes))
    results.finished = _now()


def _check_words(words: Sequence[str], allowed: Sequence[str], kind: str) -> None:
    for word in words:
        if word not in allowed:
            raise InvalidFilter(f"unknown {kind} {word!r}; allowed: {listing(allowed)}.{suggestion(word, allowed)}")


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
