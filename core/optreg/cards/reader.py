"""Optimizer cards from source text, and from live classes. Nothing of the plugin is imported for the former.

A class that is not written out in its module (made by a call, brought in by ``import *``) is usable and has no card.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from importlib.util import decode_source
from pathlib import Path
from typing import Any, NamedTuple

from optreg.cards import Card, HyperparameterCard, OptimizerCard
from optreg.cards.digest import MOST_REEXPORTS, NO_CARD
from optreg.cards.docstrings import Docstring, parse_docstring
from optreg.cards.literals import UnreadableCard, evaluate_card
from optreg.cards.rule_options import RULE_OPTIONS, with_rule_options
from optreg.cards.source_files import locate

LARGEST_SOURCE = 2_000_000  # bytes; a larger file is generated, and reading it would slow every listing down

_NOT_SHOWN = ("self", "name")

Definition = ast.ClassDef | ast.FunctionDef


class Reading(NamedTuple):
    """What the source text of one entry point says.

    Args:
        card: The card; empty where the text does not hold one.
        path: The file that the target is defined in, where known.
        problem: Why the target cannot work, or why its card cannot be read; empty where all is well.
        next_step: What to do about the problem.
        note: Why there is no card although the target may work.
        hooks: Names of the functions in the file that are marked ``hookimpl``.
    """

    card: OptimizerCard = OptimizerCard()
    path: Path | None = None
    problem: str = ""
    next_step: str = ""
    note: str = ""
    hooks: tuple[str, ...] = ()


def read_card(target: str, distribution: str) -> Reading:
    """Read the card of ``module:Class``, or of ``module``, from its source file. Never raises, never imports."""
    module, _, name = target.partition(":")
    for _ in range(MOST_REEXPORTS):
        found = locate(module)
        if found.compiled:
            return Reading(path=found.path, note="compiled module: no source text to read the card from")
        if found.path is None:
            return Reading(problem=found.problem, next_step=f"pip install --force-reinstall {distribution}")
        try:
            onward = _read_file(found.path, module, name)
        except UnreadableCard as error:
            return Reading(path=found.path, problem=str(error), next_step=f"report it to the authors of {distribution}")
        if isinstance(onward, Reading):
            return onward
        module, name = onward
    return Reading(note="re-exported through too many modules: no card to read")


def _read_file(path: Path, module: str, name: str) -> Reading | tuple[str, str]:
    """Return what the file says of the name, or the (module, name) that it takes it from."""
    return read_tree(parse(path), path, module, name)


def read_tree(tree: ast.Module, path: Path, module: str, name: str) -> Reading | tuple[str, str]:
    """Return what a file, or the part of it that binds the name, says of it, or the (module, name) that it is from.

    Raises:
        UnreadableCard: The file does not define the name, or its card is no literal.
    """
    if not name:  # the module itself, as hook objects may be
        card = _assemble(parse_docstring(ast.get_docstring(tree)), None, iter(()))
        return Reading(card=card, path=path, hooks=_hooks(tree))
    definition = _definition(tree, name)
    if definition is None:
        raise UnreadableCard(f"module {module!r} defines no {name!r}")
    if isinstance(definition, ast.ClassDef | ast.FunctionDef) and definition.name == name:
        return Reading(card=_card_of(definition), path=path, hooks=_hooks(definition))
    onward = _reexport(definition, name, module=module, is_package=path.name == "__init__.py")
    return onward or Reading(path=path, note=NO_CARD)


def _hooks(owner: ast.Module | ast.ClassDef | ast.FunctionDef) -> tuple[str, ...]:
    """Return the names of the functions of a module or class that are marked as hooks."""
    functions = (node for node in owner.body if isinstance(node, ast.FunctionDef) and node.decorator_list)
    return tuple(node.name for node in functions if any("hookimpl" in ast.dump(mark) for mark in node.decorator_list))


def describe_class(cls: Callable[..., Any]) -> OptimizerCard:
    """Return the card of a live class or function. Equal to what ``read_card`` finds in its source text.

    A default that is not a literal is shown by its ``repr`` here and by its expression there.
    """
    doc = parse_docstring(inspect.cleandoc(cls.__doc__ or ""))
    own = vars(cls)
    if "_rule" in own:
        doc = _with_option_meanings(doc)
    function = own.get("__init__") if isinstance(cls, type) else cls
    parameters = inspect.signature(function).parameters.values() if callable(function) else ()
    card = own.get("card") if isinstance(cls, type) else None
    card = card if isinstance(card, Card) else None
    named = (item for item in parameters if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD))
    return _assemble(doc, card, ((item.name, *_live_default(item)) for item in named))


def parse(path: Path) -> ast.Module:
    """Parse a file, whatever it holds.

    Raises:
        UnreadableCard: It cannot be read or parsed.
    """
    try:
        if path.stat().st_size > LARGEST_SOURCE:
            raise UnreadableCard(f"its source file is larger than {LARGEST_SOURCE // 1_000_000} MB: {path.name}")
        return ast.parse(decode_source(path.read_bytes()), filename=path.name)
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        raise UnreadableCard(f"syntax error in {path.name}{where}: {error.msg}") from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableCard(f"{path.name} cannot be read: {type(error).__name__}: {error}") from None


def _definition(tree: ast.Module, name: str) -> ast.stmt | None:
    """Return the last statement at module level that binds the name; a star import may bind any."""
    found = None
    for statement in module_level(tree.body):
        if name.partition(".")[0] in bound_names(statement) or (found is None and "*" in bound_names(statement)):
            found = statement
    return found


def module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, also those inside ``if`` and ``try`` blocks."""
    for statement in body:
        yield statement
        for part in ("body", "orelse", "finalbody"):
            if isinstance(statement, ast.If | ast.Try | ast.With):
                yield from module_level(getattr(statement, part, []))
        for handler in getattr(statement, "handlers", []):
            yield from module_level(handler.body)


