"""``optreg why`` tells of the look-up that is really made; ``optreg doctor`` finds what is wrong, without importing."""

from __future__ import annotations

import json
import sys

import pytest
from tests.fake_site import LYNX
from typer.testing import CliRunner

from optreg.diagnosis import diagnose
from optreg.registry import Registry, default_registry
from optreg_cli.main import app


@pytest.fixture
def optreg(site):
    def run(*arguments):
        default_registry().refresh()
        return CliRunner().invoke(app, list(arguments), prog_name="optreg")

    yield run
    default_registry().refresh()


def why(optreg, *arguments):
    done = optreg("why", *arguments, "--json")
    return done.exit_code, json.loads(done.stdout)


def results(document):
    return {step["at"]: step["result"] for step in document["steps"]}


def test_why_follows_a_short_name_to_its_only_entry(optreg, site):
    site.install_lynx("pack", module="lynx_module")
    code, document = why(optreg, "LYNX")
    assert (code, document["schema"], document["error"]) == (0, "optreg.why/1", None)
    steps = results(document)
    assert steps["spelling"] == "'LYNX' is looked up as 'lynx'"
    assert steps["short name"] == "pack/lynx, the only one"
    assert steps["source text"] == f"card read from {site.folder / 'lynx_module.py'}"
    assert steps["outcome"] == "pack/lynx (pack 1.0), ready"
    assert document["answer"]["qualified_name"] == "pack/lynx"
    assert "lynx_module" not in sys.modules


def test_why_says_where_a_pin_and_an_alias_come_from(optreg, site, tmp_path, monkeypatch):
    site.install_lynx("pack", module="lynx_module", name="adam")
    path = tmp_path / "config.ini"
    path.write_text("[pins]\nadam = pack\n[aliases]\nmine = adam\n")
    monkeypatch.setenv("OPTREG_CONFIG", str(path))
    code, document = why(optreg, "mine")
    steps = results(document)
    assert code == 0
    assert steps["your aliases"] == f"'mine' stands for 'adam' ({path}, line 4)"
    assert steps["pins"] == f"'adam' is pinned to pack by {path}, line 2"
    assert steps["short name"] == f"pack/adam, pinned by {path}, line 2"
    assert [entry["qualified_name"] for entry in document["candidates"]] == ["optreg/adam", "pack/adam"]
    assert {"optreg/adam", "shadowed"} <= set(optreg("why", "mine").stdout.split())


def test_why_tells_why_a_built_in_wins_and_what_is_ambiguous(optreg, site):
    site.install_lynx("a-pack", module="lynx_a", name="adam")
    site.install_lynx("b-pack", module="lynx_b")
    site.install_lynx("c-pack", module="lynx_c")
    assert results(why(optreg, "adam")[1])["short name"] == "optreg/adam, built in, and built-ins keep their names"
    code, document = why(optreg, "lynx")
    assert code == 2
    assert results(document)["short name"] == "2 offer it, and none is pinned"
    assert document["error"].startswith("The optimizer 'lynx' is offered by several distributions")
    assert document["answer"] is None


@pytest.mark.parametrize(
    ("card", "gate", "result"),
    [
        ("api=99", "plugin API 99", "written for plugin API 99; this optreg offers 1"),
        ("api=1, tensorflow='<2'", "TensorFlow <2", "it works with TensorFlow <2; installed is tensorflow "),
        ("requires=('tomorrow',)", "requirement of the card: tomorrow", "it needs the package 'tomorrow' ("),
    ],
)
def test_why_stops_at_the_gate_that_is_shut(optreg, site, card, gate, result):
    site.install("pack", {"x.py": f"class X:\n    card = Card({card})\n"}, x="x:X")
    code, document = why(optreg, "x")
    assert code == 4
    *_, last, outcome = document["steps"]
    assert last["at"] == gate
    assert last["result"].startswith(result)
    assert outcome["at"] == "outcome"


def test_why_passes_an_open_gate_by_name(optreg, site):
    site.install("pack", {"x.py": "class X:\n    card = Card(tensorflow='>=2')\n"}, x="x:X")
    steps = results(why(optreg, "pack/x")[1])
    assert steps["qualified name"] == "pack/x is there"
    assert (steps["plugin API 1"], steps["TensorFlow >=2"], steps["requirements: none"]) == ("passes",) * 3


