"""``optreg bench compare``, baselines and gates: what is said, what is written, and the exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from typer.testing import CliRunner

from optreg.bench import Results, document, results_schema, write_results
from optreg.bench.results import SlotBytes, SpeedEntry, State
from optreg.bench.results.records import Sample, StateName
from optreg.bench.speed.ceiling import CEILING, PROBE
from optreg_cli.main import app

STEADY = [0.01 * (1 + 0.001 * number) for number in range(10)]
NOISY = [0.01 * factor for factor in (1, 3, 0.5, 2, 0.7, 4)]


def bench(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", *arguments], prog_name="optreg")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(
    name: str,
    seconds: list[float],
    *,
    optimizer: str = "adam",
    state_bytes: int = 8,
    state: StateName = "finished",
    first: float | None = None,
    limit: float | None = None,
) -> str:
    entry = SpeedEntry(optimizer, "optreg", "graph", "tiny", "cpu:0", 2, 1, build=0.1, traces=1, first=first)
    entry.samples = [Sample(number, 0, 1, value) for number, value in enumerate(seconds)]
    entry.slots = [SlotBytes("m", state_bytes, 8)]
    entry.state = State(state, "" if state == "finished" else "the kernel is on holiday")
    entries = [entry]
    if limit is not None:
        beside = SpeedEntry(optimizer, CEILING, PROBE, "tiny", "cpu:0", 2, 1)
        beside.samples = [Sample(number, 1, 1, limit * value) for number, value in enumerate(STEADY)]
        entries.append(beside)
    write_results(Path(name), document(Results("2026-01-01", speed=entries)))
    return name


@pytest.mark.parametrize(
    ("new", "options", "code"),
    [
        ({"seconds": STEADY}, (), 0),
        ({"seconds": [1.2 * it for it in STEADY]}, (), 1),
        ({"seconds": [1.2 * it for it in STEADY]}, ("--fail-on", "step_time:median>30%"), 0),
        ({"seconds": [0.5 * it for it in STEADY]}, (), 0),
        ({"seconds": STEADY, "state_bytes": 9}, (), 1),
        ({"seconds": STEADY, "state_bytes": 9}, ("--fail-on", "step_time>5%"), 0),
        ({"seconds": NOISY}, (), 0),
        ({"seconds": NOISY}, ("--strict",), 4),
        ({"seconds": STEADY}, ("--strict",), 0),
        ({"seconds": STEADY}, ("--fail-on", "speed>5%"), 2),
        ({"seconds": STEADY}, ("--fail-on", "trace_time>5%"), 2),
        ({"seconds": STEADY, "state": "failed"}, (), 3),
        ({"seconds": STEADY, "state": "diverged"}, ("--strict", "--fail-on", "time_to_target>5%"), 3),
        ({"seconds": STEADY, "state": "failed"}, ("--fail-on", "step_time>5%"), 1),
        ({"seconds": STEADY, "state": "skipped"}, (), 0),
    ],
)
def test_the_exit_code_says_what_the_gates_found(new: dict[str, Any], options: tuple[str, ...], code: int) -> None:
    old = write("old.json", STEADY)
    if new["seconds"] is NOISY:
        old, new = write("old.json", NOISY), {"seconds": [1.3 * it for it in NOISY]}
    assert bench("compare", old, write("new.json", **new), *options).exit_code == code


def test_what_became_slower_stands_in_the_table_with_its_interval() -> None:
    done = bench("compare", write("a.json", STEADY), write("b.json", [1.2 * it for it in STEADY]))
    [row] = [line for line in done.stdout.splitlines() if line.startswith("adam graph") and "step_time" in line]
    assert "1.200" in row
    assert row.endswith("worse")
    assert "FAILED step_time:median>5%: adam graph optreg on tiny, cpu:0: step_time median grew by 20.0%" in done.stdout


@pytest.mark.parametrize(("slower", "code", "verdict"), [(1.2, 4, "~ unclear"), (1.5, 1, "worse")])
def test_a_machine_that_became_slower_itself_is_told_and_fails_no_gate(slower: float, code: int, verdict: str) -> None:
    old, new = write("a.json", STEADY, limit=1.0), write("b.json", [slower * it for it in STEADY], limit=1.2)
    done = bench("compare", old, new, "--strict")
    assert done.exit_code == code
    assert verdict in next(line for line in done.stdout.splitlines() if "step_time" in line)
    told = " ".join(done.stdout.split())
    assert (
        "not alike: the machine itself: beside 1 of 1 entries a kernel of fixed work takes 1.20 to 1.20 times" in told
    )
    assert "the machine itself" not in bench("compare", old, write("c.json", STEADY, limit=1.04)).stdout


def test_what_broke_is_told_with_its_reason_and_fails_in_reports_for_other_programs() -> None:
    old, new = write("a.json", STEADY), write("b.json", STEADY, state="failed")
    done = bench("compare", old, new, "--md", "r.md", "--junit", "r.xml")
    words = "adam graph optreg on tiny, cpu:0 finished before and failed: the kernel is on holiday"
    told = " ".join(done.stdout.split())
    assert f"BROKEN {words}" in told
    assert "only in the old results" not in told
    suite = ElementTree.parse("r.xml").getroot()[0]
    assert suite.attrib["failures"] == "1"
    assert suite[0][0].attrib["message"] == words
    assert "| adam graph optreg on tiny, cpu:0 | state | finished | failed |  |  |  | BROKEN |" in Path(
        "r.md"
    ).read_text(encoding="utf-8")


def test_too_few_samples_are_said_with_how_many_it_takes() -> None:
    old, new = write("a.json", STEADY[:3]), write("b.json", [9 * it for it in STEADY[:3]])
    done = bench("compare", old, new, "--strict", "--fail-on", "step_time>5%")
    assert done.exit_code == 4
    assert "~ unclear: 3 of 6 samples" in done.stdout
    told = " ".join(done.stdout.split())
    assert "0 comparisons pass step_time>5%; 1 of step_time cannot be decided with fewer than 6 samples in each" in told


def test_one_time_of_a_run_is_shown_and_not_judged() -> None:
    old, new = write("a.json", STEADY, first=0.1), write("b.json", STEADY, first=0.9)
    done = bench("compare", old, new, "--all", "--strict")
    assert done.exit_code == 0
    [row] = [line for line in done.stdout.splitlines() if "first_step" in line]
    assert row.endswith("not judged")
    assert "first_step" not in bench("compare", old, new).stdout


def test_three_files_are_each_compared_with_the_first() -> None:
    files = [write(name, STEADY) for name in ("a.json", "b.json", "c.json")]
    out = bench("compare", *files).stdout
    assert "b.json compared with a.json" in out
    assert "c.json compared with a.json" in out


def test_reports_for_other_programs_escape_what_plugins_are_called() -> None:
    evil = '=<b>|`"&'
    old = write("a.json", STEADY, optimizer=evil)
    new = write("b.json", [1.2 * it for it in STEADY], optimizer=evil)
    done = bench("compare", old, new, "--md", "r.md", "--junit", "r.xml", "--csv", "r.csv")
    assert done.exit_code == 1
    suite = ElementTree.parse("r.xml").getroot()[0]
    assert suite.attrib["failures"] == "1"
    assert suite[0].attrib["name"] == f"{evil} graph optreg on tiny, cpu:0"
    cells = list(csv.reader(Path("r.csv").read_text(encoding="utf-8").splitlines()))
    assert cells[1][0].startswith(f"'{evil}")
    line = Path("r.md").read_text(encoding="utf-8").splitlines()[2]
    assert line.startswith(r"| =\<b\>\|\`" + '"& graph')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "a.json"), "give at least two results files"),
        (("compare", "a.json", "missing.json"), "cannot read missing.json: No such file or directory"),
        (
            ("compare", "a.json", "nightly"),
            "cannot read .optreg-bench/nightly.json: No such file or directory; baselin",
        ),
        (("compare", "a.json", "../nightly"), "a baseline's name has letters"),
        (("compare", "a.json", "broken.json"), "broken.json is no results file"),
        (("run", "sgd", "--resume"), "the run to resume is found by its --json FILE"),
        (("run", "sgd", "--fail-on", "step_time>5%"), "need a --baseline to compare with"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    write("a.json", STEADY)
    Path("broken.json").write_text("{}")
    done = bench(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_dry_run_shows_the_plan_and_measures_nothing() -> None:
    done = bench("run", "sgd", "adam", "--dry-run", "--mode", "speed", "--layout", "many-small", "--budget", "4")
    assert done.exit_code == 0
    rows = [line for line in done.stdout.splitlines() if "on many-small, cpu:0" in line]
    assert len(rows) == 8  # harness twice, two optimizers twice, and the limit beside each
    assert any(row.endswith("does not fit into the budget") for row in rows)
    assert not list(Path().iterdir())


def test_an_option_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTREG_BENCH_BUDGET", "7")
    done = bench("sgd", "--dry-run", "--mode", "speed", "--layout", "many-small")
    assert "Would be measured, within 7 s" in done.stdout


def test_a_run_is_kept_as_a_baseline_and_compared_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTREG_BENCH_BASELINES", "kept")
    quick = ("--mode", "properties", "--isolate", "0", "--budget", "900")
    first = bench("sgd", *quick, "--save-baseline", "main", "--json", "a.json")
    assert first.exit_code == 0
    jsonschema.validate(json.loads(Path("kept/main.json").read_text(encoding="utf-8")), results_schema())
    assert not Path("a.json.journal").exists()
    second = bench("sgd", *quick, "--baseline", "main", "--json", "a.json", "--resume")
    assert second.exit_code == 0
    assert "Compared with main" in second.stdout
    kept, again = (json.loads(Path(name).read_text(encoding="utf-8")) for name in ("kept/main.json", "a.json"))
    assert kept["properties"] == again["properties"]
    assert len(again["resumed"]) == 1


def test_the_schema_is_written_for_others_to_check_with() -> None:
    written = json.loads(bench("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(written)
    assert written["title"] == "optreg.bench/1"


def test_what_can_be_named_is_listed() -> None:
    found = json.loads(bench("list", "--json").stdout)
    assert {"layouts", "tasks", "functions", "against", "metrics"} <= set(found)
    assert "step_time" in found["metrics"]
