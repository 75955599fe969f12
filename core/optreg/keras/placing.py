"""State from a file goes to the variables of an optimizer: all of it, or an error and nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from optreg.errors import InvalidState, listing
from optreg.keras.saved_state import WAY_OUT, SavedState, State, key_of, nested
from optreg.keras.trained_variables import TrainedVariables, is_overwritten
from optreg.keras.variable_names import matched, of_one_name
from optreg.optimizer.distribution import shared_name
from optreg.optimizer.hyperparameters import is_schedule
from optreg.optimizer.state.dictionary import is_number
from optreg.optimizer.state.paths import Path, StateReport, array, fits, flat, indexed


@dataclass(frozen=True)
class Placing:
    """An optimizer and the variables that it trains.

    Args:
        optimizer: The wrapped optimizer.
        trained: The variables.
    """

    optimizer: Any
    trained: TrainedVariables

    def require_same_optimizer(self, saved: SavedState) -> None:
        """Refuse what is known not to fit, before variables are known.

        Raises:
            InvalidState: The state of another class, or with other hyperparameters.
        """
        own = self.class_name
        same = saved.optimizer == own
        kinds = ("hyperparameters",) if same or not self.trained else ("hyperparameters", "slots")
        expected = [path for path in self._paths(*kinds) if path[1] not in saved.functions]
        given = [path for path in flat(saved.state) if path[0] in kinds]
        report = StateReport(
            missing=tuple(indexed(path) for path in expected if path not in given),
            unexpected=tuple(indexed(path) for path in given if path not in expected),
        )
        if report or not same:
            why = "the state does not fit" if same else f"the file holds the state of {saved.optimizer}"
            raise InvalidState(f"{own}: {why}, and nothing was changed. {report}. {WAY_OUT}")

    def place(self, saved: SavedState, *, steps_made: int) -> SavedState | None:
        """Set all state; variables that the file does not know start anew.

        Args:
            saved: What a file holds.
            steps_made: Number of steps that the optimizer has made.

        Returns:
            The slots of variables that are not here, or None.

        Raises:
            InvalidState: It does not fit, and nothing was changed.
        """
        in_order = saved.in_order and self.trained.in_order
        own = self.trained.names
        pairs = matched(own, saved.names, in_order=in_order, fits=lambda ours, theirs: self._fits(ours, saved, theirs))
        if pairs is None:
            raise self._misfit(own, saved)
        known = {int(position): variable for position, variable in self.trained.by_position().items()}
        given = {str(theirs): known[ours] for ours, theirs in pairs.items() if ours in known}
        new = {f"new {ours}": variable for ours, variable in known.items() if ours not in pairs}
        slots = {place: values for place, values in saved.state.get("slots", {}).items() if place in given}
        with tf.init_scope():  # a step may be being traced, which shall not hold the saved values
            state = {**saved.state, "slots": {**slots, **self._initial_slots(new, steps_made)}}
            state["hyperparameters"] = {**self._present(saved.functions), **saved.state.get("hyperparameters", {})}
            self._load(state, {**given, **new})
        return saved.without(list(pairs.values()))

    def place_values(self, values: Sequence[Any]) -> None:
        """Set all state to values in the order of ``named_variables``.

        Raises:
            InvalidState: They do not fit, and nothing was changed.
        """
        names = list(self.named_variables())
        if len(values) != len(names):
            raise InvalidState(f"{self.optimizer!r} has {len(names)} variables and received {len(values)} values")
        with tf.init_scope():
            self._load(nested(dict(zip(names, values, strict=True))), self.trained.by_position())

    def give(self, variables: Sequence[Any], saved: SavedState) -> SavedState | None:
        """Give slots of variables that were not there when the file was read to those that came; return the rest.

        Raises:
            InvalidState: They do not fit, and nothing was changed.
        """
        pairs = of_one_name([shared_name(variable) for variable in variables], saved.names)
        named = {str(theirs): variables[ours] for ours, theirs in pairs.items()}
        slots = {str(theirs): saved.slots_at(theirs) for theirs in pairs.values()}
        with tf.init_scope():
            report = self.optimizer.load_state_dict({"slots": slots}, named, strict=False)
        if report.misshapen or report.unexpected:
            raise InvalidState(f"the slots in the file do not fit the variables that came: {report}. {WAY_OUT}")
        return saved.without(list(pairs.values()))

    def set_numbers(self, state: Mapping[str, Any]) -> None:
        """Set the counter and the hyperparameters, which exist before any variable is known, as far as they fit."""
        numbers = {name: state[name] for name in ("iterations", "hyperparameters") if name in state}
        with tf.init_scope():
            self.optimizer.load_state_dict(numbers, strict=False)

    def present(self) -> SavedState:
        """Return the state as a file holds it."""
        positions = self.trained.by_position()
        state = self.optimizer.state_dict(positions)
        others = [name for name in state["slots"] if name not in positions]
        keys = [*map(str, range(len(self.trained))), *others]
        state["slots"] = {str(at): state["slots"][key] for at, key in enumerate(keys) if state["slots"].get(key)}
        in_order = self.trained.in_order and not others
        return SavedState(self.class_name, (*self.trained.names, *others), in_order, self._functions(), state)

    def named_variables(self) -> dict[str, Any]:
        """Return the variables of the optimizer by the names that their values have in files."""
        found = self.optimizer._by_path(self.trained.by_position())
        return {key_of(path): variable for path, variable in found.items() if isinstance(variable, tf.Variable)}

    @property
    def class_name(self) -> str:
        """What a file calls the optimizer."""
        return type(self.optimizer).__name__

    def _load(self, state: State, named: Mapping[str, Any]) -> None:
        try:
            self.optimizer.load_state_dict(state, named)
        except InvalidState as error:
            why = str(error).partition(" To load what fits: ")[0]
            raise InvalidState(
                f"{why} The file holds the state of another optimizer or of other variables. {WAY_OUT}"
            ) from None

    def _fits(self, ours: int, saved: SavedState, theirs: int) -> bool:
        """Whether the slots of a variable in the file have the shapes of one that is here."""
        given = saved.slots_at(theirs)
        if is_overwritten(self.trained.all[ours]):
            return not given
        slots = self.optimizer._slot_table.of(self.trained.all[ours])
        return all(name not in slots or fits(value, slots[name]) for name, value in given.items())

    def _initial_slots(self, variables: Mapping[str, Any], steps_made: int) -> State:
        """Return the slots of variables as they are before the first step."""
        if not variables:
            return {}
        anew = self.optimizer if steps_made == 0 else type(self.optimizer).from_config(self.optimizer.get_config())
        anew.build(list(variables.values()))
        slots: State = anew.state_dict(variables)["slots"]
        return {name: slots[name] for name in variables if name in slots}

    def _present(self, names: Sequence[str]) -> State:
        """Return the hyperparameters of these names that are numbers here."""
        values = self.optimizer._hyperparameters.values
        return {name: array(values[name]) for name in names if name in values and is_number(values[name])}

    def _functions(self) -> tuple[str, ...]:
        """Return the hyperparameters that are functions."""
        values = self.optimizer._hyperparameters.values.items()
        return tuple(name for name, value in values if not is_number(value) and not is_schedule(value))

    def _paths(self, *kinds: str) -> list[Path]:
        """Return the paths of all values of these kinds that the optimizer has."""
        numbers = [("hyperparameters", n) for n, v in self.optimizer._hyperparameters.values.items() if is_number(v)]
        slots = [path for path in self.optimizer._by_path(self.trained.by_position()) if path[0] == "slots"]
        return [path for path in [*numbers, *slots] if path[0] in kinds]

    def _misfit(self, own: Sequence[str], saved: SavedState) -> InvalidState:
        report = StateReport(
            missing=tuple(indexed(("slots", own[int(place)], name)) for _, place, name in self._paths("slots")),
            unexpected=tuple(
                indexed(("slots", variable, name))
                for place, variable in enumerate(saved.names)
                for name in saved.slots_at(place)
            ),
        )
        return InvalidState(
            f"{self.class_name}: the state does not fit, and nothing was changed. {report}. The file holds "
            f"state for {len(saved.names)} variables, {listing(saved.names)}, and this optimizer trains {len(own)}, "
            f"{listing(own)}; neither names nor number say which is which. Train the same layers, or give them the "
            f"names that they have in the file. {WAY_OUT}"
        )
