"""AWS STS on loopback: it answers GetCallerIdentity, and checks signatures as AWS documents them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CALLER = "arn:aws:sts::123456789012:assumed-role/platform/jane"

ANSWER = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>{arn}</Arn><UserId>AROAEXAMPLE:jane</UserId><Account>123456789012</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
ERROR = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code>
<Message>refused</Message></Error><RequestId>1</RequestId></ErrorResponse>"""
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<scope>(?P<date>\d{8})/(?P<region>[\w-]+)/sts/aws4_request), ?"
    r"SignedHeaders=(?P<headers>[\w;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Sts:
    """The server: `status` and `body` replace its answer, and `requests` are the headers that it received."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.caller = CALLER
        self.failure: tuple[int, str] | None = None
        self.requests: list[dict[str, str]] = []

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """Return status and body."""
        self.requests.append(headers)
        if self.failure:
            return self.failure
        if not _is_signed(headers, body):
            return 403, ERROR.format(code="SignatureDoesNotMatch")
        return 200, ANSWER.format(arn=self.caller)


def _is_signed(headers: dict[str, str], body: bytes) -> bool:
    given = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if given is None or given["key"] != KEY_ID:
        return False
    signed = "".join(f"{name}:{headers.get(name, '')}\n" for name in given["headers"].split(";"))
    canonical = f"POST\n/\n\n{signed}\n{given['headers']}\n{hashlib.sha256(body).hexdigest()}"
    text = "\n".join(
        ["AWS4-HMAC-SHA256", headers["x-amz-date"], given["scope"], hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{SECRET}".encode()
    for part in (given["date"], given["region"], "sts", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), given["signature"])


@contextmanager
def running() -> Iterator[Sts]:
    """Run the server on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = sts.answer({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sts = Sts(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield sts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
