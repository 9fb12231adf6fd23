"""The functions of the sandbox reach nothing but this machine."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

CODE = """
import urllib.request


def handler(event, context):
    try:
        urllib.request.urlopen(event["url"], timeout=5)
    except OSError as error:
        return str(error)
    return "reached"
"""


def test_a_function_reaches_no_host_outside_of_this_machine(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """Whatever it is: a test, or the demo, sends nothing to anybody."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", CODE)
    make_function(unique, Code={"ZipFile": package.getvalue()}, Timeout=10)

    def outcome(url: str) -> str:
        reply = sandbox.client("lambda").invoke(FunctionName=unique, Payload=json.dumps({"url": url}))
        return str(json.loads(reply["Payload"].read()))

    assert "the sandbox has no host example.com" in outcome("https://example.com/")
    assert "the sandbox has no host 192.0.2.1" in outcome("http://192.0.2.1/")
    assert outcome(f"{sandbox.endpoint}/_sandbox/health") == "reached"
