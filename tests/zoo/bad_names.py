"""Animals that claim names which are taken, are none, or lead nowhere."""

from __future__ import annotations

from .animal import OPTIMIZERS, Animal, Fake, fake, optimizer

_PIN = "pin one: OPTREG_PINS="

_WORKS = optimizer()

_BOLD = "[bold red]lion[/]"
_SCRIPT = "<script>alert(1)</script>"
_RED = "\x1b[31mred\x1b[0m"

ANIMALS = (
    Animal(
        "thief",
        "claims the name of a built-in",
        (fake("thief", _WORKS, points="adam = zoo_thief:X"),),
        "shadowed",
        "'adam' is optreg/adam",
        "pin it: OPTREG_PINS=adam=zoo-thief",
        ask="zoo-thief/adam",
        entry="zoo-thief/adam",
        validate=0,
        clue="zoo-thief",
    ),
    Animal(
        "twin",
        "two plugins with one name",
        (
            fake("castor", _WORKS, points="twin = zoo_castor:X"),
            fake("pollux", _WORKS, points="twin = zoo_pollux:X"),
        ),
        "ambiguous",
        "offered by several distributions: 'zoo-castor/twin' (1.0), 'zoo-pollux/twin' (1.0)",
        f"{_PIN}twin=zoo-castor",
        entry="zoo-castor/twin",
        info=2,
        validate=2,
        clue="zoo-pollux",
    ),
    Animal(
        "upper",
        "two plugins whose names differ only in case",
        (
            fake("capital", _WORKS, points="Upper = zoo_capital:X"),
            fake("small", _WORKS, points="upper = zoo_small:X"),
        ),
        "ambiguous",
        "offered by several distributions: 'zoo-capital/upper' (1.0), 'zoo-small/upper' (1.0)",
        f"{_PIN}upper=zoo-capital",
        entry="zoo-capital/upper",
        info=2,
        validate=2,
        clue="zoo-small",
    ),
    Animal(
        "folded",
        "one plugin with two names that differ only in case",
        (
            fake(
                "folded",
                _WORKS,
                points="folded = zoo_folded:X\nFolded = zoo_folded:Y",
            ),
        ),
        message="its metadata gives the name two targets: zoo_folded:Y and zoo_folded:X",
        step="report it to the authors of zoo-folded",
        clue="zoo_folded",
    ),
    Animal(
        "clash",
        "two plugins with one alias",
        (
            fake("clash_a", optimizer(card="aliases=('pounce',)")),
            fake("clash_b", optimizer(card="aliases=('pounce',)")),
        ),
        "ready",
        "offered by several distributions: 'zoo-clash-a/clash_a' (1.0), 'zoo-clash-b/clash_b' (1.0)",
        f"{_PIN}pounce=zoo-clash-a",
        ask="pounce",
        entry="zoo-clash-a/clash_a",
        info=2,
        validate=2,
        clue="pounce",
    ),
    Animal(
        "round_a",
        "aliases that lead in a circle",
        (
            fake("round_a", optimizer(card="aliases=('round_b',)")),
            fake("round_b", optimizer(card="aliases=('round_a',)")),
        ),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "nowhere",
        "a deprecated name that leads nowhere",
        (
            fake(
                "lost",
                optimizer(card="deprecated=(Deprecated('nowhere', since='0.9', removal='9', replacement='utopia'),)"),
            ),
        ),
        message="an old name of 'utopia', which nothing installed offers under a present name",
        step="report it to the authors of zoo-lost",
        entry="zoo-lost/nowhere",
        clue="utopia",
    ),
    Animal(
        "ring_a",
        "deprecated names that lead in a circle",
        (
            fake("ring_one", optimizer(card="deprecated=(Deprecated('ring_a', replacement='ring_b'),)")),
            fake("ring_two", optimizer(card="deprecated=(Deprecated('ring_b', replacement='ring_a'),)")),
        ),
        message="an old name of 'ring_b', which nothing installed offers under a present name",
        step="report it to the authors of zoo-ring-one",
        entry="zoo-ring-one/ring_a",
        clue="ring_b",
    ),
    Animal(
        "malformed",
        "malformed entry point",
        (fake("malformed", _WORKS, points="malformed = zoo_malformed::X()"),),
        message="the entry point 'zoo_malformed::X()' is not of the form module:Class",
        step="report it to the authors of zoo-malformed",
        clue="zoo_malformed::X()",
    ),
    Animal(
        "valueless",
        "entry point without a target",
        (fake("valueless", _WORKS, points="valueless"),),
        message="the entry point '' is not of the form module:Class",
        step="report it to the authors of zoo-valueless",
        clue="valueless",
    ),
    Animal(
        "bold",
        "terminal markup as its name",
        (fake("bold", _WORKS, points=f"{_BOLD} = zoo_bold:X"),),
        message=f"the registered name '{_BOLD}' is not of the form [a-z][a-z0-9_]*",
        step="report it to the authors of zoo-bold",
        ask=f"zoo-bold/{_BOLD}",
        entry=f"zoo-bold/{_BOLD}",
        validate=3,  # brackets are wildcards there
        clue="not of the form",
    ),
    Animal(
        "script",
        "HTML as its name",
        (fake("script", _WORKS, points=f"{_SCRIPT} = zoo_script:X"),),
        message=f"the registered name '{_SCRIPT}' is not of the form [a-z][a-z0-9_]*",
        step="report it to the authors of zoo-script",
        ask=f"zoo-script/{_SCRIPT}",
        entry=f"zoo-script/{_SCRIPT}",
        clue="not of the form",
    ),
    Animal(
        "ansi",
        "ANSI escapes as its name",
        (fake("ansi", _WORKS, points=f"{_RED} = zoo_ansi:X"),),
        message=r"the registered name '\x1b[31mred\x1b[0m' is not of the form",
        step="report it to the authors of zoo-ansi",
        ask=_RED,
        entry=f"zoo-ansi/{_RED}",
        clue="not of the form",
    ),
    Animal(
        "blob",
        "`entry_points.txt` is not UTF-8",
        (Fake("zoo-blob", {"zoo_blob.py": _WORKS}, f"[{OPTIMIZERS}]\nblob\xff = zoo_blob:X\n".encode("latin-1")),),
        message="the registered name 'blob\ufffd' is not of the form",
        step="report it to the authors of zoo-blob",
        ask="blob\ufffd",
        entry="zoo-blob/blob\ufffd",
        clue="zoo-blob",
    ),
)
