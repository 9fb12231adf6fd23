"""Resource-based policies in memory, as strict as Lambda: revisions, Sids, and AddPermission's own statements."""

from __future__ import annotations

import hashlib
import json
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from permission_guard.errors import RetryableError, WriteFailedError
from permission_guard.fixes.invoke_policies import InvokePolicy
from permission_guard.fixes.policy_snapshots import policy_in, with_statements
from permission_guard.model.findings import PlannedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.invoke_events import InvokeCaller, NotRecorded
    from permission_guard.model.state import Snapshot, Unread
    from permission_guard.model.targets import FunctionTarget

CONDITIONS = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
}
"""How Lambda writes the parameters of AddPermission."""


@dataclass
class InMemoryPolicies:
    """The policies of the snapshot `state`. `before_call` runs before each write, to simulate another writer.

    `stale_reads` later reads show the policy as it was before the last write. `made` are the calls that were accepted.
    `callers` is who invoked the function, as CloudTrail's data events say.
    """

    state: Snapshot
    _: KW_ONLY
    atomic: bool = False
    every_source_is_seen: bool = False
    callers: tuple[InvokeCaller, ...] | NotRecorded | None = None
    asked_for_callers: list[FunctionTarget] = field(default_factory=list)
    policy_unread: Unread | None = None
    stale_after_writes: int = 0
    made: list[PlannedCall] = field(default_factory=list)
    documents: list[list[dict[str, Any]]] = field(default_factory=list)
    before_call: Callable[[], None] = lambda: None
    _stale: tuple[int, InvokePolicy] | None = None

    def replaces_policies(self) -> bool:
        return self.atomic

    def sees_every_source(self, target: FunctionTarget) -> bool:
        return self.every_source_is_seen

    def invoke_callers(self, target: FunctionTarget) -> tuple[InvokeCaller, ...] | NotRecorded | None:
        self.asked_for_callers.append(target)
        return self.callers

    def invoke_policy(self, resource_arn: str) -> InvokePolicy | Unread:
        if self.policy_unread:
            return self.policy_unread
        if self._stale and self._stale[0] > 0:
            self._stale = (self._stale[0] - 1, self._stale[1])
            return self._stale[1]
        return self.current(resource_arn)

    def current(self, resource_arn: str) -> InvokePolicy:
        """Return the policy as it is, whatever reads show."""
        policy = policy_in(self.state, resource_arn)
        if policy is None:
            return InvokePolicy(resource_arn, "", (), {})
        document: Any = policy.document.document
        text = json.dumps(document, sort_keys=True)
        return InvokePolicy.of(resource_arn, document, hashlib.sha256(text.encode()).hexdigest()[:8])

    def add_permission(self, parameters: Mapping[str, Any], revision: str) -> None:
        arn, held = self._of_revision(parameters, revision)
        if any(one["Sid"] == parameters["StatementId"] for one in held):
            raise RetryableError("The statement id provided already exists")
        statement: dict[str, Any] = {
            "Sid": parameters["StatementId"],
            "Effect": "Allow",
            "Principal": {"Service": parameters["Principal"]},
            "Action": parameters["Action"],
            "Resource": arn,
        }
        for name, (operator, key) in CONDITIONS.items():
            if name in parameters:
                statement.setdefault("Condition", {}).setdefault(operator, {})[key] = parameters[name]
        assert parameters.keys() <= {
            *("FunctionName", "Qualifier", "StatementId", "Action", "Principal"),
            *CONDITIONS,
        }
        self._write(arn, [*held, statement], "lambda:AddPermission", parameters)

    def remove_permission(self, parameters: Mapping[str, Any], revision: str) -> None:
        arn, held = self._of_revision(parameters, revision)
        left = [one for one in held if one.get("Sid") != parameters["StatementId"]]
        if len(left) == len(held):
            raise WriteFailedError("lambda:RemovePermission failed with ResourceNotFoundException")
        self._write(arn, left, "lambda:RemovePermission", parameters)

    def put_resource_policy(self, parameters: Mapping[str, Any], revision: str) -> None:
        assert self.atomic, "IAM denies PutResourcePolicy"
        arn, _ = self._of_revision({"FunctionName": parameters["ResourceArn"]}, revision)
        self._write(arn, json.loads(parameters["Policy"])["Statement"], "lambda:PutResourcePolicy", parameters)

    def set_statements(self, resource_arn: str, statements: list[dict[str, Any]]) -> None:
        """Change a policy as somebody else does."""
        self.state = with_statements(self.state, resource_arn, statements)

    def statements(self, resource_arn: str) -> list[Mapping[str, Any]]:
        """Return the statements as they are."""
        return list(self.current(resource_arn).statements)

    def _of_revision(self, parameters: Mapping[str, Any], revision: str) -> tuple[str, list[dict[str, Any]]]:
        self.before_call()
        qualifier = parameters.get("Qualifier")
        arn = f"{parameters['FunctionName']}:{qualifier}" if qualifier else parameters["FunctionName"]
        current = self.current(arn)
        if current.revision != revision:
            raise RetryableError("PreconditionFailedException: The Revision Id provided does not match the latest")
        return arn, [dict(one) for one in current.statements]

    def _write(self, arn: str, statements: list[dict[str, Any]], action: str, parameters: Mapping[str, Any]) -> None:
        if self.stale_after_writes:
            self._stale = (self.stale_after_writes, self.current(arn))
        self.set_statements(arn, statements)
        self.made.append(PlannedCall(operation=action, parameters=parameters))
        self.documents.append(statements)
