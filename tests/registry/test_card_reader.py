"""Cards are read from source text, whatever the file holds, and say the same as the live class."""

from __future__ import annotations

import sys

import pytest

import optreg
from optreg.cards import Card, ExpectedFailure, Paper, Slot
from optreg.cards.reader import describe_class, read_card

EVERYTHING = '''
import math

from contract_stand_in import Optimizer
from optreg import Card, ExpectedFailure, Paper, Slot
import optreg


class Full(Optimizer):
    """Uses each part of a card. And a second sentence
    of the first paragraph.

    When to choose it,
    over two lines.

    Memory: a line that is no section.

    Rule:
        m ← β m
            + (1 − β) g

        w ← w − lr m

    Differences:
        Keras: none.

    Args:
        learning_rate: Step size: a number,
            or a schedule.
        beta, gamma (float): Two at once.
    Sparse gradients: only rows present.
    """

    card = Card(
        aliases=("complete",),
        ranges={"learning_rate": "[0, inf)", "beta": "(-1, 1)"},
        slots=(
            Slot("m", "momentum " "of g", at_least="float32"),
            optreg.Slot("s", when="beta", scalar=True, reads=0.2, writes=0),
        ),
        sparse="lazy",
        dtypes=("float32",),
        xla=True,
        paper=Paper("Title", "Authors", 2020, "https://example.org"),
        limits=("None known.",),
        reference="full_reference:step",
        expected_failures=(ExpectedFailure("check_x", "Rows are not summed yet.", until="2.0"),),
    )

    def __init__(self, learning_rate=1e-3, beta=-0.5, gamma=None, *, shape=(1, 2), needed, name="Full", **kwargs):
        super().__init__(name, **kwargs)
'''


def test_every_part_of_a_docstring_card_and_signature_is_read(site):
    site.install("full", {"full_module.py": EVERYTHING}, full="full_module:Full")
    card = read_card("full_module:Full", "full").card
    assert card.summary == "Uses each part of a card."
    assert card.description.split("\n\n") == [
        "And a second sentence of the first paragraph.",
        "When to choose it, over two lines.",
        "Memory: a line that is no section.",
    ]
    assert card.rule == ("m ← β m", "    + (1 − β) g", "", "w ← w − lr m")
    shown = {item.name: (item.default, item.required, item.range, item.meaning) for item in card.hyperparameters}
    assert shown == {
        "learning_rate": (1e-3, False, "[0, inf)", "Step size: a number, or a schedule."),
        "beta": (-0.5, False, "(-1, 1)", "Two at once."),
        "gamma": (None, False, "", "Two at once."),
        "shape": ((1, 2), False, "", ""),
        "needed": (None, True, "", ""),
    }
    assert card.declared == Card(
        aliases=("complete",),
        ranges={"learning_rate": "[0, inf)", "beta": "(-1, 1)"},
        slots=(Slot("m", "momentum of g", at_least="float32"), Slot("s", "", "beta", "", True, 0.2, 0)),
        sparse="lazy",
        dtypes=("float32",),
        xla=True,
        paper=Paper("Title", "Authors", 2020, "https://example.org"),
        limits=("None known.",),
        reference="full_reference:step",
        expected_failures=(ExpectedFailure("check_x", "Rows are not summed yet.", until="2.0"),),
    )


def test_reading_a_card_imports_nothing_and_the_live_class_says_the_same(site):
    site.install("full", {"pack/__init__.py": "raise RuntimeError", "pack/full_module.py": EVERYTHING})
    read = read_card("pack.full_module:Full", "full")
    assert read.path == site.folder / "pack" / "full_module.py"
    assert not {"pack", "pack.full_module"} & set(sys.modules)
    (site.folder / "pack" / "__init__.py").write_text("")
    import pack.full_module

    assert describe_class(pack.full_module.Full) == read.card


@pytest.mark.parametrize("name", optreg.list_optimizers(distribution="optreg"))
def test_the_card_of_each_built_in_optimizer_is_that_of_its_class(name):
    from optreg.registry import default_registry

    info = optreg.optimizer_info(name)
    assert info.card.declared is not None
    assert describe_class(default_registry().get_class(name)) == info.card


def test_a_function_has_a_summary_and_arguments_and_no_card(site):
    site.install("functions", {"functions.py": 'def centre(axis=0, *rest):\n    """Takes the mean off."""\n'})
    card = read_card("functions:centre", "functions").card
    assert (card.summary, [item.name for item in card.hyperparameters]) == ("Takes the mean off.", ["axis"])
    import functions

    assert describe_class(functions.centre) == card


def test_a_class_that_inherits_its_card_shows_none_of_its_own(site):
    source = EVERYTHING + "\n\nclass Child(Full):\n    pass\n"
    site.install("full", {"full_module.py": source})
    read = read_card("full_module:Child", "full")
    assert (read.problem, read.card.declared, read.card.hyperparameters) == ("", None, ())
    import full_module

    assert describe_class(full_module.Child) == read.card


def test_a_default_that_is_no_literal_is_shown_as_written(site):
    site.install("d", {"d.py": "class D:\n    def __init__(self, x=math.pi / 2): ...\n"})
    assert read_card("d:D", "d").card.hyperparameters[0].default == "math.pi / 2"


