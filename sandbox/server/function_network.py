"""The network of a function's process: this machine only. It runs there, before the function, with nothing but Python.

No name outside of this machine is resolved, and no address outside of it is connected to. SANDBOX_PEERS can name hosts
that another process plays: port 443 of these is a port of this machine, whose certificate is trusted in addition to
those that a library trusts. It is JSON: `{"hosts": ["api.github.com"], "port": 50123, "ca": "/path/of/ca.pem"}`.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "SANDBOX_PEERS"
HTTPS = 443
_LOOPBACK = "127.0.0.1"
_INTERNET = (socket.AF_INET, socket.AF_INET6)


def confine(peers: Mapping[str, Any]) -> None:
    """Confine this process to this machine, and lead the names of the peers to their port."""
    hosts = frozenset(peers.get("hosts", ()))
    lookup = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in hosts and str(port) == str(HTTPS):
            return lookup(_LOOPBACK, peers["port"], *rest, **options)
        if not is_on_this_machine(name):
            raise socket.gaierror(socket.EAI_NONAME, f"the sandbox has no host {name}")
        return lookup(host, port, *rest, **options)

    socket.getaddrinfo = getaddrinfo
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _only_here(getattr(socket.socket, name)))
    if hosts:
        _trust(peers["ca"])


def is_on_this_machine(host: str | None) -> bool:
    """Return whether a name or an address is one of this machine."""
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _only_here(connect: Callable[..., Any]) -> Callable[..., Any]:
    def confined(self: socket.socket, address: Any) -> Any:
        if self.family in _INTERNET and not is_on_this_machine(address[0]):
            raise ConnectionRefusedError(f"the sandbox does not connect to {address[0]}")
        return connect(self, address)

    return confined


def _trust(ca: str) -> None:
    """Trust a certificate authority wherever others are trusted, whichever file they come from."""
    load = ssl.SSLContext.load_verify_locations

    def trusting(inner: Callable[..., None]) -> Callable[..., None]:
        def loaded(context: ssl.SSLContext, *given: Any, **options: Any) -> None:
            inner(context, *given, **options)
            load(context, ca)

        return loaded

    for name in ("load_verify_locations", "load_default_certs"):
        setattr(ssl.SSLContext, name, trusting(getattr(ssl.SSLContext, name)))


if __name__ == "__main__":
    confine(json.loads(os.environ.get(VARIABLE) or "{}"))
