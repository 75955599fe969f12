"""Commands that plugins bring: shown without import, run below the plugin's name, never in the way of ours."""

from __future__ import annotations

import sys
import zlib

import pytest
from typer.testing import CliRunner

from optreg.registry import default_registry
from optreg_cli.main import app

TOOLS = '''
"""[red]Tunes[/red] lions."""

import optreg

def tune(name: str, times: int = 1) -> None:
    """Tune one."""
    print(f"tuned {name} {times}")

def fail() -> None:
    raise KeyError("lost")

@optreg.hookimpl
def cli_commands():
    return {"tune": tune, "fail": fail}
'''


@pytest.fixture
def optreg(site):
    def run(*arguments):
        default_registry().refresh()
        return CliRunner().invoke(app, list(arguments), prog_name="optreg")

    yield run
    default_registry().refresh()


def install(site, name, source, *, module="tools_hooks"):
    site.install(name, {f"{module}.py": source}, entry_points=f"[optreg.plugins]\n{name} = {module}\n")


def test_help_shows_the_plugin_as_plain_text_and_imports_nothing(optreg, site):
    install(site, "lynx_tools", TOOLS)
    install(site, "watcher", "import optreg\n@optreg.hookimpl\ndef doctor_checks(): ...", module="watcher_hooks")
    text = optreg("--help").stdout
    assert "lynx_tools" in text
    assert "[red]Tunes[/red] lions. (from lynx-tools 1.0)" in " ".join(text.replace("│", " ").split())
    assert "watcher" not in text
    assert not {"tools_hooks", "watcher_hooks"} & set(sys.modules)


def test_other_commands_import_no_plugin(optreg, site):
    install(site, "lynx_tools", TOOLS)
    assert optreg("list").exit_code == 0
    assert optreg("lynx_tool").exit_code == 2
    assert "tools_hooks" not in sys.modules


def test_a_command_runs_with_its_arguments_converted(optreg, site):
    install(site, "lynx_tools", TOOLS)
    done = optreg("lynx_tools", "tune", "leo", "--times", "3")
    assert (done.exit_code, done.stdout) == (0, "tuned leo 3\n")
    assert "Tune one." in optreg("lynx_tools", "--help").stdout


def test_a_command_that_fails_is_laid_at_the_plugin(optreg, site):
    install(site, "lynx_tools", TOOLS)
    done = optreg("lynx_tools", "fail")
    assert done.exit_code == 4, done.stderr
    assert done.stderr == "optreg: lynx-tools 1.0: command 'fail' failed: KeyError: 'lost'\n"


@pytest.mark.parametrize("name", ["list", "info", "validate"])
def test_a_plugin_cannot_displace_a_command_of_ours(optreg, site, name):
    install(site, name, TOOLS)
    assert optreg(name, "--help").stdout.count("Tune") == 0
    assert "tools_hooks" not in sys.modules


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise OSError('disk on fire')", "OSError: disk on fire"),
        ("import optreg\n@optreg.hookimpl\ndef cli_commands(): return {'two words': print}", "received ('two words'"),
        (
            "import optreg\n@optreg.hookimpl\ndef cli_commands(): return {'x': lambda a: 1 / 0, 'y': 3}",
            "received ('y', 3)",
        ),
        ("import optreg\n@optreg.hookimpl\ndef doctor_checks(): ...", "contributes no commands"),
        ("class X(:", "syntax error"),
    ],
)
def test_broken_commands_are_one_line_and_an_exit_code(optreg, site, source, reason):
    # A module of its own: what one process has loaded stays loaded.
    install(site, "lynx_tools", source, module=f"tools_{zlib.crc32(source.encode())}")
    assert optreg("--help").exit_code == 0
    done = optreg("lynx_tools", "tune")
    assert done.exit_code == 4, done.stderr
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
