"""The journal: what is finished is never measured twice, and what is unlike is never mixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from optreg.bench import Options, Progress, run
from optreg.bench.results import (
    History,
    InvalidResults,
    OtherPlan,
    Plan,
    SpeedEntry,
    State,
    history_of,
    read_journal,
)

Entries = Callable[..., SpeedEntry]
PLAN = Plan(("adam",), {"seeds": 2, "budget": 60}, {"optreg": "1"}, "then")


def begun(path: Path) -> History:
    history = History(path)
    history.begin(PLAN, {"started": "then"})
    return history


def test_what_is_kept_is_found_by_the_next_run(tmp_path: Path, make_entry: Entries) -> None:
    entry = make_entry(seconds=[0.1, 0.2])
    begun(tmp_path / "j").keep(entry)
    again = make_entry()
    assert read_journal(tmp_path / "j").adopt(again)
    assert again.seconds == [0.1, 0.2]
    assert not read_journal(tmp_path / "j").adopt(make_entry("keras"))


def test_what_was_skipped_is_left_for_the_next_run(tmp_path: Path, make_entry: Entries) -> None:
    entry = make_entry()
    entry.state = State("skipped", "no time")
    begun(tmp_path / "j").keep(entry)
    assert not read_journal(tmp_path / "j").adopt(make_entry())


def test_a_line_cut_off_by_a_kill_is_passed_over(tmp_path: Path, make_entry: Entries) -> None:
    history = begun(tmp_path / "j")
    history.keep(make_entry(seconds=[0.1]))
    history.keep(make_entry("keras", seconds=[0.2]))
    whole = (tmp_path / "j").read_text()
    (tmp_path / "j").write_text(whole[:-40])
    read = read_journal(tmp_path / "j")
    assert read.adopt(make_entry())
    assert not read.adopt(make_entry("keras"))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(("sgd",), PLAN.options, PLAN.versions), r"other names: names=\['adam'\], and now names=\['sgd'\]"),
        (Plan(("adam",), {"seeds": 3}, PLAN.versions), "other options: seeds=2, and now seeds=3"),
        (Plan(("adam",), PLAN.options, {"optreg": "2"}), "other versions: optreg='1', and now optreg='2'"),
    ],
)
def test_another_plan_is_refused_with_what_differs(tmp_path: Path, plan: Plan, message: str) -> None:
    begun(tmp_path / "j")
    history, before = read_journal(tmp_path / "j"), (tmp_path / "j").read_text()
    with pytest.raises(OtherPlan, match=message):
        history.begin(plan, {})
    assert (tmp_path / "j").read_text() == before


def test_a_layout_of_the_same_name_with_other_shapes_is_refused(quick: Options, tmp_path: Path) -> None:
    def given(folder: str, shapes: str) -> Options:
        path = tmp_path / folder / "mine.json"
        path.parent.mkdir()
        path.write_text(shapes)
        return replace(quick, layouts=[str(path)], modes=("speed",), executions=("eager",))

    run(["sgd"], given("a", '{"shapes": [[3]]}'), history=History(tmp_path / "j"))
    run(["sgd"], given("b", '{"shapes": [[3]]}'), history=read_journal(tmp_path / "j"))
    with pytest.raises(OtherPlan, match="had other layouts: mine="):
        run(["sgd"], given("c", '{"shapes": [[4]]}'), history=read_journal(tmp_path / "j"))


def test_another_budget_is_the_same_plan(tmp_path: Path) -> None:
    begun(tmp_path / "j")
    read_journal(tmp_path / "j").begin(Plan(PLAN.names, {"seeds": 2, "budget": 5}, PLAN.versions), {})


@pytest.mark.parametrize("text", ["", "nonsense", '{"run": {"schema": "optreg.bench/9"}}'])
def test_what_is_no_journal_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "j").write_text(text)
    with pytest.raises(InvalidResults, match="is no journal of optreg.bench/1"):
        read_journal(tmp_path / "j")


class Killed(BaseException):
    """Stands in for a signal that leaves a process no time for anything."""


def test_a_run_that_is_cut_off_goes_on_where_it_was(quick: Options, tmp_path: Path) -> None:
    def cut(progress: Progress) -> None:
        if progress.doing.startswith("tiny: adam"):
            raise Killed

    path = tmp_path / "j"
    with pytest.raises(Killed):
        run(["sgd", "adam"], quick, observer=cut, history=History(path))
    kept = read_journal(path)
    done = {identity for identity in kept.earlier if identity[0] == "SpeedEntry"}
    assert {dict(identity[1:])["optimizer"] for identity in done} == {"-", "sgd"}

    doing: list[str] = []
    results = run(["sgd", "adam"], quick, observer=lambda it: doing.append(it.doing), history=kept)
    assert "tiny: sgd on cpu:0" not in doing
    assert not any(it.startswith("training") for it in doing)
    assert {entry.state.name for entry in results.speed} == {"finished"}
    assert [len(entry.samples) for entry in results.speed] == [6] * len(results.speed)
    assert len(results.resumed) == 1
    assert results.run_id == kept.head["run_id"]

    whole = history_of(results, path)
    nothing: list[str] = []
    again = run(["sgd", "adam"], quick, observer=lambda it: nothing.append(it.doing), history=whole)
    assert set(nothing) == {"preparing"}
    assert [entry.samples for entry in again.speed] == [entry.samples for entry in results.speed]
