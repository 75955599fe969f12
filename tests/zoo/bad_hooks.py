"""Animals that are hook objects: found like optimizers, loaded when a tool calls a hook."""

from __future__ import annotations

from .animal import PLUGINS, Animal, fake, marked


def _hooks(name: str, what: str, source: str, message: str, *, after: str = "ready", clue: str = "") -> Animal:
    written = marked(f'"""Checks."""\nimport optreg\n@optreg.hookimpl\n{source}\n')
    step = f"report it to the authors of zoo-{name}" if after == "broken" else ""
    animal = fake(name, written, group=PLUGINS)
    return Animal(
        name, what, (animal,), "ready", message, step, asked=after, validate=3, kind="plugin", clue=clue or message
    )


ANIMALS = (
    _hooks(
        "misspelt",
        "unknown hook",
        "def doctor_cheks():\n    return []",
        "unknown hook 'doctor_cheks'. Did you mean 'doctor_checks'?",
        after="broken",
        clue="doctor_cheks",
    ),
    _hooks(
        "argued",
        "hook with a wrong argument",
        "def doctor_checks(patient):\n    return []",
        "Argument(s) {'patient'} are declared in the hookimpl but can not be found in the hookspec",
        after="broken",
        clue="patient",
    ),
    _hooks(
        "thrower",
        "hook that raises",
        "def doctor_checks():\n    raise ValueError('no stethoscope')",
        "ValueError: no stethoscope",
        clue="no stethoscope",
    ),
    _hooks(
        "quitter",
        "hook that calls `sys.exit()`",
        "def doctor_checks():\n    raise SystemExit('had enough')",
        "SystemExit: had enough",
        clue="had enough",
    ),
    _hooks(
        "rubbish",
        "hook that returns rubbish",
        "def doctor_checks():\n    return 42",
        "a hook returns a list or a mapping of contributions, this one returned 42",
        clue="42",
    ),
    _hooks(
        "nohooks",
        "hook object without hooks",
        "def doctor_checks():\n    return []\ndel doctor_checks",
        "it implements no hook",
        after="broken",
        clue="no hook",
    ),
)
