"""Animals whose metadata, card or summary is wrong, and copies of one distribution."""

from __future__ import annotations

from .animal import OPTIMIZERS, Animal, Fake, fake, optimizer

_WORKS = optimizer()


def _hostile(name: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: zoo-{name}\nVersion: 1.0\nAuthor: M\xfcller\n".encode("latin-1")


def _copy(name: str, copy: int, *, with_module: bool = True, suffix: str = "dist-info") -> Fake:
    modules = {f"zoo_{name}.py": _WORKS} if with_module else {f"__editable__.zoo_{name}.pth": "src\n"}
    return Fake(f"zoo-{name}", modules, f"[{OPTIMIZERS}]\n{name} = zoo_{name}:X\n", copy=copy, suffix=suffix)


ANIMALS = (
    Animal(
        "tomorrow",
        "written for a newer plugin API",
        (fake("tomorrow", optimizer(card="api=2, telepathy=True")),),
        "incompatible",
        "written for plugin API 2; this optreg offers 1",
        "pip install --upgrade optreg",
        clue="API",
    ),
    Animal(
        "yesterday",
        "written for an older plugin API",
        (fake("yesterday", optimizer(card="api=0")),),
        "incompatible",
        "written for plugin API 0; this optreg still supports 1 to 1",
        "pip install --upgrade zoo-yesterday",
        clue="API",
    ),
    Animal(
        "ancient",
        "wants another TensorFlow",
        (fake("ancient", optimizer(card="tensorflow='<2'")),),
        "incompatible",
        "it works with TensorFlow <2; installed is",
        "or look for another version of zoo-ancient",
        clue="TensorFlow",
    ),
    Animal(
        "rangeless",
        "its range of TensorFlow versions is none",
        (fake("rangeless", optimizer(card="tensorflow='the new one'")),),
        message="card field 'tensorflow' must be a range such as '>=2.16,<3', received 'the new one'",
        step="report it to the authors of zoo-rangeless",
        clue="the new one",
    ),
    Animal(
        "needy",
        "its metadata requires what is not installed",
        (fake("needy", _WORKS, headers="Requires-Dist: no-such-package>=2\n"),),
        "missing dependency",
        "it needs the package 'no-such-package'",
        'pip install "no-such-package>=2", then optreg.refresh()',
        clue="no-such-package",
    ),
    Animal(
        "hungry",
        "its card requires what is not installed",
        (fake("hungry", optimizer(card="requires=('no-such-food',)")),),
        "missing dependency",
        "its card requires 'no-such-food'",
        "pip install no-such-food, then optreg.refresh()",
        clue="no-such-food",
    ),
    Animal(
        "futurist",
        "requires an optreg that does not exist yet",
        (fake("futurist", _WORKS, headers="Requires-Dist: optreg>=99\n"),),
        "incompatible",
        "it requires optreg>=99; installed is optreg",
        'pip install "optreg>=99"',
        clue="optreg>=99",
    ),
    Animal(
        "pythonic",
        "wants another Python",
        (fake("pythonic", _WORKS, headers="Requires-Python: <3\n"),),
        "incompatible",
        "it works with Python <3; this is",
        "use it with another Python",
        clue="Python <3",
    ),
    Animal(
        "secretive",
        "unreadable card",
        (fake("secretive", optimizer(card="xla=guess()")),),
        message="'guess()' is a call; only Card",
        step="report it to the authors of zoo-secretive",
        clue="guess",
    ),
    Animal(
        "mistyped",
        "card with a value of the wrong kind",
        (fake("mistyped", optimizer(card="aliases='puss'")),),
        message="card field 'aliases' must be a tuple of str, received 'puss'",
        step="report it to the authors of zoo-mistyped",
        clue="aliases",
    ),
    Animal(
        "liar",
        "lying card: a hyperparameter that the class does not have",
        (fake("liar", optimizer(card="ranges={'momentum': '[0, 1)'}")),),
        "ready",
        validate=1,
        harmless=True,
    ),
    Animal(
        "turncoat",
        "lying card: another one once it is imported",
        (fake("turncoat", optimizer("X.card = Card(xla=True, dtypes=('float32',))", card="xla=False")),),
        "ready",
        validate=1,
        harmless=True,
    ),
    Animal(
        "painted",
        "markup in its summary",
        (fake("painted", optimizer(summary="[bold red]Best[/] <script>alert(1)</script> optimizer.")),),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "flashing",
        "control characters in its summary",
        (fake("flashing", optimizer(summary=r"Runs \x1b[31mred\x1b]0;owned\x07 \x9b2J \u202egnihtyna\u202c \x00.")),),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "verbose",
        "summary of 1 MB",
        (fake("verbose", optimizer(summary="Step " * 200_000)),),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "umlaut",
        "`METADATA` is not UTF-8",
        (fake("umlaut", _WORKS, metadata=_hostile("umlaut")),),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "nameless",
        "`METADATA` is not UTF-8, its own name included",
        (fake("nameless", _WORKS, metadata=_hostile("nameless").replace(b"zoo-nameless", b"zoo-\xff\x1b[31m")),),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "double",
        "the same distribution twice on the path",
        (_copy("double", 0), _copy("double", 1)),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "editable",
        "editable installation beside a wheel",
        (
            _copy("editable", 0, with_module=False),
            _copy("editable", 1, suffix="egg-info"),
            _copy("editable", 2),
        ),
        "ready",
        validate=0,
        harmless=True,
    ),
)