@pytest.mark.parametrize(
    ("initial", "expected"),
    [
        ("from .inner import Full", "Uses each part of a card."),
        ("from pack.inner import Full as Full", "Uses each part of a card."),
        ("try:\n    from .inner import Full\nexcept ImportError:\n    raise", "Uses each part of a card."),
        ("from .inner import *", ""),
        ("Full = make()", ""),
        ("def __getattr__(name): ...", ""),
    ],
)
def test_a_class_is_found_where_its_package_takes_it_from(site, initial, expected):
    site.install("pack", {"pack/__init__.py": initial, "pack/inner.py": EVERYTHING})
    read = read_card("pack:Full", "pack")
    assert (read.card.summary, read.problem) == (expected, "")
    assert bool(read.note) == (expected == "")


def test_a_circle_of_imports_ends(site):
    circle = {"pack/__init__.py": "from .a import X", "pack/a.py": "from .b import X", "pack/b.py": "from .a import X"}
    site.install("pack", circle)
    assert read_card("pack:X", "pack").note == "re-exported through too many modules: no card to read"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("class X(:\n", "syntax error in broken.py, line 1"),
        (b"# \xff\xfe\nclass X: ...\n", "syntax error in broken.py: invalid or missing encoding"),
        (b"class X: ...\n\0", "broken.py"),
        ("x = " + "(" * 5000, "broken.py"),
        ("class Y: ...", "module 'broken' defines no 'X'"),
        (
            "class X:\n    card = Card(xla=bool(1))",
            "line 2: 'bool(1)' is a call; only Card, Deprecated, ExpectedFailure, Paper, Slot may be called",
        ),
        ("class X:\n    card = Card(aliases=NAMES)", "line 2: 'NAMES' is not a literal"),
        ("class X:\n    card = Card(limits=(f'{x}',))", "is not a literal"),
        ("class X:\n    card = Card(**more)", "line 2: '**' cannot be read without running it"),
        ("class X:\n    card = Card(colour='red')", "unexpected keyword argument 'colour'"),
        ("class X:\n    card = Card(aliases='gd')", "card field 'aliases' must be a tuple of str, received 'gd'"),
        ("class X:\n    card = Card(sparse='maybe')", "must be one of exact, lazy, decaying, none, received 'maybe'"),
        ("class X:\n    card = Card(ranges={'x': 'positive'})", "must be an interval such as '[0, 1)' or 'bool'"),
        ("class X:\n    card = Card(paper='Smith 2020')", "card field 'paper' must be Paper(...)"),
        ("class X:\n    card = Card(reference=3)", "card field 'reference' must be 'module:function', received 3"),
        ("class X:\n    card = Card(expected_failures=('check_x',))", "must be a tuple of ExpectedFailure"),
        ("class X:\n    card = Card(api='2')", "card field 'api' must be an integer"),
        (
            "class X:\n    card = Card(slots=(Slot('s', reads=-1),))",
            "line 2: Slot 's': reads must be a finite number of at least 0, how often a step does so; received -1",
        ),
        ("class X:\n    card = Card(slots=(Slot('s', writes=1e999),))", "Slot 's': writes must be"),
        (f"class X:\n    card = Card(slots=(Slot('s', writes=1{'0' * 400}),))", "Slot 's': writes must be"),
        ("class X:\n    card = Card(slots=(Slot('s', writes='1'),))", "Slot 's': writes must be"),
        ("class X:\n    card = Card(slots=(Slot('s', writes=True),))", "Slot 's': writes must be"),
        ("class X:\n    card = 3", "line 2: 'card' must be Card(...), not int"),
    ],
)
def test_what_cannot_be_read_gets_a_reason_and_a_next_step(site, source, problem):
    site.install("broken", {"broken.py": source})
    read = read_card("broken:X", "broken")
    assert problem in read.problem
    assert read.next_step == "report it to the authors of broken"


def test_a_huge_file_is_not_read(site, monkeypatch):
    monkeypatch.setattr("optreg.cards.reader.LARGEST_SOURCE", 100)
    site.install("huge", {"huge.py": "class X: ...\n" + "#" * 100})
    assert "larger than" in read_card("huge:X", "huge").problem


def test_a_source_in_a_declared_encoding_is_read(site):
    site.install("latin", {"latin.py": '# coding: latin-1\nclass X:\n    """Größe."""\n'.encode("latin-1")})
    assert read_card("latin:X", "latin").card.summary == "Größe."


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("nowhere:X", "there is no package 'nowhere'"),
        ("half.missing:X", "there is no module 'half.missing' in the installed package"),
    ],
)
def test_a_missing_file_is_told_with_the_pip_command(site, target, problem):
    site.install("half", {"half/__init__.py": ""})
    read = read_card(target, "half")
    assert (read.problem, read.next_step) == (problem, "pip install --force-reinstall half")


def test_a_compiled_module_has_no_card_and_no_problem(site):
    import importlib.machinery

    site.install("compiled", {f"inner/fast{importlib.machinery.EXTENSION_SUFFIXES[0]}": b"", "inner/__init__.py": ""})
    read = read_card("inner.fast:X", "compiled")
    assert (read.problem, read.note) == ("", "compiled module: no source text to read the card from")