def bound_names(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds; ``*`` for names that only running it could tell."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        # A module's __getattr__ may serve any name.
        return {"*" if statement.name == "__getattr__" else statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in statement.names}
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _reexport(statement: ast.stmt, name: str, *, module: str, is_package: bool) -> tuple[str, str] | None:
    """Follow ``from .inner import Name`` inside the same top-level package."""
    if not isinstance(statement, ast.ImportFrom):
        return None
    origin = next((alias.name for alias in statement.names if (alias.asname or alias.name) == name), None)
    parents = module.split(".")
    up = statement.level - is_package
    inner = [statement.module] if statement.module else []
    if statement.level:
        inner = parents[: len(parents) - up] + inner
    path = ".".join(inner)
    return (path, origin) if origin and path.partition(".")[0] == parents[0] else None


def _card_of(definition: Definition) -> OptimizerCard:
    doc = parse_docstring(ast.get_docstring(definition))
    if isinstance(definition, ast.FunctionDef):
        return _assemble(doc, None, _signature(definition))
    signature: Iterator[tuple[str, bool, Any]] = iter(())
    if _is_rule(definition):
        return _card_of_rule(definition, doc)
    for statement in definition.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            signature = _signature(statement)
    return _assemble(doc, _declared(definition), signature)


def _declared(definition: ast.ClassDef) -> Card | None:
    """Return the card in the class body, or None."""
    card = None
    for statement in definition.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and "card" in bound_names(statement):
            card = evaluate_card(statement.value)
    return card


def _is_rule(definition: ast.ClassDef) -> bool:
    """Tell whether a class is written the short way, by its base."""
    named = (base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in definition.bases)
    return "UpdateRule" in named


def _card_of_rule(definition: ast.ClassDef, doc: Docstring) -> OptimizerCard:
    """Return the card of a rule, whose constructor follows from the keyword arguments of its ``update``."""
    rules = [item for item in definition.body if isinstance(item, ast.FunctionDef) and item.name == "update"]
    keywords = {argument.arg for rule in rules for argument in rule.args.kwonlyargs}
    own = [item for rule in rules for item in _signature(rule) if item[0] in keywords]
    options = [(option.name, option.required, option.default) for option in RULE_OPTIONS]
    return _assemble(
        _with_option_meanings(doc), with_rule_options(_declared(definition) or Card()), iter([*own, *options])
    )


def _with_option_meanings(doc: Docstring) -> Docstring:
    return doc._replace(arguments={**{option.name: option.meaning for option in RULE_OPTIONS}, **doc.arguments})


def _signature(function: ast.FunctionDef) -> Iterator[tuple[str, bool, Any]]:
    """Yield (name, required, default) of each argument; ``*args`` and ``**kwargs`` are left out."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    missing = len(positional) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *arguments.defaults, *arguments.kw_defaults]
    for argument, default in zip(positional + arguments.kwonlyargs, defaults, strict=True):
        yield argument.arg, default is None, None if default is None else _written_default(default)


def _written_default(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.unparse(node)


def _live_default(parameter: inspect.Parameter) -> tuple[bool, Any]:
    if parameter.default is parameter.empty:
        return True, None
    literal = isinstance(parameter.default, int | float | complex | str | bytes | tuple | list | dict | None)
    return False, parameter.default if literal else repr(parameter.default)


def _assemble(doc: Docstring, card: Card | None, signature: Iterator[tuple[str, bool, Any]]) -> OptimizerCard:
    ranges = card.ranges if card else {}
    hyperparameters = tuple(
        HyperparameterCard(name, default, required, str(ranges.get(name, "")), doc.arguments.get(name, ""))
        for name, required, default in signature
        if name not in _NOT_SHOWN
    )
    return OptimizerCard(doc.summary, doc.description, doc.rule, hyperparameters, card)
