"""What an animal of the zoo is: the files that a bad plugin installs, and what optreg must say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MARKERS = "OPTREG_ZOO_MARKERS"
"""Environment variable: the folder in which every module of the zoo leaves a file when it is imported."""

CONTRACT = "zoo_contract"
"""The module from which animals take ``Optimizer``; whoever installs the zoo decides whether it brings TensorFlow."""

_MARK = (
    f"import os; os.environ.get({MARKERS!r}) and open(os.path.join(os.environ[{MARKERS!r}], __name__), 'a').close();"
)

OPTIMIZERS = "optreg.optimizers"
PLUGINS = "optreg.plugins"


@dataclass(frozen=True)
class Fake:
    """One folder of metadata on the path, and the modules beside it.

    Args:
        distribution: Name in its metadata and of its folder.
        modules: Path to source text. Those that can be imported say so, see ``marked``.
        points: ``entry_points.txt``.
        headers: Further lines of its metadata.
        metadata: All of its metadata, in place of the usual lines.
        copy: Copies of one distribution lie in different folders of the path, by this number.
        suffix: Of the metadata folder.
    """

    distribution: str
    modules: Mapping[str, str] = field(default_factory=dict)
    points: str | bytes = ""
    headers: str = ""
    metadata: bytes | None = None
    copy: int = 0
    suffix: str = "dist-info"


@dataclass(frozen=True)
class Animal:
    """One bad plugin, or several that are bad together, and what is expected of optreg.

    Args:
        name: What it is called in tests and tables; mostly its registered name too.
        what: What is wrong with it, for the table.
        fakes: What is installed.
        state: The state of ``entry`` in a listing, when nothing was imported.
        message: Part of the reason, or of the error when it is asked for.
        step: Part of the next step.
        asked: Its state after it was asked for; the same by default.
        ask: What users ask for; ``name`` by default.
        entry: Qualified name of what has the state; made of the first distribution and ``name`` by default.
        info: Exit code of ``optreg info ASK``.
        validate: Exit code of ``optreg validate ASK --group structure``.
        kind: ``plugin`` for hook objects.
        danger: How the child process ends that imports it; it is imported in no other. Empty for the others.
        clue: Text that any tool must show that gives the reason; the message by default.
        harmless: Whether it is usable, so that there is no reason to be shown.
    """

    name: str
    what: str
    fakes: tuple[Fake, ...]
    state: str = "broken"
    message: str = ""
    step: str = ""
    asked: str = ""
    ask: str = ""
    entry: str = ""
    info: int = 0
    validate: int = 4
    kind: Literal["optimizer", "plugin"] = "optimizer"
    danger: str = ""
    clue: str = ""
    harmless: bool = False

    @property
    def after(self) -> str:
        """Its state after it was asked for."""
        return self.asked or self.state

    @property
    def wish(self) -> str:
        """What users ask for."""
        return self.ask or self.name

    @property
    def qualified_name(self) -> str:
        """Name of the entry that has the state."""
        return self.entry or f"{self.fakes[0].distribution}/{self.name}"


def marked(source: str) -> str:
    """Return the source text of a module that says when it is imported; line numbers stay."""
    return _MARK + source


_CARD = "ranges={'learning_rate': '[0, inf)'}, dtypes=('float32',)"


def optimizer(body: str = "", *, card: str = _CARD, before: str = "", summary: str = "Steps downhill.") -> str:
    """Return the source text of a module that works, as far as the arguments do not spoil it.

    Args:
        body: Further lines of the class.
        card: Arguments of its ``Card``.
        before: Lines above the class.
        summary: Its docstring, as written between the quotes.
    """
    lines = [before, f"from {CONTRACT} import Optimizer", "from optreg import Card, Deprecated", "class X(Optimizer):"]
    lines += [f'    """{summary}"""', f"    card = Card({card})"]
    lines += [
        "    def __init__(self, learning_rate=0.01, name='X', **kwargs):",
        "        super().__init__(name, **kwargs)",
        "        self._set_hyper('learning_rate', learning_rate)",
        "    def _resource_apply_dense(self, grad, var, apply_state=None):",
        "        return var.assign_sub(self._get_hyper('learning_rate', var.dtype) * grad)",
        "    def get_config(self):",
        "        rate = self._serialize_hyperparameter('learning_rate')",
        "        return {**super().get_config(), 'learning_rate': rate}",
    ]
    return marked("\n".join([*lines, body]) + "\n")


def fake(name: str, source: str, *, points: str = "", group: str = OPTIMIZERS, **others: object) -> Fake:
    """Return a distribution ``zoo-NAME`` with one module ``zoo_NAME`` and, where none are given, one entry point."""
    target = f"zoo_{name}:X" if group == OPTIMIZERS else f"zoo_{name}"
    written = points or f"{name} = {target}"
    modules = {f"zoo_{name}.py": source} if source else {}
    dashed = name.replace("_", "-")
    return Fake(f"zoo-{dashed}", modules, f"[{group}]\n{written}\n", **others)  # type: ignore[arg-type]
