"""``optreg bench``: tables, JSON, progress, exit codes. What is measured is tested in tests/bench."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import optreg
from optreg import isolation
from optreg.bench import LAYOUTS, LIBRARIES, Effort, Layout, Options, supervision
from optreg.isolation import WaitingChild
from optreg_cli.bench import progress as progress_module
from optreg_cli.bench import tables
from optreg_cli.main import app

Run = Callable[..., Any]


@pytest.fixture
def optreg_bench(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``optreg bench`` in this process, with a layout that takes no time and few samples of it."""
    quick_effort = Effort(sample_seconds=0.0005, warm_ups=1, most=6)
    monkeypatch.setattr(optreg.bench, "Options", functools.partial(Options, effort=quick_effort))
    monkeypatch.setitem(LAYOUTS, "tiny", lambda: Layout("tiny", ((3, 4),), "one small matrix"))

    def run(*arguments: str) -> Any:
        quick = (
            "--layout",
            "tiny",
            "--task",
            "digits",
            "--seeds",
            "1",
            "--epochs",
            "1",
            "--budget",
            "900",
            "--device",
            "cpu:0",
            "--isolate",
            "0",
        )
        return CliRunner().invoke(app, ["bench", *arguments, *quick], prog_name="optreg")

    return run


def test_both_tables_machine_and_legend_are_shown(optreg_bench: Run) -> None:
    done = optreg_bench("sgd", "--against", "tf_keras")
    assert done.exit_code == 0
    assert re.fullmatch(r"took [\d.]+ s of a budget of 900 s", done.stderr.splitlines()[-1])
    lines = done.stdout.splitlines()
    assert any(line.startswith("devices: cpu:0, ") and line.endswith("no gpu, no tpu") for line in lines)
    assert "Training: digits, 44 steps, 1 paired seeds, shortened: no verdict on the whole task" in lines
    assert "Update step: tiny on cpu:0: one small matrix" in lines
    [training] = [line for line in lines if line.startswith("sgd") and " tf_keras " in line and "/1)" in line]
    assert training.split()[-1] == "identical" or "within" in training  # many threads may add in another order
    rows = [
        line.split()[:3]
        for line in lines
        if line.startswith(("sgd  ", "-  ")) and line.split()[1] in ("eager", "graph")
    ]
    assert ["sgd", "eager", "optreg"] in rows
    assert ["sgd", "graph", "tf_keras"] in rows
    assert ["-", "graph", "harness"] in rows
    assert "  The state measured is exactly what the card declares: sgd." in lines


@pytest.mark.parametrize(("share", "cell"), [(None, "-"), (0.5, "50%"), (1.04, "104%"), (1.06, "106%!")])
def test_a_step_beyond_the_limit_of_the_machine_is_marked(share: float | None, cell: str) -> None:
    assert tables._limit(share) == cell


def test_progress_goes_to_stderr_in_plain_lines_when_that_is_no_terminal(optreg_bench: Run) -> None:
    done = optreg_bench("sgd")
    *steps, last = done.stderr.splitlines()
    assert [line.split("] ")[1] for line in steps] == ["preparing", "training", "tiny: sgd on cpu:0"]
    assert last.startswith("took ")
    assert "preparing" not in done.stdout


