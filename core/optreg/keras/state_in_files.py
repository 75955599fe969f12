"""The state of a wrapped optimizer on its way into files and out of them, where it waits for its variables.

Variables come with the first step, and a file may be read before. What it holds then waits, through further files too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidState
from optreg.keras.placing import Placing
from optreg.keras.saved_state import WAY_OUT, SavedState, State
from optreg.keras.skipping import mismatches_are_skipped
from optreg.keras.trained_variables import TrainedVariables, by_key
from optreg.optimizer.distribution import where_replicas_meet
from optreg.optimizer.state.paths import array


@dataclass(frozen=True)
class _Waiting:
    """State that waits for its variables, and how the optimizer was before its numbers were set."""

    saved: SavedState | list[Any]
    before: State
    may_be_skipped: bool


class StateInFiles:
    """The state of an optimizer as Keras saves it.

    An object, so that Keras does not track what is in it.

    Args:
        optimizer: The wrapped optimizer.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self._trained = TrainedVariables()
        self._placing = Placing(optimizer, self._trained)
        self._waiting: _Waiting | None = None
        self._of_absent: SavedState | None = None
        self._guard: _Guard | None = None

    def copied_for(self, optimizer: Any) -> StateInFiles:
        """Return what a copy of the optimizer starts from: no variables, and the state that waits for them."""
        copied = StateInFiles(optimizer)
        copied._waiting, copied._of_absent = self._waiting, self._of_absent
        return copied

    # Variables

    @property
    def variables(self) -> list[Any]:
        """The variables that the optimizer was given, in the order of the model where it is known."""
        return self._trained.all

    def named_variables(self) -> dict[str, Any]:
        """Return the variables of the optimizer by the names that their values have in files."""
        return self._placing.named_variables()

    def learn(self, variables: Any) -> None:
        """Take note of variables about to be trained; one that a file held slots for gets them."""
        given = by_key(variables)
        if self._of_absent is not None and not self._trained.knows(given):
            where_replicas_meet(lambda: self._give_to(self._trained.admit(given)))
        else:
            self._trained.admit(given)

    def _give_to(self, variables: list[Any]) -> None:
        if variables and self._of_absent is not None:
            self._of_absent = self._placing.give(variables, self._of_absent)

    def _learn_owned(self) -> None:
        """Take note of variables that have slots and did not come through the model."""
        self.learn([variable for variable, _ in self.optimizer._owned_slots()])

    # Writing

    def write(self, store: Any) -> None:
        """Write the state into a store of Keras, with what waits.

        Raises:
            InvalidState: Two variables without a place in the model have one name, or values without names wait.
        """
        self._learn_owned()
        if self.optimizer._awaits_checkpoint():
            self.optimizer.build(self.variables)
        present = self._placing.present()
        waiting = [] if self._of_absent is None else [self._of_absent]
        if self._waiting is not None:
            if not isinstance(self._waiting.saved, SavedState):
                raise self._would_be_lost()
            waiting.insert(0, self._waiting.saved)
            weights = {**present.state["weights"], **self._waiting.saved.state.get("weights", {})}
            present = replace(present, state={**present.state, "weights": weights})
        present.with_slots_of(waiting).write(store)

    def require_placed(self) -> None:
        """Refuse what would lose state that waits for its variables.

        Raises:
            InvalidState: Some does.
        """
        if self.waits:
            raise self._would_be_lost()

    def guard(self) -> dict[str, Any]:
        """Return what a checkpoint of TensorFlow has to track so that writing it calls ``require_placed``."""
        if self.waits and self._guard is None:
            self._guard = _Guard(self.require_placed)
        return {"state_that_waits": self._guard} if self.waits else {}

    def _would_be_lost(self) -> InvalidState:
        return InvalidState(
            f"{self._placing.class_name}: the state that was loaded waits for the variables of the model and would be "
            "lost: call optimizer.build(model.trainable_variables) first"
        )

    # Reading

    def read(self, store: Any) -> None:
        """Read the state from a store of Keras; what belongs to variables waits until they are known.

        Raises:
            InvalidState: It is the state of another optimizer or of other variables, and nothing was changed.
        """
        saved = SavedState.in_store(store)
        with tf.init_scope():
            self._placing.require_same_optimizer(saved)
            self.take(saved)

    def take(self, saved: SavedState | list[Any]) -> None:
        """Set what a file held, or values in the order of ``named_variables``, now or when variables are known.

        Raises:
            InvalidState: It does not fit, and nothing was changed.
        """
        if self._trained:
            self._place(saved, steps_made=int(array(self.optimizer.iterations)))
            return
        before = {name: self.optimizer.state_dict()[name] for name in ("iterations", "hyperparameters")}
        if isinstance(saved, SavedState):
            self._placing.set_numbers(saved.state)
        self._waiting = _Waiting(saved, before, may_be_skipped=mismatches_are_skipped())

    @property
    def waits(self) -> bool:
        """Whether there is state that waits for variables."""
        return self._waiting is not None

    def settle(self) -> None:
        """Give state that waited to the variables, which are known now and built.

        Raises:
            InvalidState: It does not fit, and the optimizer is as before the file was read.
        """
        waiting = self._waiting
        if waiting is not None:
            where_replicas_meet(lambda: self._settle(waiting))

    def _settle(self, waiting: _Waiting) -> None:
        self._waiting = None
        try:
            self._place(waiting.saved, steps_made=int(waiting.before["iterations"]))
        except InvalidState as error:
            self._placing.set_numbers(waiting.before)
            if not waiting.may_be_skipped:
                raise
            why = str(error).removesuffix(f" {WAY_OUT}")
            warnings.warn(f"skip_mismatch=True, so the optimizer starts anew. {why}", stacklevel=2)

    def _place(self, saved: SavedState | list[Any], *, steps_made: int) -> None:
        self._learn_owned()
        if isinstance(saved, SavedState):
            self._of_absent = self._placing.place(saved, steps_made=steps_made)
        else:
            self._placing.place_values(saved)


class _Guard(tf.Module):  # type: ignore[misc]
    """Something tracked that lets a function object when it is about to be saved."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self._check = check

    def _serialize_to_tensors(self) -> dict[str, Any]:
        self._check()
        return {}
