"""``optreg list``, ``info``, ``--version`` and completion: output, exit codes, and what they never import."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from optreg.registry import default_registry
from optreg_cli import exit_codes, rendering
from optreg_cli.completion import complete_name
from optreg_cli.main import app


@pytest.fixture
def optreg(site):
    """Run the command line in this process, over a fresh scan."""

    def run(*arguments):
        default_registry().refresh()
        return CliRunner().invoke(app, list(arguments), prog_name="optreg")

    yield run
    default_registry().refresh()


def test_the_list_shows_built_in_and_broken_ones_with_reason_and_next_step(optreg, site):
    site.install("bad", {"bad_module.py": "class X(:"}, bad="bad_module:X")
    done = optreg("list")
    assert done.exit_code == 0
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["NAME", "STATE", "FROM", "ABOUT"]
    [bad] = [row for row in rows if row.startswith("bad ")]
    assert bad.split()[:4] == ["bad", "broken", "bad", "1.0"]
    assert "syntax error in bad_module.py, line 1" in bad
    assert bad.endswith("Next: report it to the authors of bad")
    assert {("adam", "ready"), ("sgd", "ready")} <= {tuple(row.split()[:2]) for row in rows if "optreg" in row}


def test_the_list_is_filtered_by_patterns_and_options(optreg, site):
    site.install_lynx("pack", module="lynx_module")
    assert [line.split()[0] for line in optreg("list", "LY*", "sgd").stdout.splitlines()[1:]] == ["lynx", "sgd"]
    assert "lynx" not in optreg("list", "--exclude", "lynx").stdout
    assert [line.split()[0] for line in optreg("list", "--distribution", "pa*").stdout.splitlines()[1:]] == ["lynx"]
    assert "lynx" not in optreg("list", "--capability", "float32").stdout


def test_the_json_list_has_a_schema_and_every_field(optreg, site):
    site.install_lynx("pack", module="lynx_module")
    document = json.loads(optreg("list", "lynx", "--json").stdout)
    assert document == {
        "schema": "optreg.list/1",
        "entries": [
            {
                "name": "lynx",
                "qualified_name": "pack/lynx",
                "kind": "optimizer",
                "state": "ready",
                "reason": "",
                "next_step": "",
                "distribution": "pack",
                "version": "1.0",
                "target": "lynx_module:Lynx",
                "aliases": [],
                "summary": "Steps by the sign of a momentum.",
                "capabilities": [],
            }
        ],
    }


def test_the_output_does_not_depend_on_the_order_of_installation(optreg, site):
    site.install_lynx("b-pack", module="lynx_b")
    site.install_lynx("a-pack", module="lynx_a")
    first = optreg("list", "--json").stdout
    sys.path.reverse()
    try:
        assert optreg("list", "--json").stdout == first
    finally:
        sys.path.reverse()
    names = [entry["name"] for entry in json.loads(first)["entries"]]
    assert [name for name in names if "lynx" in name] == ["a-pack/lynx", "b-pack/lynx"]


def test_other_kinds_are_listed_on_request(optreg, site):
    site.install("pack", {"t.py": "def centre(): ..."}, entry_points="[optreg.transformers]\ncentre = t:centre\n")
    listed = optreg("list", "--kind", "transformer", "--distribution", "pack").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["centre"]
    assert "centre" in optreg("list", "--kind", "all").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["list", "zzz*"], 3, "optreg: nothing installed fits zzz*; 'optreg list' shows everything\n"),
        (["info", "adamm"], 3, "optreg: There is no optimizer 'adamm'. Did you mean 'adam'?"),
        (["list", "--state", "reddy"], 2, "optreg: There is no state 'reddy'. Did you mean 'ready'?"),
        (["list", "--kind", "optimiser"], 2, "optreg: There is no kind 'optimiser'. Did you mean 'optimizer'?"),
    ],
)
def test_an_error_is_one_line_on_stderr_and_an_exit_code(optreg, arguments, code, message):
    done = optreg(*arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_nothing_matched_is_valid_json_too(optreg):
    done = optreg("list", "zzz*", "--json")
    assert (done.exit_code, json.loads(done.stdout)["entries"]) == (3, [])


@pytest.mark.parametrize("arguments", [["list", "--bogus"], ["bogus"], ["info"], ["--json", "list"], []])
def test_wrong_usage_has_exit_code_two(optreg, arguments):
    assert optreg(*arguments).exit_code == 2


def test_info_shows_everything_the_card_holds(optreg):
    text = optreg("info", "Adam").stdout
    summary = default_registry().optimizer_info("adam").card.summary
    assert summary in " ".join(text.split())
    for part in ("Rule", "Hyperparameters", "learning_rate", "[0, 1)", "State per variable", "Memory: 8 bytes per"):
        assert part in text
    for part in ("12 with amsgrad=True", "sparse gradients", "Kingma", "optreg/adam", "adam.py", "float32"):
        assert part in text


def test_info_as_json_has_a_schema_and_the_same_facts(optreg):
    document = json.loads(optreg("info", "adam", "--json").stdout)
    assert document["schema"] == "optreg.info/1"
    assert (document["qualified_name"], document["state"]) == ("optreg/adam", "ready")
    assert document["bytes_per_float32_parameter"] == 8
    assert document["bytes_per_float32_parameter_with"] == {"amsgrad=True": 12}
    beta = next(item for item in document["hyperparameters"] if item["name"] == "beta_2")
    assert (beta["default"], beta["range"], beta["required"]) == (0.999, "[0, 1)", False)


def test_info_says_how_often_a_slot_is_touched_where_that_is_not_once(optreg, site):
    card = "Card(slots=(Slot('m'), Slot('slow', reads=0.2, writes=0)))"
    site.install("slow", {"slow_module.py": f"class X:\n    card = {card}\n"}, slow="slow_module:X")
    text = " ".join(optreg("info", "slow").stdout.split())
    assert "a step reads it 0.2 times, writes it 0" in text
    assert text.count("a step reads") == 1
    slots = json.loads(optreg("info", "slow", "--json").stdout)["declared"]["slots"]
    assert [(it["reads"], it["writes"]) for it in slots] == [(1.0, 1.0), (0.2, 0)]


def test_info_of_a_broken_one_shows_its_reason(optreg, site):
    site.install("bad", {"bad_module.py": "class X(:"}, bad="bad_module:X")
    done = optreg("info", "bad")
    assert done.exit_code == 0
    assert "broken: syntax error in bad_module.py, line 1" in done.stdout


def test_a_default_that_json_cannot_hold_is_written_as_text(optreg, site):
    site.install("pack", {"m.py": "class X:\n    def __init__(self, a=1e999, b=2j, c=(1, b'x')): ...\n"}, x="m:X")
    shown = json.loads(optreg("info", "x", "--json").stdout)["hyperparameters"]
    assert [item["default"] for item in shown] == ["inf", "2j", [1, "b'x'"]]


HOSTILE = 'class X:\n    """[red]bold[/red] [link=file:///]x[/link] \\x1b[31m\\x07 \\u202e summary."""\n'


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("command", ["list", "info"])
def test_text_of_a_plugin_cannot_drive_the_terminal(site, capsys, monkeypatch, terminal, command):
    site.install("hostile", {"h.py": HOSTILE}, hostile="h:X")
    default_registry().refresh()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    app([command, "hostile"], standalone_mode=False)
    text = capsys.readouterr().out
    default_registry().refresh()
    assert "[red]bold[/red] [link=file:///]x[/link] [31m summary." in text
    assert not {"\x1b[31m", "\x07", "\u202e"} & {text[i : i + n] for n in (1, 5) for i in range(len(text))}


def test_the_version_names_libraries_and_plugins(optreg, site, monkeypatch):
    import importlib.metadata

    site.install_lynx("pack", module="lynx_module", version="2.5")
    site.install("hooks", entry_points="[optreg.plugins]\nwatch = w:Watch\n")
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "hooks")
    text = optreg("--version").stdout
    tensorflow = importlib.metadata.version("tensorflow")
    for line in (f"optreg {importlib.metadata.version('optreg')}", f"TensorFlow {tensorflow}", "plugin pack 2.5: lynx"):
        assert line in text.splitlines()
    assert "plugin hooks 1.0 (disabled): hooks watch" in text.splitlines()
    document = json.loads(optreg("--version", "--json").stdout)
    assert document["schema"] == "optreg.version/1"
    assert document["versions"]["TensorFlow"] == tensorflow
    assert [plugin["distribution"] for plugin in document["plugins"]] == ["hooks", "pack"]


