"""Start the proxy as a process of its own, and talk to it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.scanners.account.builder import SEED
from benchmarks.scanners.account.model import REGION
from benchmarks.scanners.aws.proxy import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

LATENCY: Final = 0.04


@dataclass(frozen=True, slots=True)
class Server:
    """A proxy that serves one account."""

    port: int

    @property
    def url(self) -> str:
        """The endpoint of every AWS service."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What lets an AWS SDK reach the proxy and nothing else, with placeholders as credentials."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "placeholder",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def start_run(self, *, limits: bool, latency: float = LATENCY) -> None:
        """Clear the counts, fill the buckets, and set the latency in seconds."""
        self._post("/-/run", {"latency": latency, "limits": limits})

    def counts(self) -> dict[str, Any]:
        """Return what was counted since the run was started."""
        return self._post("/-/counts", {})

    def _post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, json.dumps(content).encode())  # noqa: S310 - loopback
        # Without the proxies of the environment: the address is on the loopback interface.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as reply:
            found: dict[str, Any] = json.load(reply)
            return found


@contextmanager
def running_server(size: int, seed: int = SEED, *, published: bool = True) -> Iterator[Server]:
    """Serve an account of a size until the end of the block."""
    command = [sys.executable, "-m", "benchmarks.scanners.aws.server", str(size), str(seed)]
    command += [] if published else ["unpublished"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the proxy ended with exit code {process.wait()} before it was ready")
            yield Server(int(line))
        finally:
            process.terminate()
