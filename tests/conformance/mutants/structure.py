from __future__ import annotations

from dataclasses import replace
from typing import Any

import optreg
from optreg.cards import Card, ExpectedFailure

from .sound import Sound, SoundDense


class NeedsAnArgument(SoundDense):
    caught_by = "check_it_can_be_built"

    def __init__(self, scale: float, name: str = "NeedsAnArgument", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.scale = scale


class ForgetsItsName(SoundDense):
    caught_by = "check_it_can_be_built"

    def __init__(self, learning_rate: Any = 0.01, name: str = "ForgetsItsName", **kwargs: Any) -> None:
        super().__init__(learning_rate, "SoundDense", **kwargs)


class HasNoCard(SoundDense):
    caught_by = "check_a_card_is_declared"

    card = optreg.Optimizer.card


class DeclaresARangeOfNothing(SoundDense):
    caught_by = "check_the_card_fits_the_constructor"

    card = Card(ranges={"learning_rate": "[0, inf)", "beta_1": "[0, 1)"}, dtypes=("float32",))


class DeclaresAnUnreadableRange(SoundDense):
    caught_by = "check_the_card_fits_the_constructor"

    card = Card(ranges={"learning_rate": "[0, inf)", "power": "positive"}, dtypes=("float32",))

    def __init__(self, learning_rate: Any = 0.01, power: float = 0.5, name: str = "Unreadable", **kwargs: Any) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self._power = power

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power": self._power}


class DeclaresADtypeThatCannotTrain(SoundDense):
    caught_by = "check_the_card_fits_the_constructor"

    card = Card(ranges={"learning_rate": "[0, inf)"}, dtypes=("float32", "int8"))


class ChangesItsCard(SoundDense):
    caught_by = "check_the_card_in_the_source_equals_that_of_the_class"

    card = Card(ranges={"learning_rate": "[0, inf)"}, dtypes=("float32",), limits=("Written in the class.",))


ChangesItsCard.card = Card(ranges={"learning_rate": "[0, inf)"}, dtypes=("float32",), limits=("Another one.",))


class _Expecting(SoundDense):
    """Expects a failure; each mutant makes one mistake in saying so."""

    card = Card(ranges={"learning_rate": "[0, inf)"}, dtypes=("float32",))


class ExpectsAMisspeltFailure(_Expecting):
    caught_by = "check_expected_failures_are_in_order"

    card = replace(_Expecting.card, expected_failures=(ExpectedFailure("check_nothing_is_printd", "It is.", "999"),))


class ExpectsWithoutAReason(_Expecting):
    caught_by = "check_expected_failures_are_in_order"

    card = replace(_Expecting.card, expected_failures=(ExpectedFailure("check_nothing_is_printed", " ", "999"),))


class ExpectsForEver(_Expecting):
    caught_by = "check_expected_failures_are_in_order"

    card = replace(_Expecting.card, expected_failures=(ExpectedFailure("check_nothing_is_printed", "It is."),))


class ExpectsForLongerThanItSaid(_Expecting):
    caught_by = "check_expected_failures_are_in_order"

    card = replace(_Expecting.card, expected_failures=(ExpectedFailure("check_nothing_is_printed", "It is.", "0.0.1"),))


class ExpectsWhatDoesNotApply(_Expecting):
    caught_by = "check_expected_failures_are_in_order"

    card = replace(_Expecting.card, expected_failures=(ExpectedFailure("check_absent_rows_stay", "They move.", "999"),))


class UpdatesSparselyOnly(optreg.Optimizer):
    caught_by = "check_a_dense_update_is_implemented"

    card = Card(sparse="lazy", dtypes=("float32",))

    def __init__(self, name: str = "UpdatesSparselyOnly", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any, apply_state: Any = None) -> Any:
        return self._resource_scatter_add(var, indices, -grad)


class RaisesInTheUpdate(Sound):
    caught_by = "check_a_first_step_can_be_made"

    def direction(self, grad: Any) -> Any:
        raise RuntimeError("a mistake of the author")


class ExitsInTheUpdate(Sound):
    caught_by = "check_a_first_step_can_be_made"

    def direction(self, grad: Any) -> Any:
        raise SystemExit(7)


class SwallowsUnknownArguments(SoundDense):
    caught_by = "check_unknown_hyperparameters_are_refused"

    def __init__(self, learning_rate: Any = 0.01, name: str = "SwallowsUnknownArguments", **kwargs: Any) -> None:
        kwargs.pop("no_such_argument", None)
        super().__init__(learning_rate, name, **kwargs)


class TakesNegativeThresholds(SoundDense):
    caught_by = "check_negative_clip_thresholds_are_refused"

    def __init__(self, learning_rate: Any = 0.01, name: str = "TakesNegativeThresholds", **kwargs: Any) -> None:
        clips = {option: abs(value) for option, value in kwargs.items() if option.startswith("clip")}
        super().__init__(learning_rate, name, **{**kwargs, **clips})


class DropsOneOfTwoClips(SoundDense):
    caught_by = "check_options_that_exclude_each_other_are_refused"

    def __init__(self, learning_rate: Any = 0.01, name: str = "DropsOneOfTwoClips", **kwargs: Any) -> None:
        if "clipnorm" in kwargs:
            kwargs.pop("global_clipnorm", None)
        super().__init__(learning_rate, name, **kwargs)


class DropsTheClipBesideTransformers(SoundDense):
    caught_by = "check_options_that_exclude_each_other_are_refused"

    def __init__(self, learning_rate: Any = 0.01, name: str = "DropsTheClip", **kwargs: Any) -> None:
        if "gradient_transformers" in kwargs:
            kwargs.pop("clipnorm", None)
        super().__init__(learning_rate, name, **kwargs)


class ExplainsNothing(SoundDense):
    """Plain descent."""

    caught_by = "check_every_hyperparameter_is_explained"

    def __init__(self, learning_rate: Any = 0.01, name: str = "ExplainsNothing", **kwargs: Any) -> None:
        super().__init__(learning_rate, name, **kwargs)
