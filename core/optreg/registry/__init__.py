"""From names to classes to instances."""

from optreg.registry.registry import Registry, default_registry

__all__ = ["Registry", "default_registry"]
