from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import optreg
from optreg.bench.memory.declared import compare_state
from optreg.bench.subjects import Keras3, LegacyContract, bytes_by_slot

VALUES = [np.ones((3, 4), np.float32), np.ones(5, np.float32)]
PARAMETERS = 17


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (lambda: optreg.get_optimizer("adam"), {"m": 4, "v": 4}),
        (lambda: optreg.get_optimizer("adam", amsgrad=True), {"m": 4, "v": 4, "vhat": 4}),
        (lambda: optreg.get_optimizer("sgd"), {}),
        (lambda: optreg.get_optimizer("sgd", momentum=0.9), {"momentum": 4}),
        (tf_keras.optimizers.legacy.Adam, {"m": 4, "v": 4}),
    ],
)
def test_the_slots_of_the_contract_are_measured_in_bytes(optimizer: Any, slots: dict[str, int]) -> None:
    subject = LegacyContract(optimizer())
    subject.build(VALUES)
    assert bytes_by_slot(subject.state()) == {name: size * PARAMETERS for name, size in slots.items()}


def test_the_state_of_keras_is_measured_without_its_counters() -> None:
    subject = Keras3(keras.optimizers.Adam())
    subject.build(VALUES)
    assert bytes_by_slot(subject.state()) == {"momentum": 4 * PARAMETERS, "velocity": 4 * PARAMETERS}


def test_the_variables_of_a_keras_subject_are_the_ones_that_it_updates() -> None:
    subject = Keras3(keras.optimizers.SGD(0.5))
    subject.build(VALUES)
    subject.step([tf.ones((3, 4)), tf.ones(5)])
    np.testing.assert_allclose(subject.variables[1].numpy(), 0.5)


@pytest.mark.parametrize(("name", "settings"), [("adam", {}), ("adam", {"amsgrad": True}), ("sgd", {"momentum": 0.9})])
def test_the_cards_of_the_built_in_optimizers_declare_what_is_measured(name: str, settings: dict[str, Any]) -> None:
    subject = LegacyContract(optreg.get_optimizer(name, **settings))
    subject.build(VALUES)
    card = optreg.optimizer_info(name).card
    slots = compare_state(subject.state(), subject.variables, card=card, hyperparameters=settings)
    assert slots
    assert [slot.measured for slot in slots] == [slot.declared for slot in slots]


@pytest.mark.usefixtures("misbehaving")
def test_a_slot_of_another_size_than_declared_is_found() -> None:
    subject = LegacyContract(optreg.get_optimizer("hoarding"))
    subject.build(VALUES)
    card = optreg.optimizer_info("hoarding").card
    (slot,) = compare_state(subject.state(), subject.variables, card=card, hyperparameters={})
    assert (slot.name, slot.measured, slot.declared) == ("hoard", 4 * PARAMETERS, 2 * 4)


def test_a_declared_slot_that_does_not_exist_is_found() -> None:
    card = optreg.optimizer_info("adam").card
    slots = compare_state([], [tf.Variable([1.0, 2.0])], card=card, hyperparameters={})
    assert {slot.name: (slot.measured, slot.declared) for slot in slots} == {"m": (0, 8), "v": (0, 8)}
