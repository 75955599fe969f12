"""Every animal of the zoo is told with its reason and next step, and disturbs no other."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf
from typer.testing import CliRunner

import optreg as package
from optreg.registry import Registry, default_registry
from optreg_cli.main import app

from .animal import Animal
from .animals import ANIMALS
from .enclosure import WITH_TENSORFLOW, install

SAFE = [animal for animal in ANIMALS if not animal.danger]
OPTIMIZERS = [animal for animal in SAFE if animal.kind == "optimizer"]
HOOKS = [animal for animal in SAFE if animal.kind == "plugin"]
SHUFFLES = 50

each = pytest.mark.parametrize("animal", ANIMALS, ids=lambda animal: animal.name)
each_safe = pytest.mark.parametrize("animal", SAFE, ids=lambda animal: animal.name)


def state_of(registry: Registry, animal: Animal) -> str:
    [entry] = [entry for entry in registry.entries(kind=animal.kind) if entry.qualified_name == animal.qualified_name]
    return entry.state.value


def answer(registry: Registry, animal: Animal) -> str:
    """Return what a user is told who asks for an animal."""
    if animal.kind == "plugin":
        registry.contributions.of("doctor_checks")
        failure = next(failure for failure in registry.contributions.failures if failure.plugin == animal.name)
        return f"{failure}. Next step: {registry.optimizer_info(animal.name, kind='plugin').next_step}"
    try:
        registry.get_optimizer(animal.wish)
    except package.OptregError as error:
        return str(error)
    entry = registry.optimizer_info(animal.wish)
    return f"{entry.reason}. Next step: {entry.next_step}"


def test_the_zoo_holds_every_species_once():
    assert len(ANIMALS) >= 34
    assert len({animal.name for animal in ANIMALS}) == len(ANIMALS)
    assert len({animal.what for animal in ANIMALS}) == len(ANIMALS)


@each
def test_an_animal_is_listed_with_its_state_before_anything_is_imported(zoo, animal):
    assert state_of(Registry(), animal) == animal.state


@each_safe
def test_asking_for_an_animal_tells_reason_and_next_step_and_leaves_the_good_one_alone(registry, animal):
    told = answer(registry, animal)
    assert animal.message in told
    assert animal.step in told
    assert state_of(registry, animal) == animal.after
    assert type(registry.get_optimizer("puma")).__module__ == "good_puma"
    assert answer(registry, animal) == told, "asking again must not change the answer"


def test_hook_objects_that_fail_take_nothing_from_those_that_work(registry):
    contributed = registry.contributions.of("doctor_checks")
    assert [(found.distribution, found.value) for found in contributed] == [("good-cats", len)]
    failed = {failure.plugin for failure in registry.contributions.failures}
    assert failed == {animal.name for animal in HOOKS}


@each
def test_info_ends_with_the_exit_code_of_the_animal_and_imports_nothing(optreg, imported, animal):
    kind = ("--kind", "plugin") if animal.kind == "plugin" else ()
    done = optreg("info", animal.wish, *kind)
    assert done.exit_code == animal.info
    told = " ".join(f"{done.stdout} {done.stderr}".split())
    if animal.state != "ready" and animal.info == 0:
        assert f"{animal.state}: " in told
    assert imported() == []


@each_safe
def test_validate_ends_with_the_exit_code_of_the_animal(optreg, animal):
    done = optreg("validate", animal.wish, "--group", "structure", "--no-isolate")
    assert done.exit_code == animal.validate, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("liar", "check_the_card_fits_the_constructor"),
        ("turncoat", "check_the_card_in_the_source_equals_that_of_the_class"),
    ],
)
def test_a_lying_card_is_found_out_by_validate(optreg, name, check):
    assert f"failed {check}" in optreg("validate", name, "--group", "structure", "--no-isolate").stdout


def test_every_other_optimizer_trains_among_them(registry):
    for animal in SAFE:
        answer(registry, animal)
    working = [entry.qualified_name for entry in registry.entries() if entry.built_in]
    assert len(working) >= 9
    for name in [*working, "puma"]:
        weights = tf.Variable([1.0, -2.0])
        optimizer = registry.get_optimizer(name)
        before = float(tf.reduce_sum(weights**2))
        for _ in range(3):
            optimizer.minimize(lambda weights=weights: tf.reduce_sum(weights**2), [weights])
        assert float(tf.reduce_sum(weights**2)) < before, name


@pytest.mark.parametrize("form", [["list", "--kind", "all", "--json"], ["list", "--kind", "all"]])
def test_listing_in_a_fresh_process_imports_no_animal_and_no_tensorflow(zoo, imported, form):
    code = (
        f"import sys; sys.path[:0] = {zoo!r}; sys.argv[1:] = {form!r}\n"
        "import atexit; atexit.register(lambda: print('tensorflow' in sys.modules, file=sys.stderr))\n"
        "from optreg_cli.main import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "False\n")
    assert imported() == []
    assert all(text in done.stdout for text in ("puma", "adam", "segfaults", "misspelt", "Works among all others."))


def test_the_marker_tells_when_an_animal_is_imported(zoo, imported):
    sys.modules.pop("good_puma", None)
    Registry().get_class("puma")
    assert imported() == ["good_puma"]


def test_every_module_that_can_be_imported_is_marked():
    for animal in ANIMALS:
        for fake in animal.fakes:
            for name, source in fake.modules.items():
                assert "_MARKERS" in source or not name.endswith(".py") or animal.name == "syntax", name


@pytest.mark.slow
def test_fifty_shuffles_of_installation_and_path_give_the_same_json(tmp_path, monkeypatch):
    plain = list(sys.path)
    listings = set()
    for seed in range(SHUFFLES):
        path = install(tmp_path / "zoo", ANIMALS, contract=WITH_TENSORFLOW, shuffled=random.Random(seed))
        monkeypatch.setattr(sys, "path", [*path, *plain])
        default_registry().refresh()
        listings.add(CliRunner().invoke(app, ["list", "--kind", "all", "--json"]).stdout)
        shutil.rmtree(tmp_path / "zoo")
    monkeypatch.undo()
    default_registry().refresh()
    assert len(listings) == 1
    [listing] = listings
    shown = {entry["qualified_name"] for entry in json.loads(listing)["entries"]}
    assert {"good-cats/puma", *(animal.qualified_name for animal in ANIMALS)} <= shown


def test_copies_of_one_distribution_are_one_entry(registry):
    for name in ("double", "editable"):
        assert len([entry for entry in registry.entries() if entry.name == name]) == 1


def live_text(text: str) -> set[str]:
    """Return what could drive a terminal: all that is not printable, apart from line breaks."""
    return {char for char in text if not char.isprintable() and char not in "\r\n"}


@pytest.mark.parametrize(
    "command",
    [
        ["list", "--kind", "all"],
        ["list", "--kind", "all", "--json"],
        *(["info", name, *form] for name in ("flashing", "painted", "verbose", "\x1b[31mred\x1b[0m")
          for form in ([], ["--json"])),
        ["why", "\x1b[31mred\x1b[0m"],
        ["validate", "\x1b[31mred\x1b[0m"],
        ["validate", "flashing", "--group", "structure", "--no-isolate"],
        ["validate", "flashing", "--group", "structure", "--no-isolate", "--json"],
        ["doctor"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_nothing_that_is_printed_drives_the_terminal(optreg, command):
    done = optreg(*command)
    assert live_text(done.stdout + done.stderr) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")
@pytest.mark.parametrize("form", [["list", "--kind", "all"], ["info", "painted"], ["info", "flashing"]], ids=" ".join)
def test_a_terminal_shows_names_and_summaries_as_they_are_written(zoo, form):
    shown = on_a_terminal(
        f"import sys; sys.path[:0] = {zoo!r}; sys.argv[1:] = {form!r}; import optreg_cli.main as m; m.run()"
    )
    ours = re.compile(r"\x1b\[[0-4;]*m")  # bold and faint; what an animal wants is red, 31
    assert live_text(ours.sub("", shown)) == set()
    if "flashing" not in form:
        assert "[bold red]Best[/] <script>alert(1)</script> optimizer." in shown
    if "list" in form:
        assert "[bold red]lion[/]" in shown


def on_a_terminal(code: str) -> str:
    """Return what a program writes to a terminal of many columns."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "400"}
    program = subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux reports the end so
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    assert program.wait(timeout=300) == 0
    return shown.decode()


