from __future__ import annotations

import pytest

from optreg.bench.selection import InvalidSelection, parse_choice, select
from optreg.errors import UnknownOptimizer


@pytest.mark.parametrize(
    ("text", "name", "hyperparameters"),
    [
        ("adam", "adam", {}),
        ("optreg/adam", "optreg/adam", {}),
        ("sgd[learning_rate=0.1,momentum=0.9]", "sgd", {"learning_rate": 0.1, "momentum": 0.9}),
        ("sgd[ nesterov=True , momentum=-1e-3 ]", "sgd", {"nesterov": True, "momentum": -1e-3}),
        ("x[kind=zeros,betas=(0.9,0.99)]", "x", {"kind": "zeros", "betas": (0.9, 0.99)}),
        ("x[]", "x", {}),
    ],
)
def test_hyperparameters_in_brackets_are_read(text: str, name: str, hyperparameters: dict[str, object]) -> None:
    choice = parse_choice(text)
    assert (choice.name, choice.hyperparameters) == (name, hyperparameters)


@pytest.mark.parametrize(
    "text",
    ["", "[a=1]", "sgd[0.1]", "sgd[a=1", "sgd[a=1]]", "sgd[**x]", "sgd[a=print(1)]", "sgd[a==1]", "sgd[a=1)(b=2]"],
)
def test_what_is_not_name_equals_value_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSelection, match=r"write a name such as adam, or adam\[learning_rate=0.01"):
        parse_choice(text)


def test_a_choice_is_labelled_as_it_was_written() -> None:
    assert parse_choice("sgd[ momentum = 0.9 ]").label == "sgd[momentum=0.9]"


def test_without_names_all_ready_optimizers_are_chosen() -> None:
    assert {"adam", "sgd"} <= {choice.name for choice in select([])}


def test_a_choice_that_is_named_twice_is_measured_once() -> None:
    assert [choice.label for choice in select(["sgd", "s*d", "sgd[momentum=0.9]"])] == ["sgd", "sgd[momentum=0.9]"]


def test_a_pattern_that_fits_nothing_is_an_error() -> None:
    with pytest.raises(UnknownOptimizer, match="no ready optimizer matches 'zz\\*'"):
        select(["zz*"])
