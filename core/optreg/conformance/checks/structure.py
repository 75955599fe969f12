"""Structure: the class can be built, says what it is, and refuses what it does not take."""

from __future__ import annotations

import inspect

from optreg.cards import SPARSE_MEANING, Interval, OptimizerCard
from optreg.cards.reader import describe_class, read_card
from optreg.conformance.capabilities import EXPECTING
from optreg.conformance.definition import Skipped, check
from optreg.conformance.demands import demand, demand_equal, demand_refusal
from optreg.conformance.expectations import problems_of_entries
from optreg.conformance.lazy_tensorflow import tf
from optreg.conformance.subject import Subject
from optreg.conformance.training import Training
from optreg.errors import listing
from optreg.registry.loading import target_of


@check("The constructor has an argument without default, or does not pass its name on to super().__init__.")
def check_it_can_be_built(subject: Subject) -> None:
    """The constructor works with its defaults, and takes a name."""
    subject.optimizer()
    named = subject.optimizer(name="renamed")
    demand_equal(named.get_config().get("name"), "renamed", "the name in get_config() of an optimizer named 'renamed'")


@check(
    "Write card = optreg.Card(...) into the class: checks, listings and range errors come from it.",
    requires=(check_it_can_be_built,),
    every_variant=False,
)
def check_a_card_is_declared(subject: Subject) -> None:
    """The class has a card of its own or of a parent, not the empty one of the contract."""
    contract = next(base for base in subject.cls.__mro__ if base.__module__ == "optreg.optimizer.contract")
    demand(
        subject.declared is not contract.card,
        f"{subject.cls.__name__}.card",
        expected="a declared Card",
        received="the empty card of optreg.Optimizer",
    )


@check(
    "A hyperparameter was renamed in the constructor and not in the card, or a range is misspelt.",
    requires=(check_a_card_is_declared,),
    every_variant=False,
)
def check_the_card_fits_the_constructor(subject: Subject) -> None:
    """Every hyperparameter, dtype and interval that the card speaks of exists."""
    card = subject.declared
    spoken_of = {*card.ranges, *(slot.when for slot in card.slots if slot.when)}
    unknown = spoken_of - set(subject.defaults)
    demand(not unknown, "hyperparameters in the card", expected=listing(subject.defaults), received=listing(unknown))
    demand(card.sparse in SPARSE_MEANING, "card.sparse", expected=listing(SPARSE_MEANING), received=repr(card.sparse))
    names = [slot.name for slot in card.slots]
    demand(len(names) == len(set(names)), "slot names in the card", expected="different names", received=names)
    for name in (*card.dtypes, *(slot.at_least for slot in card.slots if slot.at_least)):
        _demand_dtype(name)
    for name, text in card.ranges.items():
        _demand_range(name, text)


def _demand_dtype(name: str) -> None:
    try:
        dtype = tf.as_dtype(name)
    except TypeError:
        dtype = None
    trainable = dtype is not None and (dtype.is_floating or dtype.is_complex)
    demand(
        trainable, "a dtype in the card", expected="a floating or complex dtype such as 'float32'", received=repr(name)
    )


def _demand_range(name: str, text: str) -> None:
    try:
        readable = text == "bool" or bool(Interval.parse(text))
    except ValueError:
        readable = False
    demand(
        readable, f"the range of {name} in the card", expected="'bool' or an interval as '[0, 1)'", received=repr(text)
    )


@check(
    "The card is computed or changed after the class statement; listings read it from the source text as literals.",
    requires=(check_a_card_is_declared,),
    every_variant=False,
)
def check_the_card_in_the_source_equals_that_of_the_class(subject: Subject) -> None:
    """What ``optreg list`` and ``optreg info`` show without import is what the class says when imported."""
    target = target_of(subject.cls)
    if "<locals>" in target or subject.cls.__module__ == "__main__":
        raise Skipped(f"{target} has no source file that could be read: put the class at the top level of a module")
    reading = read_card(target, subject.label)
    if reading.note:
        raise Skipped(f"the source of {target} holds no card: {reading.note}")
    demand(not reading.problem, f"the card in the source of {target}", expected="readable", received=reading.problem)
    for name, read in _facts(reading.card).items():
        demand_equal(read, _facts(describe_class(subject.cls))[name], f"{name} in the source text of {target}")