def test_completion_offers_names_and_qualified_names(site):
    site.install_lynx("pack", module="lynx_module")
    default_registry().refresh()
    assert complete_name("Ly") == ["lynx"]
    assert complete_name("pack/") == ["pack/lynx"]
    assert {"adam", "sgd", "lynx"} <= set(complete_name(""))
    default_registry().refresh()


def test_completion_is_silent_about_settings_that_cannot_be_read(site, monkeypatch):
    monkeypatch.setenv("OPTREG_PINS", "nonsense")
    default_registry().refresh()
    assert complete_name("") == []
    monkeypatch.delenv("OPTREG_PINS")
    default_registry().refresh()


@pytest.mark.parametrize("command", ["list", "info"])
def test_help_is_understandable_and_names_the_exit_codes(optreg, command):
    text = " ".join(optreg(command, "--help").stdout.split())
    assert "imported" in text
    assert "3 nothing matched" in text


def test_an_unexpected_error_is_one_line_with_the_way_to_the_traceback(optreg, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("optreg.registry.selection.Selection.of", fail)
    done = optreg("list")
    assert done.exit_code == 5
    expected = "optreg: internal error: ZeroDivisionError: two lines (set OPTREG_TRACEBACK=1 for the traceback)\n"
    assert done.stderr == expected
    monkeypatch.setenv("OPTREG_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in optreg("list").stderr


def test_an_interrupt_ends_with_code_130(optreg, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("optreg.registry.selection.Selection.of", interrupt)
    assert optreg("list").exit_code == exit_codes.INTERRUPTED


def test_each_error_has_its_exit_code():
    from optreg import errors

    assert exit_codes.code_of(errors.UnknownOptimizer("x")) == 3
    assert exit_codes.code_of(errors.UnusableOptimizer("x")) == 4
    assert exit_codes.code_of(errors.AmbiguousOptimizer("x")) == 2
    assert exit_codes.code_of(ValueError("x")) == 5


def test_a_pipe_gets_long_names_and_summaries_uncut(capsys):
    rendering.table(("name", "about"), [("n" * 300, "word " * 100)])
    _, row = capsys.readouterr().out.splitlines()
    assert row.split() == ["n" * 300] + ["word"] * 100


def process(code, **environment):
    variables = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, errors="replace", check=False, env=variables
    )


def test_listing_info_help_version_and_completion_import_no_tensorflow_and_no_plugin():
    code = """
import json, sys
from typer.testing import CliRunner
from optreg_cli.main import app
for line in ("list", "list --json", "info adam", "info adam --json", "--help", "list --help", "--version", "info zzz"):
    CliRunner().invoke(app, line.split(), prog_name="optreg")
completed = CliRunner().invoke(app, [], prog_name="optreg", env={
    "_OPTREG_COMPLETE": "complete_bash", "COMP_WORDS": "optreg info sg", "COMP_CWORD": "2"})
heavy = {"tensorflow", "keras", "tf_keras", "numpy", "optreg_classic"}
print(json.dumps([completed.stdout.split(), sorted(heavy & {name.partition(".")[0] for name in sys.modules})]))
"""
    done = process(code)
    assert json.loads(done.stdout.splitlines()[-1]) == [["sgd"], []], done.stderr


def test_a_plain_list_starts_without_the_heavy_parts_of_its_libraries():
    code = """
import json, sys
from optreg_cli.main import app
app(["list"], standalone_mode=False)
print(json.dumps(sorted({"pydantic", "rich", "pluggy", "email", "importlib.metadata"} & set(sys.modules))))
"""
    assert json.loads(process(code).stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("arguments", [["list"], ["info", "sgd"], ["--version"], ["info", "adam", "--json"]])
def test_a_closed_pipe_ends_quietly_with_the_code_that_shells_give_it(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from optreg_cli.main import run; run()", *arguments]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_terminal_without_the_symbols_gets_question_marks():
    code = "import sys\nfrom optreg_cli.main import run\nsys.argv = ['optreg', 'info', 'adam']\nrun()"
    done = process(code, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout


@pytest.mark.slow
def test_tensorflow_starts_silently_unless_asked(monkeypatch):
    code = (
        "from optreg_cli.quiet import quiet_tensorflow as quiet\nquiet()\nimport tensorflow as tf\ntf.constant(1) + 1"
    )
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    done = process(code, OPTREG_TF_LOGS="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "cpu_feature_guard" in process(code, OPTREG_TF_LOGS="1").stderr


def test_what_was_held_back_is_shown_when_loading_fails():
    code = """
import os
from optreg_cli import quiet
try:
    with quiet._held_back_stderr():
        os.write(2, b"native chatter")
        raise ImportError
except ImportError:
    os.write(2, b" and after")
"""
    assert process(code).stderr == "native chatter and after"


def test_a_long_table_on_a_terminal_folds_only_the_last_column(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    rows = [(f"name_{number}", "ready", "one two three four five six seven") for number in range(400)]
    rendering.table(("name", "state", "about"), rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["name", "state", "about"]
    assert all(len(line) <= 40 for line in lines)
    assert [line for line in lines if line.startswith("name_7 ")] == ["name_7    ready  one two three four five"]
    assert sum(line.strip() == "six seven" for line in lines) == 400


def test_strict_mode_lists_and_then_ends_with_the_code_of_unusable_plugins(optreg, site, monkeypatch):
    site.install("bad", {"bad_module.py": "class X(:"}, bad="bad_module:X")
    monkeypatch.setenv("OPTREG_STRICT", "1")
    done = optreg("list")
    assert done.exit_code == exit_codes.PLUGIN_UNUSABLE
    assert "bad " in done.stdout
    assert done.stderr.startswith("optreg: Strict mode (OPTREG_STRICT) does not tolerate: bad/bad is broken (")


def test_settings_that_cannot_be_read_end_with_the_code_of_wrong_usage(optreg, tmp_path, monkeypatch):
    path = tmp_path / "config.ini"
    path.write_text("[pins]\nadam\n")
    monkeypatch.setenv("OPTREG_CONFIG", str(path))
    done = optreg("list")
    assert (done.exit_code, done.stdout) == (exit_codes.USAGE, "")
    assert done.stderr == f"optreg: {path}, line 2: 'adam' is not understood; expected key = value\n"
    assert optreg("--help").exit_code == 0
    monkeypatch.setenv("OPTREG_CONFIG", "")


def test_other_kinds_are_listed_and_explained(optreg):
    rows = [line.split() for line in optreg("list", "--kind", "all").stdout.splitlines()]
    assert rows[0] == ["NAME", "KIND", "STATE", "FROM", "ABOUT"]
    assert {("adam", "optimizer"), ("l2", "transformer"), ("adasum", "aggregator")} <= {tuple(row[:2]) for row in rows}
    shown = optreg("info", "clip_by_norm").stdout
    assert "Arguments\n" in shown
    assert "exact: same result as the dense gradient, repeated rows summed" in shown
    assert "State per variable" not in shown
    assert json.loads(optreg("info", "median", "--json").stdout)["kind"] == "aggregator"
    assert optreg("info", "median", "--kind", "transformer").exit_code == exit_codes.NOTHING_MATCHED
    wrong = optreg("info", "no_such_thing")
    assert wrong.exit_code == exit_codes.NOTHING_MATCHED
    assert "There is no optimizer 'no_such_thing'" in wrong.stderr
