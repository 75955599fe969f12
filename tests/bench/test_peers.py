from __future__ import annotations

import sys

import keras
import pytest
import tf_keras

from optreg.bench.contenders import contenders
from optreg.bench.peers import LIBRARIES, PeerUnavailable, UnknownPeer, find_library, find_peer
from optreg.bench.selection import Choice
from optreg.errors import UnknownHyperparameter, UnknownOptimizer


def test_the_peer_gets_the_hyperparameters_that_both_take() -> None:
    peer = find_peer(LIBRARIES["tf_keras"], "SGD", {"name": "SGD", "learning_rate": 0.3, "momentum": 0.5, "decay": 0.0})
    made = peer.make().optimizer  # type: ignore[attr-defined]
    assert isinstance(made, tf_keras.optimizers.legacy.SGD)
    assert (float(made.learning_rate), made._get_hyper("momentum")) == (pytest.approx(0.3), 0.5)
    assert peer.notes == ()


def test_what_the_peer_does_not_take_is_noted() -> None:
    peer = find_peer(LIBRARIES["keras"], "Adam", {"learning_rate": 0.1, "decay": 0.01})
    assert isinstance(peer.make().optimizer, keras.optimizers.Adam)  # type: ignore[attr-defined]
    assert peer.notes == ("keras Adam runs without decay=0.01",)


def test_a_library_without_the_optimizer_is_a_note_and_not_an_error() -> None:
    with pytest.raises(PeerUnavailable, match="keras has no optimizer Yogi"):
        find_peer(LIBRARIES["keras"], "Yogi", {})


def test_a_library_that_is_not_installed_is_a_note_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf_keras.optimizers.legacy", None)
    found, notes = contenders(Choice("adam"), [LIBRARIES["tf_keras"]])
    assert [contender.implementation for contender in found] == ["optreg"]
    assert len(notes) == 1
    assert notes[0].startswith("tf_keras cannot be imported (")
    assert notes[0].endswith("pip install tf_keras")


def test_keras_on_another_backend_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(PeerUnavailable, match="backend 'jax'; set KERAS_BACKEND=tensorflow"):
        find_peer(LIBRARIES["keras"], "Adam", {})


def test_a_misspelt_library_gets_a_suggestion() -> None:
    with pytest.raises(
        UnknownPeer, match=r"'tfkeras'; libraries: keras, optax, tf_keras, torch\. Did you mean 'tf_keras'\?"
    ):
        find_library("tfkeras")


def test_mistakes_of_the_user_are_told_before_anything_runs() -> None:
    with pytest.raises(UnknownOptimizer):
        contenders(Choice("adamm"), [])
    with pytest.raises(UnknownHyperparameter, match="momentun"):
        contenders(Choice("sgd", {"momentun": 0.9}), [])


@pytest.mark.usefixtures("misbehaving")
def test_a_plugin_that_cannot_be_constructed_is_a_broken_contender() -> None:
    (contender,), _ = contenders(Choice("refusing"), [])
    assert contender.broken is not None
    assert contender.broken.reason == "OSError: no licence server"