def test_a_huge_error_is_cut(registry):
    told = answer(registry, next(animal for animal in ANIMALS if animal.name == "screams"))
    assert len(told) < 1000


def test_a_huge_summary_is_cut_and_the_listing_stays_readable(optreg):
    [line] = [line for line in optreg("list").stdout.splitlines() if line.startswith("verbose ")]
    assert line.endswith("Step Step …")
    assert len(line) < 1000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_validate_names_the_signal_the_exit_code_and_the_limit_and_validates_the_good_one(optreg):
    hanging = optreg("validate", "hangs", "--group", "structure", "--timeout", "3")
    assert hanging.exit_code == 4
    assert "hangs cannot be used: still running after 3 s in 'loading it', and was ended" in hanging.stderr
    others = optreg("validate", "segfaults", "leaves", "puma", "--group", "structure", "--timeout", "500", "--json")
    assert others.exit_code == 4
    assert "segfaults cannot be used: killed by SIGSEGV" in others.stderr
    assert "leaves cannot be used: ended the process with exit code 3" in others.stderr
    document = json.loads(others.stdout)
    [report] = document["reports"]
    assert (report["optimizer"], report["ok"]) == ("puma", True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_bench_gives_those_that_crash_or_hang_a_row_and_measures_the_good_one(optreg, tmp_path):
    layout = tmp_path / "small.json"
    layout.write_text(json.dumps({"shapes": [[4, 3]]}))
    done = optreg(
        *("bench", "run", "segfaults", "hangs", "puma", "--mode", "speed", "--execution", "eager"),
        *("--layout", str(layout), "--timeout", "10", "--budget", "900", "--json", "-"),
    )
    assert done.exit_code == 3, done.stderr
    states = {
        entry["optimizer"]: (entry["state"]["name"], entry["state"]["reason"])
        for entry in json.loads(done.stdout)["speed"]
        if entry["implementation"] == "optreg"
    }
    assert states["puma"][0] == "finished"
    assert states["segfaults"] == ("failed", "killed by SIGSEGV in 'import of segfaults'")
    assert states["hangs"] == ("failed", "no sign of life for 10 s in 'import of hangs', and was ended")