def test_why_follows_aliases_old_names_and_classes(optreg, site):
    card = "class X:\n    card = Card(aliases=('best',), deprecated=(Deprecated('older', '1'),))\n"
    site.install("pack", {"x.py": card}, x="x:X")
    assert results(why(optreg, "best")[1])["aliases"] == "an alias of pack/x"
    code, document = why(optreg, "older")
    assert (code, results(document)["old name"]) == (0, "stands for pack/x; an old name since 1")
    assert results(why(optreg, "x:X")[1])["module:Class"] == "the entry point of pack/x"
    assert why(optreg, "nowhere:X")[1]["answer"] is None


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("lynk", 3, "There is no optimizer 'lynk'. Did you mean 'lynx'?"),
        ("off", 4, "pack-2/off (pack-2 1.0) is disabled"),
    ],
)
def test_why_ends_with_the_error_that_using_the_name_would_raise(optreg, site, monkeypatch, name, code, text):
    site.install_lynx("pack", module="lynx_module")
    site.install_lynx("pack-2", module="lynx_off", name="off")
    monkeypatch.setenv("OPTREG_DISABLE_PLUGINS", "pack-2")
    done = optreg("why", name)
    assert done.exit_code == code
    assert text in done.stderr


def findings(*arguments, **options):
    registry = Registry()
    return {(f.severity, f.about): f for f in diagnose(*arguments, registry=registry, **options).findings}


def test_a_sound_installation_has_no_problems_and_nothing_is_imported(optreg, site):
    site.install_lynx("pack", module="lynx_module")
    done = optreg("doctor")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "no problems found")
    assert "lynx_module" not in sys.modules
    facts = {line.split("  ")[0] for line in done.stdout.splitlines()}
    assert {"Python", "platform", "TensorFlow version", "Keras version", "settings", "cache", "path"} <= facts