def test_the_json_file_holds_the_raw_samples_and_the_command_line(optreg_bench: Run, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    Path(f"{file}.journal-1").touch()  # of the second process of a run that was killed
    done = optreg_bench("sgd", "--json", str(file), "--mode", "speed")
    assert done.exit_code == 0
    assert list(tmp_path.iterdir()) == [file]
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["schema"] == "optreg.bench/1"
    assert document["speed"][0]["samples"]
    assert document["training"] == []
    assert "Update step: tiny" in done.stdout


def test_a_dash_puts_json_and_nothing_else_on_stdout(optreg_bench: Run) -> None:
    done = optreg_bench("sgd", "--json", "-", "--mode", "training")
    assert json.loads(done.stdout)["training"][0]["optimizer"] == "sgd"


def test_words_may_be_repeated_or_separated_by_commas(optreg_bench: Run) -> None:
    done = optreg_bench(
        "sgd", "--json", "-", "--mode", "speed", "--execution", "eager,graph", "--against", "tf_keras,keras"
    )
    found = {(entry["execution"], entry["implementation"]) for entry in json.loads(done.stdout)["speed"]}
    assert {("eager", "keras"), ("graph", "tf_keras")} <= found


def test_hyperparameters_in_brackets_reach_the_optimizer_and_the_table(optreg_bench: Run) -> None:
    done = optreg_bench("sgd[momentum=0.9]", "--mode", "training")
    assert "sgd[momentum=0.9] (optreg " in done.stdout
    assert "momentum=0.9, nesterov=False" in done.stdout


def test_a_schedule_reaches_the_runs_the_table_and_the_file(optreg_bench: Run, tmp_path: Path) -> None:
    words = ("--schedule", "cosine", "--warmup", "0.1", "--mode", "training", "--json", str(tmp_path / "results.json"))
    done = optreg_bench("sgd", *words)
    assert done.exit_code == 0, done.stderr
    assert "1 paired seeds, learning rate cosine, warm-up over 10 % of the steps" in " ".join(done.stdout.split())
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert (found["options"]["schedule"], found["options"]["warmup"]) == ("cosine", 0.1)
    assert [it["schedule"] for it in found["training"]] == [{"name": "cosine", "warmup": 0.1}]


def test_an_interrupt_shows_and_writes_what_there_is_and_exits_with_130(
    optreg_bench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupting() -> Callable[[Any], None]:
        def observe(progress: Any) -> None:
            if progress.doing.startswith("tiny"):
                raise KeyboardInterrupt

        return observe

    monkeypatch.setattr(progress_module, "line_for_each_stage", interrupting)
    file = tmp_path / "results.json"
    done = optreg_bench("sgd", "--json", str(file))
    assert done.exit_code == 130
    assert "Training: digits, 44 steps" in done.stdout
    skipped = "- eager harness, sgd eager optreg, - graph harness, sgd graph optreg, sgd probe ceiling"
    assert f"skipped: {skipped}: interrupted" in " ".join(done.stdout.split())
    assert done.stdout.rstrip().endswith("Interrupted: only what was measured until then is shown.")
    assert json.loads(file.read_text(encoding="utf-8"))["interrupted"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("adamm",), 2, "Did you mean 'adam'?"),
        (("sgd[momentun=0.9]",), 2, "Did you mean 'momentum'?"),
        (("sgd[0.9]",), 2, "cannot read 'sgd[0.9]' as an optimizer"),
        (("sgd", "--against", "jaxx"), 2, "cannot measure against 'jaxx'; libraries: keras, optax, tf_keras, torch."),
        (("sgd", "--layout", "resnet-50"), 2, "Did you mean 'resnet50'?"),
        (
            ("sgd", "--mode", "fast"),
            2,
            "unknown mode 'fast'; allowed: landscapes, memory, properties, replicas, speed, training.",
        ),
        (("sgd", "--execution", "jit"), 2, "unknown execution 'jit'; allowed: eager, graph, xla."),
        (("sgd", "--device", "gpu"), 2, "TensorFlow sees no device 'gpu'"),
        (("sgd", "--seeds", "0"), 2, "--seeds"),
        (
            ("sgd", "--schedule", "cosin"),
            2,
            "unknown schedule 'cosin'; allowed: constant, cosine, linear. Did you mean",
        ),
        (("sgd", "--warmup", "5"), 2, "the warm-up is a share of the steps in [0, 1), received 5"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    optreg_bench: Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = CliRunner().invoke(app, ["bench", *arguments, "--isolate", "0"], prog_name="optreg")
    assert done.exit_code == code
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_written_is_said_before_anything_is_measured(optreg_bench: Run, tmp_path: Path) -> None:
    done = optreg_bench("sgd", "--json", str(tmp_path / "missing" / "results.json"))
    assert done.exit_code == 2
    assert "No such file or directory" in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


def test_a_missing_extra_names_the_command_that_installs_it(optreg_bench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    done = optreg_bench("sgd")
    assert done.exit_code == 2
    assert "optreg: optreg bench needs scipy: pip install 'optreg[bench]'" in done.stderr


@pytest.fixture
def hostile() -> Iterator[None]:
    class Hostile(optreg.Optimizer):
        def __init__(self, name: str = "Hostile", **kwargs: Any) -> None:
            super().__init__(name, **kwargs)

        def get_config(self) -> dict[str, Any]:
            return super().get_config()

        def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
            raise RuntimeError("[red]\x1b[31mred[/red]")

    optreg.register("hostile", Hostile)
    yield
    optreg.unregister("hostile")


@pytest.mark.usefixtures("hostile")
def test_an_unusable_optimizer_is_a_row_with_its_reason_and_exit_code_3(optreg_bench: Run) -> None:
    done = optreg_bench("hostile", "sgd")
    assert done.exit_code == 3
    assert "failed: hostile (optreg) on digits: RuntimeError: [red] [31mred[/red]" in done.stdout
    assert "\x1b" not in done.stdout
    assert any(line.startswith("sgd ") for line in done.stdout.splitlines())


def test_an_optimizer_that_diverges_is_a_row_with_its_reason_and_exit_code_3(optreg_bench: Run) -> None:
    done = optreg_bench("sgd[learning_rate=1e38]", "--mode", "training")
    assert done.exit_code == 3
    assert re.search(r"diverged: sgd\[learning_rate=1e\+38\] \(optreg\) on digits: the loss is (nan|inf)", done.stdout)


def test_the_help_names_every_layout_and_library_and_keeps_its_brackets() -> None:
    text = CliRunner().invoke(app, ["bench", "run", "--help"], prog_name="optreg", env={"COLUMNS": "200"}).stdout
    assert all(name in text for name in [*(it for it in LAYOUTS if it != "tiny"), *LIBRARIES])
    assert "sgd[momentum=0.9]" in text
    assert "optreg[bench]" in text


def test_the_process_started_ahead_is_for_measuring_and_ends_with_a_command_that_measures_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[WaitingChild] = []

    def noted(target: str) -> WaitingChild:
        assert target == supervision.MEASURE
        started.append(WaitingChild(target))
        return started[-1]

    monkeypatch.setattr(isolation, "WaitingChild", noted)
    done = CliRunner().invoke(app, ["bench", "no_such_optimizer"], prog_name="optreg")
    assert done.exit_code == 2
    [child] = started
    assert child._process.returncode is not None
    assert CliRunner().invoke(app, ["bench", "sgd", "--dry-run"], prog_name="optreg").exit_code == 0
    assert len(started) == 1
