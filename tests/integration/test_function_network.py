"""The processes of the sandbox's functions reach this machine only, and the peers by the names of their hosts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.tickets import github
from tests.paths import REPOSITORY
from tests.peers.server import Peers

if TYPE_CHECKING:
    from collections.abc import Iterator

NETWORK: Final = REPOSITORY / "sandbox" / "server" / "function_network.py"
ISSUES: Final = "https://api.github.com/repos/acme/platform/issues?labels=x&state=all&per_page=1&page=1"
HEADERS: Final = {"Authorization": f"Bearer {github.TOKEN}"}
LIBRARIES: Final = {
    "urllib": "import urllib.request as u; print(u.urlopen(u.Request({url!r}, headers={headers!r}), timeout=5).status)",
    "urllib3": "import urllib3; print(urllib3.request('GET', {url!r}, headers={headers!r}, retries=False).status)",
    "requests": "import requests; print(requests.get({url!r}, headers={headers!r}, timeout=5).status_code)",
    "httpx": "import httpx; print(httpx.Client(trust_env=False).get({url!r}, headers={headers!r}).status_code)",
}
"""How the libraries of the senders get an address."""


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    """Serve the peers."""
    with Peers() as serving:
        yield serving


def run(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run code as a function of the sandbox, whose process begins with the network."""
    begin = f"import runpy; runpy.run_path({str(NETWORK)!r}, run_name='__main__')\n"
    others = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env: dict[str, Any] = {**others, **settings}
    return subprocess.run(
        [sys.executable, "-c", begin + code], env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_library_reaches_a_peer_by_its_name_and_verifies_its_certificate(peers: Peers, library: str) -> None:
    """Nothing of the bot is changed for that: it verifies the certificate of each host."""
    done = run(LIBRARIES[library].format(url=ISSUES, headers=HEADERS), **peers.settings)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_certificate_of_the_peers_is_not_one_for_other_hosts(peers: Peers, library: str) -> None:
    """Its authority is trusted, and the name is compared all the same."""
    settings = {"SANDBOX_PEERS": peers.settings["SANDBOX_PEERS"].replace("api.github.com", "api.example.com")}
    url = ISSUES.replace("api.github.com", "api.example.com")
    done = run(LIBRARIES[library].format(url=url, headers=HEADERS), **settings)
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("url", ["https://example.com/", "http://api.github.com/", "http://192.0.2.1/"])
def test_no_other_name_and_no_other_address_is_reached(peers: Peers, library: str, url: str) -> None:
    """Neither is another port of a peer's host."""
    done = run(LIBRARIES[library].format(url=url, headers=HEADERS), **peers.settings)
    assert done.returncode == 1
    assert "the sandbox " in done.stderr


@pytest.mark.parametrize("way", ["connect", "connect_ex"])
def test_a_socket_connects_to_this_machine_only(way: str) -> None:
    """An address needs no name. Without peers it is the same."""
    done = run(f"import socket; socket.socket().{way}(('192.0.2.1', 443))")
    assert "ConnectionRefusedError: the sandbox does not connect to 192.0.2.1" in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached(host: str) -> None:
    """The functions call the APIs of AWS there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; socket.create_connection(({host!r}, {server.getsockname()[1]})); print('connected')"
        assert run(code).stdout == "connected\n"
