"""Everything that optreg ships conforms, and so do the sound optimizers that the mutants are made from."""

from __future__ import annotations

from typing import Any

import pytest

import optreg
from optreg.conformance import parametrize_with_checks

from .ledgers import recorded
from .mutants.sound import Sound, SoundDecaying, SoundDense, SoundExact

BUILT_INS = optreg.list_optimizers(distribution="optreg")
RECORDED = recorded()
CASES = [
    case
    for name in BUILT_INS
    for case in parametrize_with_checks([name], baseline=RECORDED.get(name, {"ran": ()})["ran"]).mark.args[1]
]


@pytest.mark.parametrize(("optimizer", "check"), CASES)
def test_built_in(optimizer: str, check: Any) -> None:
    check(optimizer)


@parametrize_with_checks(["adam", "sgd"], groups=["tf_keras"])
def test_built_in_in_tf_keras(optimizer: str, check: Any) -> None:
    check(optimizer)


@parametrize_with_checks([Sound, SoundDense])
def test_sound(optimizer: type, check: Any) -> None:
    check(optimizer)


@parametrize_with_checks([SoundExact, SoundDecaying], groups=["sparse"])
def test_sound_with_other_sparse_rows(optimizer: type, check: Any) -> None:
    check(optimizer)
