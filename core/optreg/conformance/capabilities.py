"""What checks ask of a card before they apply."""

from __future__ import annotations

from optreg.conformance.definition import Capability

NARROW = frozenset({"float16", "bfloat16"})

SPARSE = Capability("sparse gradients", lambda card: card.sparse != "none")
SPARSE_EXACT = Capability("sparse='exact'", lambda card: card.sparse == "exact")
SPARSE_ROWS_ONLY = Capability("sparse='lazy' or 'decaying'", lambda card: card.sparse in {"lazy", "decaying"})
SPARSE_LAZY = Capability("sparse='lazy'", lambda card: card.sparse == "lazy")
NOT_SPARSE = Capability("sparse='none'", lambda card: card.sparse == "none")
LOW_PRECISION = Capability("a dtype of 16 bits", lambda card: bool(NARROW & set(card.dtypes)))
FLOAT16 = Capability("float16", lambda card: "float16" in card.dtypes)
FLOAT32 = Capability("float32", lambda card: not card.dtypes or "float32" in card.dtypes)
REFERENCE = Capability("a reference", lambda card: bool(card.reference))
NOT_COMPILED = Capability("xla=False", lambda card: not card.xla)
SPARSE_COMPILED = Capability("sparse gradients and xla=True", lambda card: card.sparse != "none" and card.xla)
COMPILED = Capability("xla=True", lambda card: card.xla)
EXPECTING = Capability("expected failures", lambda card: bool(card.expected_failures))
RANGES = Capability("ranges", lambda card: bool(card.ranges))
