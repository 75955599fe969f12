"""Results are for showing to others: they name no folder, no host and no user."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import pytest

from optreg.bench import Options, document, run
from optreg.bench.results import State, json_ready
from optreg.bench.results.discretion import discreet_words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["bench", "adam", "optreg/adam", "sgd[momentum=0.9]"], ["bench", "adam", "optreg/adam", "sgd[momentum=0.9]"]),
        (["--layout", "/home/ann/mine.json"], ["--layout", "mine.json"]),
        (["--layout=~/models/a.keras"], ["--layout=a.keras"]),
        (["--layout=~ann/a.keras", "models/b.json"], ["--layout=a.keras", "models/b.json"]),
        (["--data", "charlm=/data/my texts/t.txt"], ["--data", "charlm=t.txt"]),
        (["C:\\Users\\ann\\a.json", "--json=C:/ann/b.json"], ["a.json", "--json=b.json"]),
        (["--ray-address", "ray://node7:10001"], ["--ray-address", "HOST:PORT"]),
        (["--ray-address=node7:6379", "--ray-address=auto"], ["--ray-address=HOST:PORT", "--ray-address=auto"]),
    ],
)
def test_a_command_line_keeps_its_words_and_loses_folders_and_hosts(words: list[str], expected: list[str]) -> None:
    assert discreet_words(words) == expected


def test_the_folder_of_the_user_is_written_short_in_whatever_others_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.home", lambda: Path("/home/ann"))
    error = OSError("cannot read /home/ann/x.so, nor /home/anna/y.so nor '/home/ann'")
    assert json_ready(State.failed(error).reason) == "OSError: cannot read ~/x.so, nor /home/anna/y.so nor '/home/ann'"
    monkeypatch.setattr("pathlib.Path.home", lambda: Path("/"))
    assert json_ready("of a user without a home: /tmp/x") == "of a user without a home: /tmp/x"


def test_a_run_tells_nothing_of_whose_machine_it_was(
    quick: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    shapes = tmp_path / "shapes.json"
    shapes.write_text('{"shapes": [[3, 4]]}')
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text=false")
    for name in ("platform.node", "socket.gethostname"):
        monkeypatch.setattr(name, lambda: "unlikely-host")
    options = replace(quick, layouts=[str(shapes)], modes=("speed",), executions=("eager",))
    options = replace(options, executor="ray", address="node7:1")
    argv = ["bench", "sgd", "--layout", str(shapes), "--ray-address", "node7:1"]
    found = document(run(["sgd"], options, argv=argv))
    assert found["argv"] == ["bench", "sgd", "--layout", "shapes.json", "--ray-address", "HOST:PORT"]
    assert found["options"]["layouts"] == ["shapes.json"]
    assert found["machine"]["settings"]["XLA_FLAGS"] == f"--xla_dump_to={tmp_path.name} --xla_dump_hlo_as_text=false"
    text = json.dumps(found)
    private = {str(tmp_path.parent), str(Path.home()) + "/", "unlikely-host", f"/{getpass.getuser()}/", "node7"}
    assert [it for it in private if it in text] == []
