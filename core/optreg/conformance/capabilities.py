"""What checks ask of a card before they apply."""

from __future__ import annotations

from optreg.conformance.definition import Capability

SPARSE = Capability("sparse gradients", lambda card: card.sparse != "none")
SPARSE_EXACT = Capability("sparse='exact'", lambda card: card.sparse == "exact")
SPARSE_ROWS_ONLY = Capability("sparse='lazy' or 'decaying'", lambda card: card.sparse in {"lazy", "decaying"})
SPARSE_LAZY = Capability("sparse='lazy'", lambda card: card.sparse == "lazy")
NOT_SPARSE = Capability("sparse='none'", lambda card: card.sparse == "none")
COMPILED = Capability("xla=True", lambda card: card.xla)
EXPECTING = Capability("expected failures", lambda card: bool(card.expected_failures))
RANGES = Capability("ranges", lambda card: bool(card.ranges))
