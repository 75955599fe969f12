"""State keyed by the names of variables: a nested dictionary of arrays out, and strictly in again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from optreg.errors import InvalidState, WrongContext
from optreg.optimizer.distribution import parts_of, shared_name, variable_key, whole_of
from optreg.optimizer.gradients import require_variable
from optreg.optimizer.hyperparameters import is_on
from optreg.optimizer.state.copying import CopyableState
from optreg.optimizer.state.detached import Description
from optreg.optimizer.state.paths import ITERATIONS, Path, StateReport, array, assign, check_count, compare, fits, flat
from optreg.optimizer.state.saved_model import exported_state


class StateDictionary(CopyableState):
    """Part of the optimizer that gives out its state as a dictionary and takes it back."""

    _create_all_weights: Callable[[Sequence[Any]], None]
    _known_variables: set[str]
    _switch_on: Callable[[str], None]
    _switched_on: set[str]
    _iterations: Any

    def state_dict(self, var_list: Any = None) -> dict[str, Any]:
        """Return ``{"iterations", "hyperparameters", "slots", "weights"}``, nested dictionaries of arrays, all copies.

        A slot is ``["slots"][variable name][slot name]``. Hyperparameters are those that are numbers: schedules and
        functions are configuration. Slots of variables that no longer exist are left out, unless none exists any more.

        Args:
            var_list: ``{name: variable}`` for variables that shall not go by their own names, or a list of those that
                shall. Default: all by their own names.

        Raises:
            InvalidState: Two variables have one name.
            WrongContext: Inside a ``tf.function``, where variables have no values.
        """
        _require_values("state_dict")
        named = self._by_name(var_list)
        slots: dict[str, Mapping[str, Any]] = {name: self._slot_table.of(named[name]) for name in named}
        slots.update((description[0], own) for description, own in self._without_variable())
        numbers = {name: value for name, value in self._hyperparameters.values.items() if is_number(value)}
        return {
            "iterations": np.int64(0) if self._iterations is None else array(self._iterations),
            "hyperparameters": {name: array(value) for name, value in numbers.items()},
            "slots": {name: {slot_name: array(slot) for slot_name, slot in own.items()} for name, own in slots.items()},
            "weights": {name: array(weight) for name, weight in self._own_weights().items()},
        }

    def load_state_dict(self, state: Mapping[str, Any], var_list: Any = None, *, strict: bool = True) -> StateReport:
        """Set all state from what ``state_dict`` returned; slots are created where there are none yet.

        Args:
            state: The dictionary.
            var_list: The variables to load slots for: ``{name in the dictionary: variable}``, or a list of variables
                that go by their own names. Default: those that have slots.
            strict: Whether anything missing, unexpected or misshapen is an error. If not, what fits is loaded.

        Returns:
            What did not fit.

        Raises:
            InvalidState: Something did not fit, and ``strict``; or the dictionary is malformed; or two variables have
                one name. The message lists what is wrong, and everything is as it was.
            InvalidHyperparameter, HyperparameterTypeError: A hyperparameter is out of range; everything is as it was.
            WrongContext: Inside a ``tf.function``.
        """
        _require_values("load_state_dict")
        given = flat(state)
        named = self._by_name(var_list, waiting=False)
        if var_list is None and not named and any(path[0] == "slots" for path in given):
            raise InvalidState(
                f"{type(self).__name__} knows no variables yet to load slots for: pass them as var_list, or call "
                "build(var_list) first"
            )
        undo = self._snapshot()
        try:
            self._prepare_for(given, named)
            expected = self._by_path(named)
            report = self._checked(given, expected, strict=strict)
        except Exception:
            undo()
            raise
        for path, variable in expected.items():
            if path in given and fits(given[path], variable):
                assign(variable, given[path])
        return report

    def _by_name(self, var_list: Any, *, waiting: bool = True) -> dict[str, Any]:
        """Return name to variable: those given, then all others that have slots."""
        if isinstance(var_list, Mapping):
            named = {str(name): _variable(variable) for name, variable in var_list.items()}
        else:
            named = _named(tf.nest.flatten(var_list if var_list is not None else []))
        known = {variable_key(variable) for variable in named.values()}
        others = [v for v in _wholes(variable for variable, _ in self._owned_slots()) if variable_key(v) not in known]
        names = [description[0] for description, _ in self._without_variable()] if waiting else []
        return {**named, **_named(others, taken=[*named, *names])}

    def _without_variable(self) -> list[tuple[Description, Mapping[str, Any]]]:
        """Return the slots whose variable is not here, or no longer, with its description."""
        return [*self._slot_table.orphaned(), *((slots.description, slots.slots) for slots in self._detached)]

    def _by_path(self, named: Mapping[str, Any]) -> dict[Path, Any]:
        """Return path to variable for all state."""
        return {
            ITERATIONS: self._iterations,
            **{("hyperparameters", name): value for name, value in self._hyperparameter_variables().items()},
            **{
                ("slots", name, slot_name): slot
                for name, variable in named.items()
                for slot_name, slot in self._slot_table.of(variable).items()
            },
            **{("weights", name): weight for name, weight in self._own_weights().items()},
        }

    def _prepare_for(self, given: Mapping[Path, Any], named: Mapping[str, Any]) -> None:
        """Create all state that the variables need under the hyperparameters given."""
        waiting = {id(slot) for slots in self._detached for slot in slots.slots.values()}
        self._weights[:] = [weight for weight in self._weights if id(weight) not in waiting]
        self._detached = ()
        for slot in self.card.slots:
            value = given.get(("hyperparameters", slot.when or ""))
            if value is not None and value.ndim == 0 and slot.when not in self._switched_on and is_on(value):
                self._switch_on(slot.when)
        self._create_all_weights([part for variable in named.values() for part in parts_of(variable) or (variable,)])

    def _checked(self, given: Mapping[Path, Any], expected: Mapping[Path, Any], *, strict: bool) -> StateReport:
        report = compare(given, expected)
        if strict and report:
            raise InvalidState(
                f"{type(self).__name__}: the state does not fit, and nothing was changed. {report}. To load what fits: "
                "strict=False; to say which variable is meant by a name: var_list={name: variable}"
            )
        for path, value in given.items():
            if path in expected and path[0] == "hyperparameters" and fits(value, expected[path]):
                self._hyperparameters.checked(path[1], value)
        if ITERATIONS in given and fits(given[ITERATIONS], expected[ITERATIONS]):
            check_count(type(self).__name__, given[ITERATIONS])
        return report

    def _snapshot(self) -> Callable[[], None]:
        """Return a function that takes back the creation of slots."""
        weights, known, switched, detached = (
            list(self._weights),
            set(self._known_variables),
            set(self._switched_on),
            self._detached,
        )

        def undo() -> None:
            before = {id(weight) for weight in weights}
            slots = {id(slot) for _, own in self._slot_table.owned() for slot in own.values()} - before
            created = [weight for weight in self._weights if id(weight) not in before | slots]
            self._slot_table.drop([weight for weight in self._weights if id(weight) in slots])
            self._weights[:] = [*weights, *created]  # iterations and weights of the optimizer's own stay
            self._known_variables, self._switched_on, self._detached = known, switched, detached

        return undo


def exported_state_dict(loaded: Any, var_list: Any = None) -> dict[str, Any]:
    """Return the state of an optimizer in a loaded SavedModel, as ``load_state_dict`` takes it.

    Args:
        loaded: What stands in the place of the optimizer: ``tf.saved_model.load(path).optimizer``.
        var_list: ``{name: loaded variable}`` for variables that shall not go by their own names. Default: all do.

    Raises:
        InvalidState: It was not exported by an optimizer of optreg, or two variables have one name.
    """
    scalars, owned = exported_state(loaded)
    given = dict(var_list or {})
    names = {id(variable): name for name, variable in given.items()}
    others = _named([variable for variable, _ in owned if id(variable) not in names], taken=list(given))
    names.update({id(variable): name for name, variable in others.items()})
    return {
        "iterations": array(scalars["iterations"]) if "iterations" in scalars else np.int64(0),
        "hyperparameters": {name: array(value) for name, value in scalars["hyperparameters"].items()},
        "slots": {
            names[id(variable)]: {slot_name: array(slot) for slot_name, slot in slots.items()}
            for variable, slots in owned
        },
        "weights": {name: array(value) for name, value in scalars["weights"].items()},
    }


def _named(variables: Iterable[Any], taken: Sequence[str] = ()) -> dict[str, Any]:
    """Return variables by their own names.

    Raises:
        InvalidState: Two have one name.
    """
    named: dict[str, Any] = {}
    twice = sorted({name for name in taken if taken.count(name) > 1})
    for variable in map(_variable, variables):
        name = shared_name(variable)
        if named.setdefault(name, variable) is not variable or name in taken:
            twice.append(name)
    if twice:
        raise InvalidState(
            f"several variables are called {', '.join(map(repr, dict.fromkeys(twice)))}, so that state cannot go by "
            "names: give the variables names of their own, or pass var_list={name: variable}"
        )
    return named


def _variable(given: Any) -> Any:
    """Return the TensorFlow variable that was given, partitioned or not."""
    return given if parts_of(given) is not None else require_variable(given)


def _wholes(variables: Iterable[Any]) -> list[Any]:
    """Return the variables with the parts of a partitioned one replaced by it."""
    wholes = (whole if (whole := whole_of(variable)) is not None else variable for variable in variables)
    return list({variable_key(variable): variable for variable in wholes}.values())


def is_number(value: Any) -> bool:
    """Whether a hyperparameter is state: a number, and not a schedule or a function."""
    return isinstance(value, tf.Variable) or not callable(value)


def _require_values(method: str) -> None:
    if tf.inside_function() and not tf.executing_eagerly():  # in tf.init_scope() there are values
        raise WrongContext(f"{method}() was called inside a tf.function, where state has no value: call it outside")
