"""From names to classes to instances."""

from optreg.registry.process import default_registry, registry_in_use
from optreg.registry.registry import Registry

__all__ = ["Registry", "default_registry", "registry_in_use"]
