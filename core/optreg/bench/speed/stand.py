"""Measuring the update step alone: one group of contestants on one layout and device."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.bench.contenders import OURS, Contender
from optreg.bench.foreign.session import NotOffered, Session
from optreg.bench.forgetting import graphs_forgotten
from optreg.bench.memory.declared import compare_state
from optreg.bench.results import SlotBytes, SpeedEntry, State
from optreg.bench.speed.ceiling import CEILING, Ceiling, usable_threads
from optreg.bench.speed.layouts import Layout
from optreg.bench.speed.plan import is_compiled, is_peer
from optreg.bench.speed.timing import Contestant, Sampler
from optreg.bench.speed.traffic import dense_floor, sparse_floor, state_traffic
from optreg.bench.subjects import Subject

_FLOAT_BYTES = 4
_FOREIGN_SECONDS = 10.0
_DISTINCT = 3 / 4  # part of a sparse gradient's rows that are distinct; the rest repeats them


@dataclass
class Stand:
    """One contender set up on a layout: its subject, built once and shared by eager, graph and XLA."""

    contender: Contender
    layout: Layout
    gradients: Sequence[Any]
    subject: Subject | None = None
    build_seconds: float = 0.0
    traces: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("graph", "xla"), 0))
    _functions: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Subject:
        """Make the subject with its variables and state, once."""
        if self.subject is None:
            values = [tf.random.stateless_normal(shape, (7, number)) for number, shape in enumerate(self.layout.shapes)]
            start = time.perf_counter()
            self.subject = self.contender.make()
            self.subject.build(values)
            self.build_seconds = time.perf_counter() - start
        return self.subject

    def eager_step(self) -> None:
        """Make one step as a loop without ``tf.function`` does."""
        self.build().step(self.gradients)

    def traced(self, execution: str) -> Any:
        """Return the step as a ``tf.function`` that closes over variables and gradients, traced once.

        An optimizer may make other operations where it knows that XLA will compile them, so each execution has its own
        trace. AutoGraph is off: no optimizer needs it, and with it tracing takes about half as long again.

        Args:
            execution: ``graph``, or ``xla`` for ``jit_compile=True``.
        """
        if execution not in self._functions:

            def step() -> None:
                self.traces[execution] += 1
                self.eager_step()

            compiled = True if execution == "xla" else None
            self._functions[execution] = tf.function(step, autograph=False, jit_compile=compiled)
            self._functions[execution].get_concrete_function()
        return self._functions[execution]


class Idle:
    """A subject that does nothing with variables and gradients: what it costs is the harness, not the optimizer."""

    learning_rate = None

    def __init__(self) -> None:
        self.variables: Sequence[tf.Variable] = ()

    def build(self, values: Sequence[Any]) -> None:
        """Create the variables."""
        self.variables = [tf.Variable(value) for value in values]

    def step(self, gradients: Sequence[Any]) -> None:
        """Touch every handle and gradient, so that a graph takes all of them as inputs, as every real step does."""
        for gradient, variable in zip(gradients, self.variables, strict=True):
            _ = variable.handle
            if not tf.executing_eagerly():
                tf.nest.map_structure(tf.identity, gradient, expand_composites=True)

    def state(self) -> Sequence[Any]:
        """Return nothing: there is no state."""
        return ()


def make_gradients(layout: Layout, seed: int = 0) -> list[Any]:
    """Return one gradient for each variable, normal with deviation 0.01; far from denormal numbers, which are slow."""
    if layout.gradient_rows:
        return [_sparse_gradient(shape, layout.gradient_rows, seed) for shape in layout.shapes]
    return [0.01 * tf.random.stateless_normal(shape, (seed, number)) for number, shape in enumerate(layout.shapes)]


def measure_group(stands: Sequence[tuple[SpeedEntry, Stand]], sampler: Sampler, *, until: float) -> None:
    """Set up every entry, then sample all of them in interleaved rounds until ``until``.

    What an optimizer raises becomes the state of its entry. All entries must be on one device.
    """
    if not stands:
        return
    with tf.device(stands[0][0].device), graphs_forgotten():
        contestants = []
        visitors = Visitors()
        probes = [entry for entry, _ in stands if entry.implementation == CEILING]
        stands = [(entry, stand) for entry, stand in stands if entry.implementation != CEILING]
        for entry, stand in sorted(stands, key=lambda it: _turn(it[0], sampler.process)):
            if sampler.over or (is_peer(entry) and sampler.clock() > until):
                entry.state = State("skipped", "out of time: setting up the others took longer than forecast")
                continue
            sampler.announce(entry.label, entry.optimizer, entry.implementation)
            contestant = (
                _set_up(entry, stand)
                if stand.contender.foreign is None
                else visitors.invite(entry, stand, until - sampler.clock())
            )
            contestants += [contestant] if contestant else []
            sampler.observe()
        kernels = [_kernel_beside(entry, [it for it, _ in stands]) for entry in probes]
        contestants += [
            Contestant(entry, kernel.step, lambda: None)
            for entry, kernel in zip(probes, kernels, strict=True)
            if kernel is not None
        ]
        sampler.run(contestants, until)
        for entry in [it.entry for it in contestants if it.entry.state.name == "finished" and not it.entry.samples]:
            entry.state = State("skipped", "the budget ended before its first sample; raise --budget")
        visitors.leave()
        for kernel in kernels:
            if kernel is not None:
                kernel.close()
        for entry, stand in stands:
            entry.traces = stand.traces.get(entry.execution) or None  # a second one is a retrace while sampling
            _check_finite(entry, stand)
    gc.collect()


def _turn(entry: SpeedEntry, process: int) -> tuple[bool, bool]:
    """Order of setting up: ours before peers, and what has to be compiled last.

    In every other process peers come first: whose memory is taken first can be quicker by a few percent throughout.
    """
    return is_peer(entry) == (process % 2 == 0), is_compiled(entry)


def _set_up(entry: SpeedEntry, stand: Stand) -> Contestant | None:
    """Build, trace and make the first step, each timed apart."""
    if stand.contender.broken:
        entry.state = stand.contender.broken
        return None
    try:
        subject = stand.build()
        entry.build = stand.build_seconds
        _describe_state(entry, stand, subject)
        start = time.perf_counter()
        step = _step_of(entry, stand)
        entry.trace = None if entry.execution == "eager" else time.perf_counter() - start
        entry.first = _timed(step)
        if is_compiled(entry):
            again = _timed(step)
            entry.compile, entry.first = max(entry.first - again, 0.0), again
        entry.traces = stand.traces.get(entry.execution) or None  # eager steps are not traced
        if entry.trace is not None:
            entry.operations = len(stand.traced(entry.execution).get_concrete_function().graph.get_operations())
    except Exception as error:  # an optimizer may raise anything, and must not end the run
        entry.state = State.failed(error)
        return None
    return Contestant(entry, step, _wait)


@dataclass
class Visitors:
    """The processes of foreign libraries in one group."""

    _sessions: list[Session] = field(default_factory=list)

    def invite(self, entry: SpeedEntry, stand: Stand, seconds: float) -> Contestant | None:
        """Start the process of an entry and take in what it says of itself; what goes wrong becomes its state.

        It has as long as the group has time, and at least ten seconds.
        """
        if stand.layout.gradient_rows or not entry.device.startswith("cpu"):
            entry.state = State("skipped", "measured with dense gradients on a CPU only")
            return None
        try:
            session = Session(_order(stand), max(seconds, _FOREIGN_SECONDS))
        except NotOffered as error:
            entry.state = State("skipped", str(error))
            return None
        except Exception as error:  # a foreign library may fail in any way, and must not end the run
            entry.state = State.failed(error)
            return None
        self._sessions.append(session)
        about = session.about
        entry.build, entry.compile, entry.first = about["build"], about["compile"], about["first"]
        entry.slots = [SlotBytes(name, size) for name, size in about["slots"].items()]
        entry.traffic = floor_of(stand.layout, entry.slots)
        return Contestant(entry, lambda: None, lambda: None, elsewhere=session.run)

    def leave(self) -> None:
        """End all of them."""
        for session in self._sessions:
            session.close()


def _order(stand: Stand) -> dict[str, Any]:
    foreign = stand.contender.foreign
    if foreign is None:
        raise ValueError(f"{stand.contender.implementation} makes its steps in this process")
    return {
        "library": foreign.variant.library,
        "variant": foreign.variant.name,
        "class": foreign.class_name,
        "hyperparameters": dict(foreign.hyperparameters),
        "shapes": [list(shape) for shape in stand.layout.shapes],
        "threads": usable_threads(tf.config.threading.get_intra_op_parallelism_threads()),
    }


def _timed(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    _wait()
    return time.perf_counter() - start


def _step_of(entry: SpeedEntry, stand: Stand) -> Callable[[], object]:
    if entry.execution == "eager":
        return stand.eager_step
    function: Callable[[], object] = stand.traced(entry.execution)
    return function


def _kernel_beside(entry: SpeedEntry, others: Sequence[SpeedEntry]) -> Ceiling | None:
    """Return the kernel that moves what a step of our optimizer has to; None and a reason where that was not set up."""
    ours = next((it for it in others if it.implementation == OURS and it.build is not None), None)
    if ours is None:
        entry.state = State("skipped", "there is no step to measure the limit for")
        return None
    threads = usable_threads(tf.config.threading.get_intra_op_parallelism_threads())
    kernel = Ceiling(entry.parameters * _FLOAT_BYTES, state_traffic(ours.slots), threads)
    entry.traffic = kernel.traffic
    return kernel


def _wait() -> None:
    tf.test.experimental.sync_devices()


def _describe_state(entry: SpeedEntry, stand: Stand, subject: Subject) -> None:
    if entry.implementation == "harness":
        return
    hyperparameters, card = stand.contender.provenance.hyperparameters, stand.contender.card
    entry.declares = card is not None and card.declared is not None
    entry.slots = compare_state(subject.state(), subject.variables, card=card, hyperparameters=hyperparameters)
    entry.traffic = floor_of(stand.layout, entry.slots)


def floor_of(layout: Layout, slots: Sequence[SlotBytes]) -> int:
    """Return the traffic floor of the layout for these slots, read and written as they say."""
    state = state_traffic(slots).total
    if not layout.gradient_rows:
        return dense_floor(layout.parameters * _FLOAT_BYTES, state)
    rows = sum(shape[0] for shape in layout.shapes)
    gradient_rows = layout.gradient_rows * layout.tensors
    return sparse_floor(
        gradient_rows=gradient_rows,
        distinct_rows=int(gradient_rows * _DISTINCT),
        row_bytes=layout.parameters * _FLOAT_BYTES // rows,
        row_state=state // rows,
    )


def _sparse_gradient(shape: tuple[int, ...], rows: int, seed: int) -> tf.IndexedSlices:
    random = np.random.default_rng(seed)
    distinct = random.choice(shape[0], size=int(rows * _DISTINCT), replace=False)
    indices = random.permutation(np.resize(distinct, rows))
    values = 0.01 * tf.random.stateless_normal((rows, *shape[1:]), (seed, 0))
    return tf.IndexedSlices(values, tf.constant(indices, tf.int64), tf.constant(shape, tf.int64))


def _check_finite(entry: SpeedEntry, stand: Stand) -> None:
    """Mark an entry whose variables stopped being numbers: its time is not that of a working step."""
    if entry.state.name != "finished" or stand.subject is None:
        return
    sums = [float(tf.reduce_sum(variable)) for variable in stand.subject.variables]
    if not all(np.isfinite(sums)):
        entry.state = State("diverged", "the variables are no longer finite after the measured steps")
