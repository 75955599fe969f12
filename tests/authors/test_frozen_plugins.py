"""For each plugin API one plugin that is never edited: found, trained and conforming as on its first day."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tests.fake_site import site

import optreg
from optreg.cards.card import API_VERSION, OLDEST_API
from optreg.conformance import validate
from optreg.registry import default_registry
from optreg_pytest.distributions import Metadata, write_distribution

__all__ = ["site"]

FROZEN = Path(__file__).parents[1] / "frozen_plugins"
VERSIONS = sorted(int(folder.name.removeprefix("api_")) for folder in FROZEN.glob("api_*") if folder.is_dir())
STYLES = ("frozen_class", "frozen_rule")


def files_of(version: int) -> dict[str, bytes]:
    folder = FROZEN / f"api_{version}"
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(params=VERSIONS)
def frozen(request, site):
    """The plugin of one API version, installed; returns the version."""
    modules = files_of(request.param)
    project = modules.pop("pyproject.toml").decode()
    points = re.sub(r'\[project\.entry-points\."(.+)"\]', r"[\1]", project.partition("dependencies")[2])
    points = points.partition("\n")[2].partition("[tool")[0].replace('"', "")
    write_distribution(site.folder, modules, Metadata("frozen-one", "1.0", points))
    default_registry().refresh()
    yield request.param
    site.folder.rename(site.folder.with_name("uninstalled"))
    default_registry().refresh()


def test_every_version_that_is_served_has_its_plugin():
    assert list(range(OLDEST_API, API_VERSION + 1)) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_a_frozen_plugin_was_not_edited(version):
    lines = (FROZEN / f"api_{version}.sha256").read_text().splitlines()
    recorded = {name: digest for digest, name in (line.split() for line in lines)}
    present = {name: hashlib.sha256(content).hexdigest() for name, content in files_of(version).items()}
    assert present == recorded, "a frozen plugin is never edited, see docs/api-policy.md: repair optreg instead"


def test_a_frozen_plugin_is_found_and_says_its_version(frozen):
    found = {(e.kind, e.name) for e in default_registry().entries(kind=None) if e.distribution == "frozen-one"}
    assert found == {
        ("optimizer", "frozen_class"),
        ("optimizer", "frozen_rule"),
        ("transformer", "frozen_scale"),
        ("plugin", "frozen_tools"),
    }
    for name in STYLES:
        info = optreg.optimizer_info(name)
        assert (info.state.value, info.declared.api) == ("ready", frozen)
    assert optreg.optimizer_info("frozen_by_class").name == "frozen_class"


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_frozen_optimizer_makes_the_steps_computed_by_hand(frozen, name, mode):
    import frozen_one.steps

    hooks = frozen_one.steps.FrozenHooks()
    optimizer = optreg.get_optimizer(
        name,
        learning_rate=0.5,
        momentum=0.5,
        gradient_transformers=["frozen_scale"],
        plugins=[hooks] * (mode == "eager"),
    )
    weight = tf.Variable([4.0, -2.0])

    def step():
        optimizer.apply_gradients([(tf.constant([1.0, -0.5]), weight)])

    seen, run = [], tf.function(step) if mode == "graph" else step
    for _ in range(3):
        run()
        seen.append(weight.numpy())
    # The transformer makes g = [2, -1]; b = g, 1.5 g, 1.75 g; w falls by b / 2: 1, 1.5, 1.75 and half of it upwards.
    np.testing.assert_array_equal(seen, [[3.0, -1.5], [1.5, -0.75], [-0.25, 0.125]])
    if mode == "eager":
        once = [("aggregate_gradients", 1), ("transform_gradients", [1.0]), ("apply_dense", (2,))]
        assert [call for call in hooks.seen if call[0] != "create_slots"] == once * 3
        assert [call for call in hooks.seen if call[0] == "create_slots"] == [("create_slots", 1)]


def test_the_hook_object_of_a_frozen_plugin_contributes(frozen):
    contributed = default_registry().contributions
    [finding] = [item for item in contributed.of("doctor_checks") if item.distribution == "frozen-one"]
    assert finding.value() == [("the water is frozen", "wait for the spring")]
    assert not contributed.failures


@pytest.mark.slow
@pytest.mark.parametrize("name", STYLES)
def test_a_frozen_plugin_still_conforms(frozen, name):
    report = validate(name)
    wrong = [
        (item.id, item.status, item.message) for item in report.results if item.status not in ("passed", "skipped")
    ]
    assert wrong == []
    assert report.ok, report.problems
