"""What must hold before a plugin is imported: API, TensorFlow, Python, requirements. All told from metadata."""

from __future__ import annotations

import importlib.metadata
import sys

import pytest

import optreg
from optreg.discovery.entries import State
from optreg.registry import Registry

TF = importlib.metadata.version("tensorflow")


def install(site, card, *metadata, extra=""):
    """Install a plugin whose import would be noticed."""
    source = f"raise RuntimeError('imported')\nclass X:\n    card = Card({card})\n"
    site.install("pack", {"gated.py": source}, x="gated:X")
    info = site.folder / "pack-1.0.dist-info" / "METADATA"
    info.write_text(
        "Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n" + "".join(f"{line}\n" for line in metadata) + extra
    )
    return Registry()


def verdict(registry):
    entry = registry.optimizer_info("x")
    with pytest.raises(optreg.UnusableOptimizer, match=rf"x \(pack 1.0\) is {entry.state.value}"):
        registry.get_optimizer("x")
    assert "gated" not in sys.modules
    return entry.state, entry.reason, entry.next_step


@pytest.mark.parametrize(
    ("card", "reason", "step"),
    [
        ("api=99", "written for plugin API 99; this optreg offers 1", "pip install --upgrade optreg"),
        ("api=0", "written for plugin API 0; this optreg still supports 1 to 1", "pip install --upgrade pack"),
        (
            "api=99, field_of_tomorrow=(1, 2)",
            "written for plugin API 99; this optreg offers 1",
            "pip install --upgrade optreg",
        ),
        (
            "tensorflow='>=2.99,<3'",
            f"it works with TensorFlow >=2.99,<3; installed is tensorflow {TF}",
            'pip install "tensorflow>=2.99,<3", then optreg.refresh(), or look for another version of pack',
        ),
        (
            "tensorflow='<2.10'",
            f"it works with TensorFlow <2.10; installed is tensorflow {TF}",
            'pip install "tensorflow<2.10", then optreg.refresh(), or look for another version of pack',
        ),
    ],
)
def test_a_plugin_too_new_or_too_old_is_incompatible(site, card, reason, step):
    assert verdict(install(site, card)) == (State.INCOMPATIBLE, reason, step)


def test_the_first_gate_that_is_shut_is_the_one_that_is_told(site):
    registry = install(site, "api=99, tensorflow='<2.10', requires=('nowhere_to_be_found',)")
    assert "plugin API 99" in verdict(registry)[1]


def test_a_range_that_is_none_is_the_authors_mistake(site):
    state, reason, step = verdict(install(site, "tensorflow='two'"))
    assert (state, step) == (State.BROKEN, "report it to the authors of pack")
    assert reason == "card field 'tensorflow' must be a range such as '>=2.16,<3', received 'two'"


@pytest.mark.parametrize("card", ["tensorflow='>=2,<3'", "api=1", "requires=('numpy>=1', 'Tf.Keras')"])
def test_what_fits_passes_the_gates(site, card):
    assert install(site, card).optimizer_info("x").state is State.READY


@pytest.mark.parametrize("found", ["tensorflow_cpu", "tf_nightly", "tensorflow_macos"])
def test_any_distribution_of_tensorflow_counts(site, monkeypatch, found):
    registry = install(site, "tensorflow='>=2.30'", "Requires-Dist: tensorflow>=2.16")
    (site.folder / f"{found}-2.31.0.dev1.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(site.folder)])
    assert registry.optimizer_info("x").state is State.READY
    (site.folder / f"{found}-2.31.0.dev1.dist-info").rename(site.folder / f"{found}-2.29.0.dist-info")
    name = found.replace("_", "-")
    reason = f"it works with TensorFlow >=2.30; installed is {name} 2.29.0"
    again = Registry([str(site.folder)]).optimizer_info("x")
    assert (again.state, again.reason) == (State.INCOMPATIBLE, reason)


def test_no_tensorflow_at_all_is_a_missing_dependency(site, monkeypatch):
    registry = install(site, "tensorflow='>=2.16'")
    monkeypatch.setattr(sys, "path", [str(site.folder)])
    entry = registry.optimizer_info("x")
    assert (entry.state, entry.next_step) == (
        State.MISSING_DEPENDENCY,
        'pip install "tensorflow>=2.16", then optreg.refresh()',
    )


@pytest.mark.parametrize(
    ("metadata", "step"),
    [
        ("Requires-Dist: torch-of-tomorrow (>=2)", 'pip install "torch-of-tomorrow>=2", then optreg.refresh()'),
        ("Requires-Dist: Torch_of.tomorrow", "pip install torch-of-tomorrow, then optreg.refresh()"),
        (
            "Requires-Dist: torch-of-tomorrow; python_version > '3'",
            "pip install torch-of-tomorrow, then optreg.refresh()",
        ),
    ],
)
def test_a_requirement_that_is_not_installed_is_named_with_the_pip_command(site, metadata, step):
    state, reason, told = verdict(install(site, "", metadata))
    assert (state, told) == (State.MISSING_DEPENDENCY, step)
    assert reason == "it needs the package 'torch-of-tomorrow' (its metadata says so)"


def test_a_requirement_of_the_card_counts_for_this_optimizer_alone(site):
    source = "class X:\n    card = Card(requires=('torch-of-tomorrow',))\nclass Y:\n    card = Card()\n"
    site.install("pack", {"gated.py": source}, x="gated:X", y="gated:Y")
    registry = Registry()
    assert registry.optimizer_info("x").reason == (
        "it needs the package 'torch-of-tomorrow' (its card requires 'torch-of-tomorrow')"
    )
    assert registry.optimizer_info("y").state is State.READY


@pytest.mark.parametrize(
    "metadata",
    [
        "Requires-Dist: torch-of-tomorrow; extra == 'gpu'",
        "Requires-Dist: torch-of-tomorrow; python_version < '3'",
        "Requires-Dist: numpy<0.1",  # pip has told; it may work
        "Requires-Dist: this is not a requirement at all",
        "Requires-Dist: optreg",
        "Requires-Python: >=3.8",
        "Requires-Python: nonsense",
        "\nRequires-Dist: torch-of-tomorrow",  # below the headers: text of the description
    ],
)
def test_what_need_not_be_there_shuts_no_gate(site, metadata):
    assert install(site, "", metadata).optimizer_info("x").state is State.READY


def test_a_module_that_is_there_without_metadata_is_enough(site):
    (site.folder / "by_hand.py").write_text("")
    assert install(site, "", "Requires-Dist: by-hand").optimizer_info("x").state is State.READY


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("Requires-Dist: optreg>=99", "it requires optreg>=99; installed is optreg "),
        ("Requires-Dist: tensorflow<2.10", "it requires tensorflow<2.10; installed is tensorflow "),
        ("Requires-Python: <3", "it works with Python <3; this is "),
    ],
)
def test_a_wrong_version_of_what_we_stand_on_is_incompatible(site, metadata, reason):
    state, told, _ = verdict(install(site, "", metadata))
    assert state is State.INCOMPATIBLE
    assert told.startswith(reason)


def test_an_installed_requirement_opens_the_gate_after_refresh(site):
    registry = install(site, "", "Requires-Dist: late-comer")
    assert registry.optimizer_info("x").state is State.MISSING_DEPENDENCY
    (site.folder / "late_comer-1.0.dist-info").mkdir()
    registry.refresh()
    assert registry.optimizer_info("x").state is State.READY
