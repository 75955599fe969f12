"""Everything that optreg ships conforms, and so do the sound optimizers that the mutants are made from."""

from __future__ import annotations

from typing import Any

import optreg
from optreg.conformance import parametrize_with_checks

from .mutants.sound import Sound, SoundDecaying, SoundDense, SoundExact

BUILT_INS = optreg.list_optimizers(distribution="optreg")


@parametrize_with_checks(BUILT_INS)
def test_built_in(optimizer: str, check: Any) -> None:
    check(optimizer)


@parametrize_with_checks([Sound, SoundDense])
def test_sound(optimizer: type, check: Any) -> None:
    check(optimizer)


@parametrize_with_checks([SoundExact, SoundDecaying], groups=["sparse"])
def test_sound_with_other_sparse_rows(optimizer: type, check: Any) -> None:
    check(optimizer)
