from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import optreg
from optreg.bench import Layout, Options, document, run
from optreg.bench.contenders import contenders
from optreg.bench.results import SlotBytes, SpeedEntry
from optreg.bench.selection import select
from optreg.bench.speed.stand import Stand, _describe_state, floor_of
from optreg.bench.speed.traffic import StateTraffic, dense_floor, sparse_floor, state_traffic

# float32: 4 read of the gradient, 8 of the parameter, 8 of each slot that the paper's rule keeps.
FLOORS = {
    "adadelta": 28,  # averages of squared gradients and of squared updates
    "adagrad": 20,  # sum of squared gradients
    "adam": 28,
    "adam[amsgrad=True]": 36,
    "adamax": 28,
    "ftrl": 28,  # sum of squared gradients, and the linear term
    "lion": 20,
    "nadam": 28,
    "rmsprop": 20,
    "rmsprop[centered=True]": 28,
    "rmsprop[momentum=0.9,centered=True]": 36,
    "sgd": 12,
    "sgd[momentum=0.9]": 20,
}

# A slot that a step passes otherwise than once in both directions; floors by hand, in bytes for each parameter.
OTHERWISE = {
    "": 20.0,
    "reads=1, writes=0": 16.0,  # a preconditioner that this step only uses
    "reads=0, writes=1": 16.0,
    "reads=2": 24.0,
    "reads=0.2, writes=0.2": 13.6,  # slow weights, at every fifth step
    "reads=1, writes=0.1": 16.4,
    "reads=0, writes=0": 12.0,
}

PLUGIN = """
import optreg

class Walker(optreg.Optimizer):
    card = optreg.Card(slots=(optreg.Slot("pace", "state", PASSES),), dtypes=("float32",), sparse="lazy")
    def __init__(self, name="Walker", **kwargs):
        super().__init__(name, **kwargs)
    def get_config(self):
        return super().get_config()
    def _create_slots(self, var_list):
        for var in var_list:
            self.add_slot(var, "pace")
    def _resource_apply_dense(self, grad, var, apply_state=None):
        return var.assign_sub(0.1 * grad)
    def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
        return self._resource_scatter_add(var, indices, -0.1 * grad)
"""


def floor_in(layout: Layout, name: str) -> int | None:
    """Return the floor that the benchmark gives to an optimizer, whose slots it makes and looks at."""
    [choice] = select([name])
    (contender, *_), _ = contenders(choice, ())
    stand, entry = Stand(contender, layout, ()), SpeedEntry(name, "optreg", "eager", layout.name, "cpu:0")
    _describe_state(entry, stand, stand.build())
    return entry.traffic


@pytest.fixture
def walker(optreg_distribution: Any, request: pytest.FixtureRequest) -> None:
    """A plugin whose one slot declares what the parameter of the test says."""
    source = PLUGIN.replace("PASSES", request.param)
    optreg_distribution("walker", {"walker_plugin.py": source}, optimizers={"walker": "walker_plugin:Walker"})


@pytest.mark.parametrize(
    ("optimizer", "itemsize", "slots", "expected"),
    [("sgd", 4, 0, 12), ("momentum", 4, 1, 20), ("adam", 4, 2, 28), ("amsgrad", 4, 3, 36), ("adam bfloat16", 2, 2, 14)],
)
def test_the_floor_for_one_parameter_is_the_known_one(optimizer: str, itemsize: int, slots: int, expected: int) -> None:
    kept = state_traffic([SlotBytes(str(number), itemsize) for number in range(slots)])
    assert dense_floor(itemsize, kept.total) == expected


def test_every_optimizer_of_ours_has_a_known_floor() -> None:
    assert set(optreg.list_optimizers(distribution="optreg")) <= set(FLOORS)


@pytest.mark.parametrize(("optimizer", "expected"), FLOORS.items())
def test_the_floor_of_our_optimizers_follows_from_their_slots(optimizer: str, expected: int) -> None:
    layout = Layout("tiny", ((30, 4), (50,)))
    assert floor_in(layout, optimizer) == expected * 170


@pytest.mark.parametrize(("walker", "expected"), OTHERWISE.items(), indirect=["walker"])
@pytest.mark.usefixtures("walker")
def test_an_author_says_how_often_a_step_reads_and_writes_a_slot(expected: float) -> None:
    assert floor_in(Layout("one", ((1000,),)), "walker") == expected * 1000


@pytest.mark.parametrize("walker", ["reads=1, writes=0"], indirect=True)
@pytest.mark.usefixtures("walker")
def test_the_rows_of_a_sparse_gradient_count_as_the_card_says() -> None:
    # 8 gradient rows of 16 bytes; 6 distinct rows whose variable is read and written, whose slot is only read.
    layout = Layout("table", ((1000, 4),), gradient_rows=8)
    assert floor_in(layout, "walker") == 8 * 16 + 6 * (2 * 16 + 16)


@pytest.mark.parametrize("walker", ["reads=1, writes=0.5"], indirect=True)
@pytest.mark.usefixtures("walker")
def test_the_limit_beside_a_step_moves_what_the_card_says_and_the_results_hold_it(quick: Options) -> None:
    layouts = [Layout("round", ((10, 4), (60,)))]
    options = replace(quick, layouts=layouts, modes=("speed",), executions=("graph",))
    found = {entry["implementation"]: entry for entry in document(run(["walker"], options))["speed"]}
    assert (found["optreg"]["traffic"], found["ceiling"]["traffic"]) == (18 * 100, 18 * 100)
    slot = {"name": "pace", "measured": 400, "declared": 400, "reads": 1.0, "writes": 0.5}
    assert found["optreg"]["slots"] == [slot]


def test_what_is_read_and_written_equally_often_is_told_from_the_rest() -> None:
    slots = [SlotBytes("m", 100), SlotBytes("slow", 100, None, 0.2, 0.2), SlotBytes("p", 100, None, 3.0, 0.5)]
    assert state_traffic(slots) == StateTraffic(updated=100 + 20 + 50, read=250, written=0)
    assert state_traffic([SlotBytes("last", 100, None, 0.25, 1.0)]) == StateTraffic(updated=25, read=0, written=75)


def test_repeated_rows_are_read_twice_and_written_once() -> None:
    # 8 gradient rows of 16 bytes; 6 distinct rows whose variable and one slot are read and written.
    assert sparse_floor(gradient_rows=8, distinct_rows=6, row_bytes=16, row_state=32) == 8 * 16 + 2 * 6 * 32


def test_a_sparse_layout_counts_rows_and_not_the_table() -> None:
    layout = Layout("table", ((1000, 4),), gradient_rows=8)
    assert floor_of(layout, [SlotBytes("momentum", 1000 * 4 * 4)]) == 8 * 16 + 2 * 6 * 32