def test_a_broken_plugin_is_a_problem_with_its_next_step(optreg, site):
    site.install("bad", {"bad_module.py": "class X(:"}, bad="bad_module:X")
    done = optreg("doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["ok"], document["schema"]) == (1, False, "optreg.doctor/1")
    [finding] = document["findings"]
    assert finding["about"] == "optimizer bad/bad"
    assert finding["text"] == "broken: syntax error in bad_module.py, line 1: invalid syntax (bad 1.0)"
    assert finding["next_step"] == "report it to the authors of bad"


@pytest.mark.parametrize(
    ("source", "text", "trace"),
    [
        ("def f():\n    raise OSError('disk on fire')\nf()\nclass X: ...", "OSError: disk on fire", "in f"),
        ("import os\nos.kill(os.getpid(), 11)\nclass X: ...", "killed by SIGSEGV in 'import'", ""),
        ("import os\nos._exit(7)\nclass X: ...", "ended the process with exit code 7 in 'import'", ""),
    ],
)
def test_a_name_is_loaded_in_a_child_process_and_its_own_trace_is_shown(optreg, site, source, text, trace):
    site.install("bad", {"bad_module.py": source}, bad="bad_module:X")
    assert optreg("doctor").exit_code == 0  # nothing is seen before it is loaded
    done = optreg("doctor", "bad")
    assert done.exit_code == 4
    assert text in " ".join(done.stdout.split())
    assert trace in done.stdout
    assert "Next step: " in done.stdout
    assert "bad_module" not in sys.modules


def test_a_sound_name_is_told_with_its_origin(optreg, site):
    site.install_lynx("pack", module="lynx_module", version="2.5")
    done = optreg("doctor", "lynx")
    assert done.exit_code == 0
    assert {"pack/lynx", "ready", str(site.folder / "lynx_module.py")} <= set(done.stdout.split())


@pytest.mark.parametrize(("name", "code"), [("lynk", 3), ("lynx", 2)])
def test_a_name_that_leads_nowhere_is_the_error_of_the_look_up(optreg, site, name, code):
    site.install_lynx("a-pack", module="lynx_a")
    site.install_lynx("b-pack", module="lynx_b")
    assert optreg("doctor", name).exit_code == code


def test_contributed_checks_run_only_on_request_and_in_a_child(optreg, site):
    source = """
        import optreg, os
        def sound(): return []
        def unwell(): return [("the GPU is asleep", "wake it")]
        def raises(): raise KeyError("x")
        @optreg.hookimpl
        def doctor_checks(): return [sound, unwell, raises]
    """
    site.install("tools", {"tools_hooks.py": source}, entry_points="[optreg.plugins]\ntools = tools_hooks\n")
    site.install_lynx("pack", module="lynx_module")
    document = json.loads(optreg("doctor", "--json").stdout)
    [note] = document["findings"]
    assert (note["severity"], note["next_step"]) == ("note", "optreg doctor --load")
    assert "tools/tools" in note["text"]
    done = optreg("doctor", "--load", "--json")
    told = {finding["about"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.exit_code == 1
    assert set(told) == {"plugin tools/tools, unwell", "plugin tools/tools, raises"}
    assert told["plugin tools/tools, unwell"]["next_step"] == "wake it"
    assert "KeyError" in told["plugin tools/tools, raises"]["trace"]
    assert not {"tools_hooks", "lynx_module"} & set(sys.modules)


def test_settings_that_do_nothing_or_lead_nowhere_are_found(site, tmp_path, monkeypatch):
    site.install_lynx("pack", module="lynx_module")
    path = tmp_path / "config.ini"
    path.write_text("[plugins]\ndisable = pakc\n[pins]\nlynx = gone\n[aliases]\nmine = nowhere\n")
    monkeypatch.setenv("OPTREG_CONFIG", str(path))
    found = findings()
    assert found["note", f"'disable' in {path}, line 2"].text == "'pakc' fits no installed plugin"
    assert "'lynx' is pinned to gone, which does not offer it" in found["problem", f"{path}, line 4"].text
    assert "the alias 'mine' leads nowhere" in found["problem", f"{path}, line 6"].text
    path.write_text("[plugins]\nstrict\n")
    assert f"{path}, line 2" in findings()["problem", "settings"].text


@pytest.mark.parametrize(
    ("value", "chosen", "severity", "text"),
    [
        ("1", "", "note", "tf.keras is tf_keras"),
        ("1", "tf_keras", "note", "tf.keras is tf_keras"),
        ("1", "keras_3", "problem", "it was changed to '1' after tf.keras had been used; tf.keras stays keras"),
        (None, "tf_keras", "problem", "it was changed to None after tf.keras had been used; tf.keras stays tf_keras"),
        ("yes", "", "problem", "TensorFlow understands 1, true and True; 'yes' does nothing"),
        ("0", "keras_3", "", ""),
        (None, "keras_3", "", ""),
    ],
)
def test_the_variable_for_the_old_keras_is_found_when_it_is_set_too_late(monkeypatch, value, chosen, severity, text):
    import types

    keras = types.SimpleNamespace(_tfll_name="keras", **({"_tfll_keras_version": chosen} if chosen else {}))
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(keras=keras))
    environment = {} if value is None else {"TF_USE_LEGACY_KERAS": value}
    found = {
        finding.severity: finding
        for (_, about), finding in findings(environment=environment).items()
        if "LEGACY" in about
    }
    assert set(found) == ({severity} if severity else set())
    if severity:
        assert found[severity].text.startswith(text)


def test_the_real_tensorflow_says_which_keras_it_chose():
    import tensorflow as tf

    from optreg.diagnosis.surroundings import _chosen_keras

    assert tf.keras.__version__.startswith("3.")
    assert _chosen_keras() == "keras"


def test_libraries_that_do_not_go_together_are_problems(site, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(site.folder)])
    assert findings()["problem", "TensorFlow"].text == "it is not installed"
    for name in ("tensorflow-2.20.0", "tensorflow_cpu-2.21.0", "tf_keras-2.19.0"):
        (site.folder / f"{name}.dist-info").mkdir()
    found = findings(environment={})
    assert found["problem", "TensorFlow"].text == (
        "tensorflow and tensorflow-cpu are both installed and overwrite each other's files"
    )
    assert found["problem", "tf_keras"].next_step == 'pip install "tf-keras~=2.20.0"'


def test_a_second_copy_of_a_distribution_is_a_note(site):
    site.install_lynx("pack", module="lynx_module", version="1.0")
    site.install_lynx("pack", module="lynx_module", version="1.10")
    finding = findings()["note", "pack"]
    assert finding.text == f"pack 1.0 in {site.folder} is hidden by 1.10 in {site.folder}"


def test_a_plugin_that_hangs_is_ended_after_its_time(site):
    from optreg.diagnosis.trial import try_loading

    site.install("slow", {"slow_module.py": f"import time\ntime.sleep(60)\n{LYNX}"}, slow="slow_module:Lynx")
    finding = try_loading(Registry().optimizer_info("slow"), timeout=2.0)
    assert "still running after 2 s in 'import', and was ended" in finding.text
