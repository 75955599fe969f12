"""Making digests: of a whole source file, which is parsed once, and of a live class."""

from __future__ import annotations

import ast
from pathlib import Path

from optreg.cards import Card, OptimizerCard
from optreg.cards.digest import MODULE, NO_CARD, WHOLE_FILE, Digest
from optreg.cards.literals import UnreadableCard
from optreg.cards.reader import Reading, bound_names, module_level, parse, read_tree


def digest_file(path: Path, module: str) -> dict[str, Digest]:
    """Return the digest of every name that the file defines, of the module itself, and of what holds for the rest."""
    try:
        tree = parse(path)
    except UnreadableCard as error:
        return {WHOLE_FILE: Digest(problem=str(error))}
    # The last statement that binds a name decides; each is read by itself, or a long file would be searched for each.
    parts = {name: [statement] for statement in module_level(tree.body) for name in bound_names(statement)}
    found = {}
    unknown = parts.pop(WHOLE_FILE, None)
    for name, part in sorted({**parts, MODULE: tree.body}.items()):
        try:
            read = read_tree(ast.Module(part, []), path, module, name)
        except UnreadableCard as error:
            found[name] = Digest(problem=str(error))
            continue
        if isinstance(read, Reading):
            found[name] = digest_of_card(read.card, note=read.note, hooks=read.hooks)
        else:
            found[name] = Digest(onward=":".join(read))
    if unknown:  # a star import or a module's __getattr__ may bring any further name
        found[WHOLE_FILE] = Digest(note=NO_CARD)
    return found


def digest_of_card(card: OptimizerCard, *, note: str = "", hooks: tuple[str, ...] = ()) -> Digest:
    """Return the digest of a card that has been read."""
    declared = card.declared or Card()
    return Digest(
        summary=card.summary,
        aliases=declared.aliases,
        capabilities=tuple(sorted(declared.capabilities)) if card.declared else (),
        declared=card.declared is not None,
        api=declared.api if card.declared else 0,
        tensorflow=declared.tensorflow,
        requires=declared.requires,
        deprecated=tuple((old.name, old.since, old.removal, old.replacement) for old in declared.deprecated),
        hooks=hooks,
        note=note,
    )
