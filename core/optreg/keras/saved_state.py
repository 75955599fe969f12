"""The state of a wrapped optimizer in ``.keras`` and ``.weights.h5`` files: what ``state_dict`` returns, laid flat.

``slots:0:m`` is the slot ``m`` of the first variable. A table beside the values holds the class of the optimizer and
the names of the variables, which ``variable_names.py`` compares. Keras itself counts the variables of an optimizer, so
that the state of one can be read into another; here what does not fit is an error.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import tensorflow as tf

from optreg.errors import InvalidState, listing
from optreg.keras.skipping import mismatches_are_skipped
from optreg.keras.variable_names import matched, of_one_name
from optreg.optimizer.distribution import shared_name, variable_key, where_replicas_meet
from optreg.optimizer.hyperparameters import is_schedule
from optreg.optimizer.state.dictionary import is_number
from optreg.optimizer.state.paths import Path, StateReport, array, fits, flat, indexed

State = dict[str, Any]
"""What ``Optimizer.state_dict`` returns."""

_TABLE = "about"
_WAY_OUT = (
    "Wrap the optimizer that was saved; or, to start this one anew, load the weights before compile() or with "
    "skip_mismatch=True"
)


@dataclass(frozen=True)
class SavedState:
    """What a file holds.

    Args:
        optimizer: Name of the class.
        names: Names of the variables.
        in_order: Whether that is their order in the model.
        functions: Hyperparameters that were functions, which a configuration holds as the number they returned.
        state: The state, its slots under the positions of the variables among ``names``.
    """

    optimizer: str
    names: tuple[str, ...]
    in_order: bool
    functions: tuple[str, ...]
    state: State

    def without(self, positions: Sequence[int]) -> SavedState | None:
        """Return the slots of all variables but these, or None where nothing is left."""
        left = [p for p in range(len(self.names)) if p not in positions and str(p) in self.state.get("slots", {})]
        slots = {str(new): self.state["slots"][str(old)] for new, old in enumerate(left)}
        names = tuple(self.names[position] for position in left)
        return SavedState(self.optimizer, names, False, (), {"slots": slots}) if left else None


@dataclass(frozen=True)
class _Waiting:
    """State that waits for its variables, and how the optimizer was before its numbers were set."""

    saved: SavedState | list[Any]
    before: State
    may_be_skipped: bool


@dataclass
class StateInFiles:
    """The state of an optimizer as Keras saves it, which belongs to variables that come with the first step.

    An object, so that Keras does not track what is in it.

    Args:
        optimizer: The wrapped optimizer.
    """

    optimizer: Any
    variables: list[Any] = field(default_factory=list)
    """Those seen so far. Also those without gradient, because a model that is loaded starts from all of them."""

    _keys: set[str] = field(default_factory=set)
    _in_order: bool = False
    _waiting: _Waiting | None = None
    _of_absent: SavedState | None = None
    _guard: _Guard | None = None

    # Variables

    def learn(self, variables: Any) -> None:
        """Take note of variables about to be trained. A function, which ``minimize`` takes too, is not called.

        Where new ones come together with all others, theirs is the order from now on: layers that are trained later
        stand where the model has them. One that a file held slots for gets them.
        """
        given: dict[str, Any] = {}
        for variable in () if callable(variables) else tf.nest.flatten(variables):
            given.setdefault(variable_key(variable), variable)
        if self._of_absent is not None and not self._keys.issuperset(given):
            where_replicas_meet(lambda: self._admit(given))
        else:
            self._admit(given)

    def _admit(self, given: Mapping[str, Any]) -> None:
        new = [variable for key, variable in given.items() if key not in self._keys]
        self._keys.update(given)
        self.variables.extend(new)
        if new:
            self._in_order = len(given) == len(self.variables)
            if self._in_order:
                self.variables = list(given.values())
        if new and self._of_absent is not None:
            self._give_to(new, self._of_absent)

    def _learn_owned(self) -> None:
        """Take note of variables that have slots and did not come through the model."""
        self.learn([variable for variable, _ in self.optimizer._owned_slots()])

    def by_position(self) -> dict[str, Any]:
        """Return ``{"0": variable, ...}`` for those that an optimizer keeps state for."""
        return {str(position): v for position, v in enumerate(self.variables) if not is_overwritten(v)}

    def by_name_in_files(self) -> dict[str, Any]:
        """Return the variables of the optimizer by the names that their values have in files."""
        found = self.optimizer._by_path(self.by_position())
        return {_key(path): variable for path, variable in found.items() if isinstance(variable, tf.Variable)}

    def copied_for(self, optimizer: Any) -> StateInFiles:
        """Return what a copy of the optimizer starts from: no variables, and the state that waits for them."""
        return StateInFiles(optimizer, _waiting=self._waiting, _of_absent=self._of_absent)

    # Writing

    def write(self, store: Any) -> None:
        """Write the state into a store of Keras, with what waits; bfloat16, which files cannot hold, as float32.

        Raises:
            InvalidState: Two variables without a place in the model have one name, or values without names wait.
        """
        self._learn_owned()
        if self.optimizer._awaits_checkpoint():
            self.optimizer.build(self.variables)
        positions = self.by_position()
        state = self.optimizer.state_dict(positions)
        names = [shared_name(variable) for variable in self.variables]
        others = [name for name in state["slots"] if name not in positions]
        slots = [state["slots"].get(str(position), {}) for position in range(len(self.variables))]
        slots += [state["slots"][name] for name in others]
        names += others
        for saved in self._states_that_wait():
            names += saved.names
            slots += [saved.state.get("slots", {}).get(str(p), {}) for p in range(len(saved.names))]
        state["slots"] = {str(position): own for position, own in enumerate(slots) if own}
        if self._waiting is not None:
            state["weights"] = {**state["weights"], **self._states_that_wait()[0].state.get("weights", {})}
        table = {
            "optimizer": _class_name(self.optimizer),
            "variables": names,
            "in_order": self._in_order and len(names) == len(self.variables),
            "functions": self._functions(),
        }
        store[_TABLE] = np.frombuffer(json.dumps(table).encode(), np.uint8)
        for path, value in flat(state).items():
            store[_key(path)] = value.astype(np.float32) if value.dtype == tf.bfloat16.as_numpy_dtype else value

    def require_placed(self) -> None:
        """Refuse what would lose state that waits for its variables.

        Raises:
            InvalidState: Some does.
        """
        if self._waiting is not None:
            raise InvalidState(
                f"{_class_name(self.optimizer)}: the state that was loaded waits for the variables of the model and "
                "would be lost: call optimizer.build(model.trainable_variables) first"
            )

    def guard(self) -> dict[str, Any]:
        """Return what a checkpoint of TensorFlow has to track so that writing it calls ``require_placed``."""
        if self.waits and self._guard is None:
            self._guard = _Guard(self.require_placed)
        return {"state_that_waits": self._guard} if self.waits else {}

    def _states_that_wait(self) -> list[SavedState]:
        waiting = [self._waiting.saved] if self._waiting is not None else []
        if any(isinstance(saved, list) for saved in waiting):
            self.require_placed()
        return [*waiting, *([self._of_absent] if self._of_absent is not None else [])]  # type: ignore[list-item]

    def _functions(self) -> list[str]:
        values = self.optimizer._hyperparameters.values.items()
        return [
            name
            for name, value in values
            if callable(value) and not isinstance(value, tf.Variable) and not is_schedule(value)
        ]

    # Reading

    def read(self, store: Any) -> None:
        """Read the state from a store of Keras; what belongs to variables waits until they are known.

        Raises:
            InvalidState: It is the state of another optimizer or of other variables, and nothing was changed.
        """
        values = {name: np.asarray(store[name]) for name in store.keys()}  # noqa: SIM118 - stores are no dictionaries
        table = _table_of(values.pop(_TABLE, None))
        state = nested(values)
        if table is None:
            raise InvalidState(f"the file holds no state that an optimizer of optreg wrote. {_WAY_OUT}")
        saved = SavedState(
            table["optimizer"], tuple(table["variables"]), table["in_order"], tuple(table["functions"]), state
        )
        with tf.init_scope():
            self._require_same_optimizer(saved)
            self.take(saved)

    def take(self, saved: SavedState | list[Any]) -> None:
        """Set what a file held, or values in the order of ``by_name_in_files``, now or when variables are known.

        Raises:
            InvalidState: It does not fit, and nothing was changed.
        """
        if self.variables:
            self._place(saved, steps_made=int(array(self.optimizer.iterations)))
            return
        before = {name: self.optimizer.state_dict()[name] for name in ("iterations", "hyperparameters")}
        if isinstance(saved, SavedState):
            self._set_numbers(saved.state)
        self._waiting = _Waiting(saved, before, may_be_skipped=mismatches_are_skipped())

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
            with tf.init_scope():
                self._set_numbers(waiting.before)
            if not waiting.may_be_skipped:
                raise
            why = str(error).removesuffix(f" {_WAY_OUT}")
            warnings.warn(f"skip_mismatch=True, so the optimizer starts anew. {why}", stacklevel=2)

    @property
    def waits(self) -> bool:
        """Whether there is state that waits for variables."""
        return self._waiting is not None

    def _place(self, saved: SavedState | list[Any], *, steps_made: int) -> None:
        """Set all state, or none; variables that the file does not know start anew."""
        self._learn_owned()
        if isinstance(saved, list):
            self._load(self._named(saved), self.by_position())
            return
        own = [shared_name(variable) for variable in self.variables]
        in_order = saved.in_order and self._in_order
        pairs = matched(own, saved.names, in_order=in_order, fits=lambda ours, theirs: self._fits(ours, saved, theirs))
        if pairs is None:
            raise self._misfit(own, saved)
        known = {int(position): variable for position, variable in self.by_position().items()}
        given = {str(theirs): known[ours] for ours, theirs in pairs.items() if ours in known}
        new = {f"new {ours}": variable for ours, variable in known.items() if ours not in pairs}
        slots = {place: own for place, own in saved.state.get("slots", {}).items() if place in given}
        with tf.init_scope():  # a step may be being traced, which shall not hold the saved values
            state = {**saved.state, "slots": {**slots, **self._initial_slots(new, steps_made)}}
            state["hyperparameters"] = {**self._present(saved.functions), **saved.state.get("hyperparameters", {})}
            self._load(state, {**given, **new})
        self._of_absent = saved.without(list(pairs.values()))

    def _fits(self, ours: int, saved: SavedState, theirs: int) -> bool:
        """Whether the slots of a variable in the file have the shapes of one that is here."""
        slots = self.optimizer._slot_table.of(self.variables[ours])
        given = saved.state.get("slots", {}).get(str(theirs), {})
        return all(name not in slots or fits(value, slots[name]) for name, value in given.items())

    def _give_to(self, variables: Sequence[Any], saved: SavedState) -> None:
        """Give slots of variables that were not there when the file was read to those that came."""
        pairs = of_one_name([shared_name(variable) for variable in variables], saved.names)
        named = {str(theirs): variables[ours] for ours, theirs in pairs.items()}
        slots = {place: saved.state["slots"][place] for place in named}
        with tf.init_scope():
            report = self.optimizer.load_state_dict({"slots": slots}, named, strict=False)
        if report.misshapen or report.unexpected:
            raise InvalidState(f"the slots in the file do not fit the variables that came: {report}. {_WAY_OUT}")
        self._of_absent = saved.without(list(pairs.values()))

    def _load(self, state: State, named: Mapping[str, Any]) -> None:
        with tf.init_scope():
            try:
                self.optimizer.load_state_dict(state, named)
            except InvalidState as error:
                why = str(error).partition(" To load what fits: ")[0]
                raise InvalidState(
                    f"{why} The file holds the state of another optimizer or of other variables. {_WAY_OUT}"
                ) from None

    def _set_numbers(self, state: State) -> None:
        """Set the counter and the hyperparameters, which exist before any variable is known, as far as they fit."""
        numbers = {name: state[name] for name in ("iterations", "hyperparameters") if name in state}
        self.optimizer.load_state_dict(numbers, strict=False)

    def _named(self, values: list[Any]) -> State:
        names = list(self.by_name_in_files())
        if len(values) != len(names):
            raise InvalidState(f"{self.optimizer!r} has {len(names)} variables and received {len(values)} values")
        return nested(dict(zip(names, values, strict=True)))

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

    def _paths(self, *kinds: str) -> list[Path]:
        """Return the paths of all values of these kinds that the optimizer has."""
        numbers = [("hyperparameters", n) for n, v in self.optimizer._hyperparameters.values.items() if is_number(v)]
        slots = [path for path in self.optimizer._by_path(self.by_position()) if path[0] == "slots"]
        return [path for path in [*numbers, *slots] if path[0] in kinds]

    def _require_same_optimizer(self, saved: SavedState) -> None:
        """Refuse what is known not to fit, before variables are known."""
        own = _class_name(self.optimizer)
        same = saved.optimizer == own
        kinds = ("hyperparameters",) if same or not self.variables else ("hyperparameters", "slots")
        expected = [path for path in self._paths(*kinds) if path[1] not in saved.functions]
        given = [path for path in flat(saved.state) if path[0] in kinds]
        report = StateReport(
            missing=tuple(indexed(path) for path in expected if path not in given),
            unexpected=tuple(indexed(path) for path in given if path not in expected),
        )
        if report or not same:
            why = "the state does not fit" if same else f"the file holds the state of {saved.optimizer}"
            raise InvalidState(f"{own}: {why}, and nothing was changed. {report}. {_WAY_OUT}")

    def _misfit(self, own: Sequence[str], saved: SavedState) -> InvalidState:
        report = StateReport(
            missing=tuple(indexed(("slots", own[int(place)], name)) for _, place, name in self._paths("slots")),
            unexpected=tuple(
                indexed(("slots", saved.names[int(place)], name))
                for place, slots in saved.state.get("slots", {}).items()
                for name in slots
            ),
        )
        return InvalidState(
            f"{_class_name(self.optimizer)}: the state does not fit, and nothing was changed. {report}. The file holds "
            f"state for {len(saved.names)} variables, {listing(saved.names)}, and this optimizer trains {len(own)}, "
            f"{listing(own)}; neither names nor number say which is which. Train the same layers, or give them the "
            f"names that they have in the file. {_WAY_OUT}"
        )


class _Guard(tf.Module):  # type: ignore[misc]
    """Something tracked that lets a function object when it is about to be saved."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self._check = check

    def _serialize_to_tensors(self) -> dict[str, Any]:
        self._check()
        return {}


def nested(values: Mapping[str, Any]) -> State:
    """Return the state whose values are given by their names in files."""
    state: State = {}
    for name, value in values.items():
        *outer, last = (unquote(part) for part in name.split(":"))
        level = state
        for key in outer:
            level = level.setdefault(key, {})
        level[last] = value
    return state


def _table_of(value: Any) -> Any | None:
    """Return the table of a file, or None where it is none of ours."""
    try:
        table = json.loads(value.tobytes())
    except (AttributeError, ValueError):
        return None
    return (
        table if isinstance(table, dict) and {"optimizer", "variables", "in_order", "functions"} <= set(table) else None
    )


def is_overwritten(variable: Any) -> bool:
    """Whether a variable is replaced by what comes as its gradient, as 8-bit layers want it; it has no state."""
    return bool(getattr(variable, "overwrite_with_gradient", False))


def _class_name(optimizer: Any) -> str:
    return type(optimizer).__name__


def _key(path: Sequence[str]) -> str:
    return ":".join(quote(part, safe=" ") for part in path)  # a slash would make a folder in the file
