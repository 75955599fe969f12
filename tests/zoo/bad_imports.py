"""Animals whose import goes wrong, or does what an import must not do."""

from __future__ import annotations

from .animal import CONTRACT, Animal, fake, marked, optimizer

_FAILS = "correct it, then optreg.refresh()"
_REPORT = "report it to the authors of zoo-"


def _failing(name: str, what: str, source: str, message: str, **expected: object) -> Animal:
    expected = {"step": _FAILS, "asked": "broken", **expected}
    return Animal(name, what, (fake(name, marked(source)),), "ready", message, **expected)  # type: ignore[arg-type]


ANIMALS = (
    _failing("raises", "raises in its import", "\nraise OSError('disk on fire')\nclass X: ...", "disk on fire"),
    _failing(
        "screams",
        "raises an error of 1 MB",
        "\nraise OSError('no! ' * 250_000)\nclass X: ...",
        "OSError: no! no!",
        clue="no! no!",
    ),
    Animal(
        "syntax",
        "syntax error",
        (fake("syntax", "class X(:\n"),),
        message="syntax error in zoo_syntax.py, line 1",
        step=f"{_REPORT}syntax",
        clue="invalid syntax",
    ),
    _failing(
        "exits", "`SystemExit` in its import", "\nraise SystemExit(7)\nclass X: ...", "SystemExit: 7", clue="zoo_exits"
    ),
    _failing(
        "interrupts",
        "`KeyboardInterrupt` in its import",
        "\ndef f():\n    raise KeyboardInterrupt('me')\nf()\nclass X: ...",
        "KeyboardInterrupt: me",
    ),
    _failing(
        "hangs",
        "hangs in its import",
        "\nimport time\nwhile True: time.sleep(60)\nclass X: ...",
        "",
        step="",
        asked="ready",
        danger="still running after",
        clue="zoo_hangs",
    ),
    _failing(
        "segfaults",
        "crashes the interpreter (`SIGSEGV`)",
        "\nimport signal\nos.kill(os.getpid(), signal.SIGSEGV)\nclass X: ...",
        "",
        step="",
        asked="ready",
        danger="killed by SIGSEGV",
        clue="SIGSEGV",
    ),
    _failing(
        "leaves",
        "ends the process (`os._exit`)",
        "\nos._exit(3)\nclass X: ...",
        "",
        step="",
        asked="ready",
        danger="ended the process with exit code 3",
        clue="exit code 3",
    ),
    Animal(
        "prints",
        "prints in its import",
        (fake("prints", optimizer(before="\nprint('LOOK AT ME')\n")),),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "sleeps",
        "takes 5 s to import",
        (fake("sleeps", optimizer(before="\nimport time\ntime.sleep(5)\n")),),
        "ready",
        validate=0,
        harmless=True,
    ),
    Animal(
        "heavy",
        "imports TensorFlow at top level",
        (fake("heavy", optimizer(before="\nimport tensorflow\n")),),
        "ready",
        validate=0,
        harmless=True,
    ),
    _failing(
        "function",
        "wrong type: a function",
        "\ndef X(): ...",
        "zoo_function:X is not a class but an object of type function",
        step="report it to its authors",
        clue="'function'",
    ),
    _failing(
        "stranger",
        "not a subclass of `optreg.Optimizer`",
        "\nclass X: ...",
        "zoo_stranger:X is not a subclass of optreg.Optimizer",
        step="report it to its authors",
        clue="subclass",
    ),
    Animal(
        "abstract",
        "abstract class",
        (
            fake(
                "abstract",
                marked(
                    f"\nimport abc\nfrom {CONTRACT} import Optimizer\nclass X(Optimizer, abc.ABC):\n"
                    "    @abc.abstractmethod\n    def step(self): ...\n"
                ),
            ),
        ),
        "ready",
        "zoo_abstract:X is abstract: it does not define step",
        "report it to its authors",
        asked="broken",
        clue="abstract",
    ),
    Animal(
        "kwargs",
        "wrong signature: `**kwargs` only",
        (
            fake(
                "kwargs",
                marked(
                    f"\nfrom {CONTRACT} import Optimizer\nclass X(Optimizer):\n"
                    "    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n"
                ),
            ),
        ),
        "ready",
        "the constructor of zoo_kwargs:X calls another wrongly",
        "report it to its authors",
        validate=1,
        clue="constructor",
    ),
    _failing(
        "torchlike",
        "imports a package that is not installed",
        "\nimport torch_of_tomorrow\nclass X: ...",
        "it needs the package 'torch_of_tomorrow'",
        step="pip install torch_of_tomorrow, then optreg.refresh()",
        asked="missing dependency",
        clue="torch_of_tomorrow",
    ),
    Animal(
        "absent",
        "its module is not installed",
        (fake("absent", ""),),
        message="there is no package 'zoo_absent'",
        step="pip install --force-reinstall zoo-absent",
        clue="zoo_absent",
    ),
    Animal(
        "classless",
        "its module does not define the class",
        (fake("classless", marked("\nclass Y: ...")),),
        message="module 'zoo_classless' defines no 'X'",
        step=f"{_REPORT}classless",
        clue="'X'",
    ),
)
