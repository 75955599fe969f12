"""``optreg bench report``, ``calibrate``, ``selfcheck`` and ``probe``: files, messages and exit codes."""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from optreg.bench import selfcheck as selfchecking
from optreg.bench.quality.targets import UnreadableTargets, read_targets, stored_targets
from optreg.bench.selfcheck import Detection, SelfCheck
from optreg.bench.speed import probing
from optreg.bench.tasks import catalogue
from optreg_cli.main import app


def optreg(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), prog_name="optreg")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Results of a short run, written by the command itself."""
    path = tmp_path / "results.json"
    words = ("--mode", "training", "--task", "cancer", "--seeds", "2", "--epochs", "1", "--budget", "900")
    done = optreg("bench", "sgd", "adam", *words, "--trials", "2", "--json", str(path))
    assert done.exit_code == 0, done.stderr
    return path


def test_a_results_file_becomes_one_page(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = optreg("bench", "report", str(file), "--output", str(page), "--baseline", str(file))
    assert done.exit_code == 0, done.stderr
    assert f"report: {page}" in done.stderr
    assert done.stdout == ""
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "sgd" in page.read_text(encoding="utf-8")


def test_searches_and_standings_are_shown_after_a_run(file: Path) -> None:
    words = ("--mode", "training", "--task", "cancer,ridge", "--seeds", "2", "--epochs", "2")
    done = optreg("bench", "run", "sgd", "adam", *words, "--lr-grid", "0.01,0.1", "--budget", "900")
    assert done.exit_code == 0, done.stderr
    assert "Training: cancer, 100 steps, 2 paired seeds, shortened: no verdict on the whole task" in done.stdout
    assert "sgd: learning rate 0.1 of 2 tried; the highest tried, the optimum may lie beyond" in done.stdout
    assert "Over all 2 tasks" in done.stdout
    assert "left by the exact solver" in " ".join(done.stdout.split())


def test_functions_and_properties_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from optreg.bench.probes import matrix
    from optreg.bench.quality import programme

    monkeypatch.setattr(matrix, "PROBES", matrix.PROBES[:3])
    monkeypatch.setattr(programme, "PROBES", matrix.PROBES)
    done = optreg("bench", "sgd", "--mode", "landscapes,properties", "--function", "sphere", "--budget", "900")
    assert done.exit_code == 0, done.stderr
    assert any(line.split()[:3] == ["sphere", "sgd", "default"] for line in done.stdout.splitlines())
    assert any(line.split() == ["repeatable", "yes"] for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "nowhere.json"), "cannot read nowhere.json: No such file or directory"),
        (("run", "sgd", "--lr-grid", "fast"), "learning rates are numbers separated by commas, received 'fast'"),
        (("run", "sgd", "--lr-grid", "-1"), "a learning rate to try must be a positive number, received -1.0"),
        (("run", "sgd", "--task", "digit"), "Did you mean 'digits'?"),
        (("run", "sgd", "--suite", "quik"), "unknown suite 'quik'; suites: smoke, quick, standard, full."),
        (("run", "sgd", "--mode", "landscapes", "--function", "rosen"), "unknown function 'rosen'"),
        (("calibrate", "--task", "digit"), "Did you mean 'digits'?"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    done = optreg("bench", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_a_file_that_holds_no_results_and_a_missing_extra_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    done = optreg("bench", "report", str(other))
    assert done.exit_code == 2
    assert "other.json is no results file" in done.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = optreg("bench", "report", str(file), "-o", str(tmp_path / "x.html"))
    assert done.exit_code == 2
    assert "optreg: optreg bench report needs matplotlib: pip install 'optreg[report]'" in done.stderr


@pytest.fixture
def short_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = replace(catalogue.BUILT_IN["digits"], steps=20)
    monkeypatch.setattr(catalogue, "BUILT_IN", {"digits": digits, "cancer": catalogue.BUILT_IN["cancer"]})


@pytest.mark.usefixtures("short_digits")
def test_calibrating_twice_gives_the_same_targets_with_their_provenance(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("first.json", "second.json")]
    for path in files:
        done = optreg("bench", "calibrate", "sgd", "adam", "--trials", "3", "--seeds", "7", "-o", str(path))
        assert done.exit_code == 0, done.stderr
    assert "cancer: its optimum is known, the gap to it needs no calibration" in done.stdout
    first, second = (read_targets(path) for path in files)
    assert first.references == ("sgd", "adam")
    [one], [two] = first.targets, second.targets
    # Threads may add in another order: the same within the interval that the procedure states for itself.
    assert one.low <= two.value <= one.high
    assert one.low <= one.value <= one.high <= one.best
    assert (one.task, one.steps, one.seeds, one.trials, len(one.finals)) == ("digits", 20, 7, 3, 7)
    assert first.find("digits", fingerprint=one.fingerprint, steps=20) == one
    assert first.find("digits", fingerprint=one.fingerprint, steps=440) is None
    assert first.find("digits", fingerprint="other data", steps=20) is None


def test_targets_that_were_changed_by_hand_are_refused(tmp_path: Path) -> None:
    content = stored_targets().to_dict()
    content["references"] = ["sgd"]
    path = tmp_path / "targets.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UnreadableTargets, match="schema or digest do not fit"):
        read_targets(path)
    path.write_text("{}")
    with pytest.raises(UnreadableTargets, match=r"holds no targets of schema optreg\.bench\.targets/1"):
        read_targets(path)


def test_the_targets_that_optreg_ships_come_from_four_references_and_twenty_seeds() -> None:
    stored = stored_targets()
    assert len(stored.references) == 4
    assert {target.seeds for target in stored.targets} <= {20}
    for target in stored.targets:
        task = catalogue.BUILT_IN[target.task]
        assert target.steps == task.steps
        assert sorted(target.finals)[9] <= target.value <= sorted(target.finals)[10]
        assert not task.reaches(target.best, float(task.plausible or 0))


def test_the_search_for_learning_rates_is_checked_and_the_exit_code_says_how_it_went(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from optreg_cli.bench import checking

    monkeypatch.setattr(checking, "_CONTAINED", (("sgd", ("sgd", "sgd[momentum=0.9]")),))
    done = optreg("bench", "selfcheck", "--quality")
    assert done.exit_code == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line.split()[-1:] == ["yes"]] == ["sgd"]
    # A learning rate that was given is not searched for: the general optimizer has nothing to show.
    monkeypatch.setattr(checking, "_CONTAINED", (("sgd", ("sgd[learning_rate=1e-9]",)),))
    done = optreg("bench", "selfcheck", "--quality", "--json")
    assert done.exit_code == 4, done.stderr
    plain = json.loads(done.stdout)
    assert plain["schema"] == "optreg.bench.selfcheck-quality/1"
    assert [it["holds"] for it in plain["inclusions"]] == [False]


@pytest.mark.parametrize(
    ("found", "smallest", "code"),
    [
        ((5, 12, 15), "none of these", 4),
        ((5, 12, 19), "15%", 4),
        ((5, 19, 20), "10%", 0),
        ((20, 20, 20), "6%", 0),
    ],
)
def test_the_exit_code_of_selfcheck_says_whether_a_tenth_is_found_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, found: tuple[int, ...], smallest: str, code: int
) -> None:
    asked: dict[str, Any] = {}

    def check(**options: Any) -> SelfCheck:
        asked.update(options)
        detections = zip((0.06, 0.10, 0.15), found, strict=True)
        return SelfCheck(1, 100, tuple(Detection(slowdown, count, 20) for slowdown, count in detections), 3.0)

    monkeypatch.setattr(selfchecking, "selfcheck", check)
    done = optreg("bench", "selfcheck", "--comparisons", "7", "--repetitions", "3", "--budget", "9")
    assert done.exit_code == code, done.stderr
    assert (asked["comparisons"], asked["repetitions"], asked["budget"]) == (7, 3, 9.0)
    assert "equal work: 1 alarms in 100 comparisons" in done.stdout
    assert f"smallest slowdown found at least 19 times in 20: {smallest}\n" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if "%  " in line]
    assert rows == [[slower, str(count), "of", "20"] for slower, count in zip(("6%", "10%", "15%"), found, strict=True)]
    done = optreg("bench", "selfcheck", "--json")
    assert done.exit_code == code
    assert (
        json.loads(done.stdout)["smallest"] == {"none of these": None, "15%": 0.15, "10%": 0.10, "6%": 0.06}[smallest]
    )


def test_the_probe_shows_what_memory_gives_for_each_footprint_and_number_of_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probing, "probe_machine", functools.partial(probing.probe_machine, [1 << 18], rounds=6))
    done = optreg("bench", "probe", "--threads", "1", "--json")
    assert done.exit_code == 0, done.stderr
    plain = json.loads(done.stdout)
    assert plain["schema"] == "optreg.bench.probe/1"
    assert [(it["footprint"], it["slots"], len(it["samples"])) for it in plain["rungs"]] == [
        (1 << 18, slots, 6) for slots in (0, 1, 2)
    ]
    done = optreg("bench", "probe", "--threads", "1")
    assert done.exit_code == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["FOOTPRINT", "SLOTS", "GB/S", "BETWEEN"]
    for slots, row in enumerate(rows):
        size, unit, number, rate, low, _, high = row.split()
        assert (size, unit, number) == ("0.25", "MiB", str(slots))
        assert 0 < float(low) <= float(rate) <= float(high)
    assert "0.25 MiB" in done.stderr
