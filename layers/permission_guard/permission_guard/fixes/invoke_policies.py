"""Resource-based policies as fixes compare and write them: statements by content, and AddPermission's parameters."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.arns import parse_function_arn
from permission_guard.model.findings import PlannedCall
from permission_guard.model.names import STATEMENT_ID
from permission_guard.records import record
from permission_guard.remedies.permission import Permission, permissions_of, sid, statement_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from permission_guard.model.targets import JSON

    Statement = Mapping[str, JSON]

ADD: Final = "lambda:AddPermission"
REMOVE: Final = "lambda:RemovePermission"
PUT: Final = "lambda:PutResourcePolicy"

OWN_SIDS: Final = "permission-guard-"
"""The prefix of the Sids that fixes write. No tool that writes statements uses it."""

SERVICES: Final = frozenset(
    {
        "apigateway.amazonaws.com",
        "cognito-idp.amazonaws.com",
        "config.amazonaws.com",
        "elasticloadbalancing.amazonaws.com",
        "events.amazonaws.com",
        "iot.amazonaws.com",
        "lambda.alarms.cloudwatch.amazonaws.com",
        "logs.amazonaws.com",
        "s3.amazonaws.com",
        "secretsmanager.amazonaws.com",
        "sns.amazonaws.com",
    }
)
"""The only services that fixes may allow: those whose triggers the bot can list. template.yaml allows exactly these,
and their regional principals."""

_VERSION: Final = "2012-10-17"
_DIGITS_OF_A_SID: Final = 16
_DIGITS: Final = 32


@record
class InvokePolicy:
    """The resource-based policy of a function, version or alias. Without one, `revision` and `statements` are empty.

    `elements` are the elements of the document besides the statements.
    """

    resource_arn: str
    revision: str
    statements: tuple[Statement, ...]
    elements: Mapping[str, JSON]

    @classmethod
    def of(cls, resource_arn: str, document: Mapping[str, JSON], revision: str) -> InvokePolicy:
        """Return the policy with a document."""
        elements = {name: value for name, value in document.items() if name != "Statement"}
        return cls(resource_arn, revision, statements_in(document), elements)

    def with_statements(self, statements: Iterable[Statement]) -> dict[str, JSON]:
        """Return the document with other statements."""
        return {"Version": _VERSION, **self.elements, "Statement": [dict(one) for one in statements]}


def statements_in(document: object) -> tuple[Statement, ...]:
    """Return the statements of a document, which can be one or a list."""
    found = document.get("Statement", ()) if isinstance(document, dict) else ()
    return tuple(found) if isinstance(found, (list, tuple)) else (found,)


def digest_of(statement: object) -> str:
    """Return a digest of what a statement says: equal for each form in which AWS may return the same statement."""
    return _digest(_plain(statement))[:_DIGITS]


def digest_of_all(statements: Iterable[Statement]) -> str:
    """Return a digest of statements. Their order has no meaning."""
    return _digest(sorted(map(digest_of, statements)))[:_DIGITS]


def size_of(document: Mapping[str, JSON]) -> int:
    """Return the size of a document in bytes, as Lambda counts it: without spaces."""
    return len(text_of(document).encode(errors="replace"))


def text_of(document: Mapping[str, JSON]) -> str:
    """Return a document as it is written, without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def named(statement: Statement) -> dict[str, JSON]:
    """Return a statement with a Sid of our own, which names its service and its content."""
    content = {name: value for name, value in statement.items() if name != "Sid"}
    principal = content.get("Principal")
    service = principal.get("Service", "") if isinstance(principal, dict) else ""
    label = f"{service.split('.', 1)[0]}-" if isinstance(service, str) and service else ""
    return {"Sid": sid(OWN_SIDS, f"{label}{digest_of(content)[:_DIGITS_OF_A_SID]}"), **content}


def is_own(statement: Statement) -> bool:
    """Return whether a fix wrote a statement, and nobody changed it since: its Sid names its content."""
    return bool(statement.get("Sid") == named(statement)["Sid"])


def permission_of(statement: Statement, resource_arn: str) -> Permission | None:
    """Return the permission with which AddPermission writes exactly a statement, for a service; None if it cannot.

    IAM denies the bot every other principal.
    """
    name = statement.get("Sid")
    if not isinstance(name, str) or not STATEMENT_ID.match(name):
        return None
    from permission_guard.invokers import invoker_of  # noqa: PLC0415 - few messages lead to a change of a policy

    found = permissions_of(statement, resource_arn)
    if len(found) != 1 or invoker_of(found[0].principal).principal not in SERVICES:
        return None
    written = statement_of(found[0], resource_arn)
    return found[0] if digest_of(written) == digest_of(statement) else None


def call_to_add(permission: Permission, resource_arn: str) -> PlannedCall:
    """Return the call that adds a statement."""
    names = {
        "statement_id": "StatementId",
        "action": "Action",
        "principal": "Principal",
        "source_arn": "SourceArn",
        "source_account": "SourceAccount",
        "event_source_token": "EventSourceToken",
    }
    given = {names[name]: value for name, value in permission.values.items() if name in names}
    return PlannedCall(operation=ADD, parameters={**_function(resource_arn), **given})


def call_to_remove(name: str, resource_arn: str) -> PlannedCall:
    """Return the call that removes the statement with a Sid."""
    return PlannedCall(operation=REMOVE, parameters={**_function(resource_arn), "StatementId": name})


def call_to_put(document: Mapping[str, JSON], resource_arn: str) -> PlannedCall:
    """Return the call that replaces a whole policy."""
    return PlannedCall(operation=PUT, parameters={"ResourceArn": resource_arn, "Policy": text_of(document)})


def _function(resource_arn: str) -> dict[str, JSON]:
    """Return the parameters that name the function, version or alias of a policy."""
    target, qualifier = parse_function_arn(resource_arn)
    return {"FunctionName": target.arn, **({"Qualifier": qualifier} if qualifier else {})}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _plain(statement: object) -> object:
    """Return a statement without the differences that have no meaning: a list of one, the case of a condition key.

    An empty Condition element has none either.
    """
    if not isinstance(statement, dict):
        return statement
    plain = {name: _values(value) for name, value in statement.items() if name != "Condition"}
    condition = statement.get("Condition")
    if condition == {}:
        return plain
    if isinstance(condition, dict):
        plain["Condition"] = {operator: _keys(keys) for operator, keys in condition.items()}
    elif condition is not None:
        plain["Condition"] = condition
    return plain


def _keys(keys: Any) -> object:
    if not isinstance(keys, dict):
        return keys
    plain = {str(key).lower(): _values(value) for key, value in keys.items()}
    return plain if len(plain) == len(keys) else dict(keys)  # with two spellings of a key, both conditions count


def _values(value: Any) -> object:
    if isinstance(value, dict):
        return {name: _values(one) for name, one in value.items()}
    if not isinstance(value, list):
        return ["true" if value is True else "false" if value is False else value]
    return _sorted(["true" if one is True else "false" if one is False else one for one in value])


def _sorted(values: Sequence[object]) -> list[object]:
    return sorted(values, key=str)
