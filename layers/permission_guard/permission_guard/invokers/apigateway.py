"""Amazon API Gateway: REST, HTTP and WebSocket APIs and authorizers. An integration with `credentials` uses a role.

In the ARN that an API sends, no path parameter has its name. Whether a method `ANY` is sent as `ANY` or as the method
of the request is disputed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from permission_guard.invokers.base import Invoker, Sent

if TYPE_CHECKING:
    from collections.abc import Mapping

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

STAGE_VARIABLE: Final = re.compile(r"\$\{stageVariables\.(?P<name>\w+)\}")

_INVOCATION: Final = re.compile(r".+:lambda:path/+[^/]+/functions/(?P<function>.+)/[a-z-]*invocations")
_EVERY_STAGE: Final = re.compile(r"(?<=[^/])/\*/(?=[^/]*/)")
_PARAMETER: Final = re.compile(r"\{[^}]*\}")

INVOKER = Invoker(
    "apigateway.amazonaws.com",
    "API",
    "arn:{partition}:execute-api:{region}:{account}:API-ID/STAGE/METHOD/PATH",
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html",
    article="an",
    other_source_arns=(
        "arn:{partition}:execute-api:{region}:{account}:API-ID/STAGE/ROUTE-KEY",
        "arn:{partition}:execute-api:{region}:{account}:API-ID/authorizers/AUTHORIZER-ID",
    ),
    disputed_source_arns=("arn:{partition}:execute-api:{region}:{account}:API-ID/STAGE/ANY-METHOD/PATH",),
    correction=(rf"(?<=/){_PARAMETER.pattern}", "*"),
    names={
        "API-ID": r"[\w.\-]+",
        "STAGE": r"$?[\w\-]+",
        "METHOD": "|".join(METHODS),
        "ANY-METHOD": "ANY",
        "PATH": "[^{}]*",
        "ROUTE-KEY": "[^/{}]+",
        "AUTHORIZER-ID": r"[\w\-]+",
    },
    sends_source_account=Sent.UNKNOWN,
)


def invoked_function(uri: str, variables: Mapping[str, str]) -> str:
    """Return the function in the URI of an integration or an authorizer, with the values of the stage variables."""
    resolved = STAGE_VARIABLE.sub(lambda match: variables.get(match["name"], match[0]), uri)
    match = _INVOCATION.fullmatch(resolved)
    return match["function"] if match else resolved


def in_one_stage(pattern: str) -> str:
    """Return a pattern of ARNs with a stage in place of a `*` that stands for the stage, and could match more."""
    return _EVERY_STAGE.sub("/stage/", pattern, count=1)


def sent_for(method: str, path: str) -> tuple[str, ...]:
    """Return what may follow the stage in the ARN that is sent for a method and path; the last is a pattern of all."""
    methods = (*METHODS, "*") if method == "ANY" else (method,)
    return tuple(f"{each}{_PARAMETER.sub('*', path)}" for each in methods)


def disputed_for(method: str, path: str, *, is_http: bool = False) -> tuple[str, ...]:
    """Return what may follow the stage if a disputed report is right: `ANY`, or the path parameters of an HTTP API."""
    plain = _PARAMETER.sub("*", path)
    any_method = (f"ANY{plain}",) if method == "ANY" else ()
    methods = (*METHODS, "ANY") if method == "ANY" else (method,)
    named = tuple(f"{each}{path}" for each in methods) if is_http and path != plain else ()
    return (*any_method, *named)


def split_route(key: str) -> tuple[str, str]:
    """Return the method and the path of a route; only routes of HTTP APIs, but not `$default`, have a path."""
    method, _, path = key.partition(" ")
    return method, path
