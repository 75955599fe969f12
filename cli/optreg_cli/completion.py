"""Shell completion of optimizer names, from entry-point metadata alone."""

from __future__ import annotations


def complete_name(incomplete: str) -> list[str]:
    """Return the names that begin with what is typed; qualified ones once a ``/`` is typed."""
    from optreg.discovery.entries import fold
    from optreg.errors import OptregError
    from optreg.registry import default_registry

    registry = default_registry()
    try:
        entries = registry.entries()
    except OptregError:  # a setting that cannot be read is reported by the command itself, not into the prompt
        return []
    names = {entry.qualified_name if "/" in incomplete else registry.display_name(entry) for entry in entries}
    return sorted(name for name in names if name.startswith((fold(incomplete), incomplete)))
