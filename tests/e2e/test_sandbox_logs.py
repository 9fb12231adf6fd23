"""The logs of functions in the sandbox."""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

LINES = 700
CODE = """
def handler(event, context):
    for number in range({lines}):
        print(f"{{context.aws_request_id}} {{number:04}}", "x" * 100)
    if event == "fail":
        raise RuntimeError("wanted")
"""


def package(code: str) -> bytes:
    """Return a deployment package with this module."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", code)
    return content.getvalue()


def test_each_invocation_has_all_of_its_log(sandbox: Sandbox, unique: str, make_function: Callable[..., str]) -> None:
    """Also when several run at the same time, and one fails. No invocation gets the lines of another."""
    make_function(unique, Code={"ZipFile": package(CODE.format(lines=LINES))})

    def invoke(payload: bytes) -> str:
        reply = sandbox.client("lambda").invoke(FunctionName=unique, Payload=payload)
        return str(reply["ResponseMetadata"]["RequestId"])

    with ThreadPoolExecutor(4) as pool:
        requests = list(pool.map(invoke, [b"1", b"2", b"3", b'"fail"'] * 3))
    pages = sandbox.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{unique}")
    streams: dict[str, list[str]] = {}
    for event in (event for page in pages for event in page["events"]):
        streams.setdefault(event["logStreamName"], []).append(event["message"])
    assert len(streams) == len(requests)
    for lines in streams.values():
        request_id = lines[0].split()[2]
        numbers = [line.split()[:2] for line in lines if line.endswith("x")]
        assert numbers == [[request_id, f"{number:04}"] for number in range(LINES)]
