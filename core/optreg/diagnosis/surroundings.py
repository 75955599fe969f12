"""Interpreter, path, libraries: what optreg stands on. Read from metadata; nothing is imported."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from optreg.cards.digest_store import FOLDER, cache_folder
from optreg.diagnosis.finding import Fact, Finding
from optreg.discovery.distributions import distributions
from optreg.discovery.gates import TENSORFLOW, Surroundings
from optreg.discovery.index import GROUP_PREFIX
from optreg.discovery.installation import versions
from optreg.discovery.settings import settings_path

LEGACY_KERAS = "TF_USE_LEGACY_KERAS"
_ON = ("1", "true", "True")  # as TensorFlow reads it
_SHOWN_VARIABLES = ("OPTREG_", LEGACY_KERAS, "KERAS_BACKEND", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX")


def facts(environment: Mapping[str, str]) -> Iterator[Fact]:
    """Yield what a bug report needs."""
    yield Fact("Python", f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}")
    yield Fact("platform", platform.platform())
    yield Fact("environment", sys.prefix + ("" if sys.prefix != sys.base_prefix else " (no virtual environment)"))
    yield Fact("optreg", str(Path(__file__).parents[1]))
    for name, version in versions().items():
        if name != "Python":
            yield Fact(f"{name} version", version or "not installed")
    yield Fact("settings", _file(settings_path(environment)))
    yield Fact("cache", cache_folder(environment) or f"off ({FOLDER})")
    for name in sorted(environment):
        if name.startswith(_SHOWN_VARIABLES):
            yield Fact(f"${name}", environment[name])
    for place in sys.path:
        yield Fact("path", place + ("" if os.path.exists(place or ".") else " (not there)"))


def findings(environment: Mapping[str, str], path: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with the libraries around optreg."""
    surroundings = Surroundings(path)
    yield from _tensorflow(surroundings)
    yield from _keras(surroundings)
    yield from _legacy_keras(surroundings, environment)
    yield from _copies(path)
    yield from _cache(environment)


def _tensorflow(surroundings: Surroundings) -> Iterator[Finding]:
    found = [name for name in TENSORFLOW if name in surroundings.versions]
    if not found:
        yield Finding("problem", "TensorFlow", "it is not installed", "pip install tensorflow")
    if len(found) > 1:
        text = f"{' and '.join(found)} are both installed and overwrite each other's files"
        step = f"pip uninstall {' '.join(found)}, then install one of them"
        yield Finding("problem", "TensorFlow", text, step)


def _keras(surroundings: Surroundings) -> Iterator[Finding]:
    tensorflow, legacy = surroundings.find(TENSORFLOW[0]), surroundings.find("tf-keras")
    if tensorflow and legacy and _minor(tensorflow[1]) != _minor(legacy[1]):
        text = f"{legacy[0]} {legacy[1]} was made for another TensorFlow than {tensorflow[1]}"
        yield Finding("problem", "tf_keras", text, f'pip install "{legacy[0]}~={_minor(tensorflow[1])}.0"')


def _legacy_keras(surroundings: Surroundings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """TensorFlow looks at the variable once, when ``tf.keras`` is first used; later changes do nothing."""
    wanted = environment.get(LEGACY_KERAS)
    chosen = _chosen_keras()
    if wanted in _ON and surroundings.find("tf-keras") is None:
        text = f"{LEGACY_KERAS}={wanted} asks for tf_keras, which is not installed"
        yield Finding("problem", LEGACY_KERAS, text, "pip install tf-keras, or unset the variable")
    elif chosen and (wanted in _ON) != (chosen == "tf_keras"):
        text = f"it was changed to {wanted!r} after tf.keras had been used; tf.keras stays {chosen}"
        step = "set it before TensorFlow is imported, or do without: optreg.legacy needs no such variable"
        yield Finding("problem", LEGACY_KERAS, text, step)
    elif wanted is not None and wanted not in (*_ON, "", "0", "false", "False"):
        text = f"TensorFlow understands 1, true and True; {wanted!r} does nothing"
        yield Finding("problem", LEGACY_KERAS, text, f"set {LEGACY_KERAS}=1, or unset it")
    elif wanted in _ON:
        text = "tf.keras is tf_keras; optreg.legacy serves the optimizers of Keras 2.9 without it"
        yield Finding("note", LEGACY_KERAS, text)


def _chosen_keras() -> str:
    """Return which package an imported TensorFlow has chosen for ``tf.keras``; empty while it has not."""
    tensorflow = sys.modules.get("tensorflow")
    # Read from dictionaries: asked for as an attribute, TensorFlow's lazy loader would choose now.
    keras = vars(vars(tensorflow).get("keras")) if tensorflow and "keras" in vars(tensorflow) else {}
    if "_tfll_name" in keras:  # still the loader; once used, the module itself takes its place
        chosen = keras.get("_tfll_keras_version") or ""
        return str(chosen).partition("_3")[0].partition("_2")[0]
    return str(keras.get("__name__", "")).partition(".")[0]


def _copies(path: Sequence[str]) -> Iterator[Finding]:
    for distribution in distributions(path, group_prefix=GROUP_PREFIX):
        for version, place in distribution.others:
            text = (
                f"{distribution.name} {version} in {place} is hidden by {distribution.version} in {distribution.place}"
            )
            step = f"pip uninstall {distribution.name} until none is left, then install it once"
            yield Finding("note", distribution.name, text, step)


def _cache(environment: Mapping[str, str]) -> Iterator[Finding]:
    folder = cache_folder(environment)
    existing = folder
    while existing and not os.path.exists(existing):
        existing = os.path.dirname(existing)
    if folder and existing and not (os.path.isdir(existing) and os.access(existing, os.W_OK)):
        text = f"{folder} cannot be written, so that every listing reads the sources of all plugins again"
        yield Finding("note", "cache", text, f"set {FOLDER} to a folder of yours")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _file(path: str) -> str:
    return f"{path}{'' if os.path.isfile(path) else ' (not there)'}" if path else "none"
