"""Build error responses in the formats that the AWS SDKs parse."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.responses import error_response_json

Response = tuple[int, dict[str, str], bytes]

_IAM_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


def json_error(code: str, message: str, status: int = 400, **members: Any) -> Response:
    """Return a JSON error, as Lambda and Systems Manager return it."""
    response: Response = error_response_json(code, message, status)
    if not members:
        return response
    return response[0], response[1], json.dumps({**json.loads(response[2]), **members}).encode()


def xml_error(code: str, message: str, status: int, request_id: str) -> Response:
    """Return a query-protocol error, as IAM returns it."""
    kind = "Sender" if status < 500 else "Receiver"  # noqa: PLR2004 - HTTP server errors
    body = (
        f'<ErrorResponse xmlns="{_IAM_NAMESPACE}"><Error><Type>{kind}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return status, {"Content-Type": "text/xml"}, body.encode()


class ApiError(Exception):
    """An error that AWS would return, with its code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status

    def response(self) -> Response:
        """Return the error as a JSON response."""
        return json_error(self.code, self.message, self.status)