def _facts(card: OptimizerCard) -> dict[str, object]:
    return {
        "the card": card.declared,
        "the summary": card.summary,
        "the hyperparameters": [(item.name, item.required, item.range) for item in card.hyperparameters],
    }


@check(
    "The card's expected_failures are out of date. Each entry needs a check that exists and applies, a reason and a "
    "version until which it holds; one that has expired is to be repaired, not prolonged.",
    requires=(check_a_card_is_declared,),
    capability=EXPECTING,
    every_variant=False,
)
def check_expected_failures_are_in_order(subject: Subject) -> None:
    """Every entry names a check that applies, says why, and has not expired."""
    from optreg.conformance.catalogue import all_checks, contributed_by  # noqa: PLC0415 - it holds this module

    checks = [*all_checks(), *contributed_by(subject.origin[0]).checks]
    applicable = {check.id for check in checks if check.capability.holds(subject.declared)}
    problems = problems_of_entries(subject, {check.id for check in checks}, applicable)
    demand(not problems, "card.expected_failures", expected="entries that hold", received="; ".join(problems))


@check(
    "Override _resource_apply_dense(self, grad, var, apply_state=None), or update() of an UpdateRule.",
    requires=(check_it_can_be_built,),
    every_variant=False,
)
def check_a_dense_update_is_implemented(subject: Subject) -> None:
    """The class updates a variable from a dense gradient, or takes over the whole step."""
    own = [base for base in subject.cls.__mro__ if not base.__module__.startswith("optreg.optimizer")]
    methods = ("update", "_resource_apply_dense", "_apply_dense", "apply_gradients")
    found = [name for base in own for name in methods if inspect.isfunction(vars(base).get(name))]
    demand(found, "the update of a variable", expected=f"one of {listing(methods)} overridden", received="none of them")


@check(
    "The update method raises. The message is that of the exception; run one apply_gradients() by hand to see where.",
    requires=(check_a_dense_update_is_implemented,),
)
def check_a_first_step_can_be_made(subject: Subject) -> None:
    """One step with dense gradients over a matrix, a vector and a scalar."""
    Training(subject.optimizer(), subject.dtype).steps(1)


@check(
    "The constructor swallows **kwargs. Pass them on to super().__init__(name, **kwargs), which refuses what "
    "it does not know.",
    requires=(check_it_can_be_built,),
    every_variant=False,
)
def check_unknown_hyperparameters_are_refused(subject: Subject) -> None:
    """A misspelt argument of the constructor is an error that names it."""
    with demand_refusal("an unknown argument no_such_argument=1", TypeError, ValueError, naming="no_such_argument"):
        subject.optimizer(no_such_argument=1)


@check(
    "The constructor changes or keeps back clipvalue, clipnorm or global_clipnorm. Pass **kwargs on to "
    "super().__init__.",
    requires=(check_it_can_be_built,),
    every_variant=False,
)
def check_negative_clip_thresholds_are_refused(subject: Subject) -> None:
    """Each of the three thresholds must be at least zero."""
    for option in ("clipvalue", "clipnorm", "global_clipnorm"):
        with demand_refusal(f"{option}=-1", ValueError, naming=option):
            subject.optimizer(**{option: -1.0})


@check(
    "The constructor drops one of two clip options. Pass **kwargs on to super().__init__.",
    requires=(check_it_can_be_built,),
    every_variant=False,
)
def check_options_that_exclude_each_other_are_refused(subject: Subject) -> None:
    """``clipnorm`` with ``global_clipnorm``, and a clip option beside transformers, have no clear meaning."""
    with demand_refusal("clipnorm together with global_clipnorm", ValueError, naming="clipnorm"):
        subject.optimizer(clipnorm=1.0, global_clipnorm=1.0)
    with demand_refusal("clipnorm together with gradient_transformers", ValueError, naming="clipnorm"):
        subject.optimizer(clipnorm=1.0, gradient_transformers=[lambda pairs: pairs])
