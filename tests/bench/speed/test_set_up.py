"""Building, tracing, compiling and the first step are told apart, and together are the time that setting up took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from optreg.bench import Layout
from optreg.bench.contenders import Contender
from optreg.bench.results import SpeedEntry
from optreg.bench.results.records import Subject as Provenance
from optreg.bench.speed import stand as stand_module
from optreg.bench.speed.stand import Idle, Stand, _set_up, make_gradients, measure_group
from optreg.bench.speed.timing import Effort, Sampler
from optreg.optimizer import is_compiled_by_xla

LAYOUT = Layout("tiny", ((3, 4),))
BUILD, TRACE, COMPILE, STEP = 3.0, 5.0, 7.0, 2.0


class Time:
    """A clock that moves only when something is done."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Slow:
    """A subject that takes a known time for everything, on that clock."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.variables: list[tf.Variable] = []

    def build(self, values: Any) -> None:
        self._time.now += BUILD
        self.variables = [tf.Variable(value) for value in values]

    def step(self, gradients: Any) -> None:
        if not tf.executing_eagerly():
            self._time.now += TRACE
            tf.numpy_function(self._make_step, [], [])
        else:
            self._make_step()

    def state(self) -> tuple[()]:
        return ()

    def _make_step(self) -> None:
        self._time.now += STEP


@pytest.mark.parametrize(
    ("execution", "parts"),
    [
        ("eager", (BUILD, None, None, STEP)),
        ("graph", (BUILD, TRACE, None, STEP)),
        ("xla", (BUILD, TRACE, COMPILE, STEP)),
    ],
)
def test_the_parts_are_what_they_were_and_sum_to_the_wall_time(
    monkeypatch: pytest.MonkeyPatch, make_entry: Callable[..., SpeedEntry], execution: str, parts: tuple[Any, ...]
) -> None:
    time = Time()
    monkeypatch.setattr(stand_module, "time", time)
    contender = Contender("slow", "optreg", lambda: Slow(time), Provenance("slow", "optreg", "", ""))
    stand = Stand(contender, LAYOUT, make_gradients(LAYOUT))

    plainly = Stand.traced
    compilation = iter([COMPILE])

    def traced(self: Stand, execution: str) -> Any:
        """XLA compiles no function of Python: the trace of the graph stands in, and the first call takes longer."""
        function = plainly(self, "graph")
        if execution == "graph":
            return function

        def step() -> None:
            time.now += next(compilation, 0.0)
            function()

        step.get_concrete_function = function.get_concrete_function  # type: ignore[attr-defined]
        return step

    monkeypatch.setattr(Stand, "traced", traced)
    entry = make_entry(execution=execution)
    assert _set_up(entry, stand) is not None, entry.state
    assert (entry.build, entry.trace, entry.compile, entry.first) == parts
    measured = sum(seconds or 0.0 for seconds in (entry.build, entry.trace, entry.compile, entry.first))
    second = STEP if execution == "xla" else 0.0  # which tells the compilation from the step
    assert time.now == measured + second
    assert ((entry.operations or 0) > 0) == (entry.operations is not None) == (execution != "eager")


def test_the_step_knows_in_its_trace_whether_xla_will_compile_it(make_entry: Callable[..., SpeedEntry]) -> None:
    told: list[bool] = []

    class Asking(Idle):
        def step(self, gradients: Any) -> None:
            told.append(is_compiled_by_xla())

    contender = Contender("asking", "optreg", Asking, Provenance("asking", "optreg", "", ""))
    stand = Stand(contender, LAYOUT, make_gradients(LAYOUT))
    for execution in ("graph", "xla"):
        entry = make_entry(execution=execution)
        assert _set_up(entry, stand) is not None, entry.state
        assert entry.traces == 1
    assert told == [False, True]


class Late(Idle):
    """Creates a variable in its first step, which must be traced again without that."""

    late: tf.Variable | None = None

    def step(self, gradients: Any) -> None:
        if self.late is None:
            self.late = tf.Variable(0.0)
        self.late.assign_add(1.0)


@pytest.mark.parametrize(("subject", "traces"), [(Idle, 1), (Late, 2)])
def test_a_step_that_is_traced_again_is_told(
    make_entry: Callable[..., SpeedEntry], subject: type[Idle], traces: int
) -> None:
    contender = Contender("late", "optreg", subject, Provenance("late", "optreg", "", ""))
    entry = make_entry(execution="graph")
    stand = Stand(contender, LAYOUT, make_gradients(LAYOUT))
    measure_group([(entry, stand)], Sampler(Effort(sample_seconds=0.0, warm_ups=1, most=1, fewest=1)), until=0.0)
    assert (entry.state.name, entry.traces, len(entry.samples)) == ("finished", traces, 1)


@pytest.mark.parametrize(("process", "first"), [(0, "optreg"), (1, "tf_keras"), (2, "optreg")])
def test_processes_take_turns_in_whose_memory_is_taken_first(
    make_entry: Callable[..., SpeedEntry], process: int, first: str
) -> None:
    built: list[str] = []

    def stand(implementation: str) -> tuple[SpeedEntry, Stand]:
        class Known(Idle):
            def build(self, values: Any) -> None:
                built.append(implementation)
                super().build(values)

        contender = Contender("known", implementation, Known, Provenance("known", implementation, "", ""))
        return make_entry(implementation), Stand(contender, LAYOUT, make_gradients(LAYOUT))

    sampler = Sampler(Effort(sample_seconds=0.0, warm_ups=1, most=1, fewest=1), process=process)
    measure_group([stand("optreg"), stand("tf_keras")], sampler, until=float("inf"))
    assert built[0] == first
    assert set(built) == {"optreg", "tf_keras"}
