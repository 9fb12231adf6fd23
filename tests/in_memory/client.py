"""Clients like boto3's, whose calls are answered in memory.

They have what the stack uses of boto3: operations by their Python names, paginators, exceptions, and the service's
model. Parameters are not validated: the fuzz and integration tests use real clients.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.handlers import json_decode_policies

from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[[str, str, dict[str, Any]], dict[str, Any]]
    """Answers a call: the service, the operation as AWS spells it, and its parameters. RejectedError for an error."""

REGION = "us-east-1"


class Client:
    """A client of one service. `call` answers."""

    def __init__(self, service: str, call: Call) -> None:
        self._service, self._call = service, call
        self._real: Any = _real(service)
        self.meta, self.exceptions = self._real.meta, self._real.exceptions

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        operation = self.meta.method_to_api_mapping[name]

        def call(**params: Any) -> dict[str, Any]:
            try:
                reply = self._call(self._service, operation, params)
            except RejectedError as error:
                raise self._error(error, operation) from None
            if self._service == "iam":  # the SDK decodes the documents of IAM
                json_decode_policies(reply, self.meta.service_model.operation_model(operation))
            reply.setdefault("ResponseMetadata", {"HTTPStatusCode": 200})
            return reply

        setattr(self, name, call)
        return call

    def get_paginator(self, name: str) -> _Paginator:
        """Return what reads all pages: each operation answers with one."""
        return _Paginator(getattr(self, name))

    def _error(self, error: RejectedError, operation: str) -> Exception:
        reply = {
            "Error": {"Code": error.code, "Message": error.message, "QueryErrorCode": error.modeled},
            "ResponseMetadata": {"HTTPStatusCode": error.status},
            **error.reply,
        }
        kind: type[Exception] = self.exceptions.from_code(error.modeled)
        return kind(reply, operation)


class _Paginator:
    def __init__(self, operation: Callable[..., dict[str, Any]]) -> None:
        self._operation = operation

    def paginate(self, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield the only page."""
        params.pop("PaginationConfig", None)
        yield self._operation(**params)


@cache
def _real(service: str) -> Any:
    """Return boto3's client, for its model and its exceptions; it calls nobody."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client(service, region_name=REGION, **keys)  # type: ignore[call-overload]
