"""Keeps Python on this machine: a connection or a look-up of a name that would leave it raises.

The file uses the standard library alone, because child processes start with its text as their ``sitecustomize``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any


class NetworkBlocked(OSError):
    """Something tried to leave the machine."""


def is_here(host: Any, own: frozenset[str]) -> bool:
    """Tell whether a host is this machine."""
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost", socket.gethostname()) or host in own:
        return True
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    return False


def own_addresses() -> frozenset[str]:
    """Return the address that others know this machine by; a datagram socket that connects sends nothing."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return frozenset({str(probe.getsockname()[0])})
    return frozenset()


def replacements() -> Iterator[tuple[Any, str, Any]]:
    """Yield object, attribute and new value for everything that reaches out."""
    own = own_addresses()

    def guarded(original: Any) -> Any:
        def call(self: socket.socket, address: Any, *rest: Any) -> Any:
            local = not isinstance(address, tuple) or is_here(address[0], own)
            if local or self.type == socket.SOCK_DGRAM:
                return original(self, address, *rest)
            raise NetworkBlocked(f"the tests reach no network, and something connects to {address}")

        return call

    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if is_here(host, own):
            return look_up(host, *rest, **named)
        raise NetworkBlocked(f"the tests reach no network, and something looks up {host!r}")

    yield socket, "getaddrinfo", getaddrinfo
    for name in ("connect", "connect_ex"):
        yield socket.socket, name, guarded(getattr(socket.socket, name))


def block() -> None:
    """Block the network for the rest of this process."""
    for target, name, value in list(replacements()):
        setattr(target, name, value)
