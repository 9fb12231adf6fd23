"""The account that is watched: functions, policies and roles that change, with the CloudTrail event of each change.

What IAM is told becomes visible later, at a time that the seed decides.
"""

from __future__ import annotations

import copy
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tests.fakes import ACCOUNT, LOGS, REGION, SQS_POLICY, SQS_POLICY_ARN, TRUST_LAMBDA, allow
from tests.in_memory.errors import RejectedError
from tests.paths import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Event = dict[str, Any]

QUEUE_ARN: Final = f"arn:aws:sqs:{REGION}:{ACCOUNT}:incoming"
PARTNER: Final = "111122223333"
LOGS_POLICY_ARN: Final = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
ADMINISTRATOR_ARN: Final = "arn:aws:iam::aws:policy/AdministratorAccess"
MANAGED: Final = {
    SQS_POLICY_ARN: SQS_POLICY,
    LOGS_POLICY_ARN: allow(*LOGS),
    ADMINISTRATOR_ARN: allow("*"),
}
"""The managed policies of AWS that exist."""


@dataclass(slots=True)
class Function:
    """A function: its role, the statements of its policy by Sid, its mappings by UUID, its tags."""

    role: str
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    mappings: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    modified_at: float = 0.0


@dataclass(slots=True)
class Role:
    """A role: the ARNs of its policies, the documents of its inline policies, and who may assume it."""

    attached: set[str] = field(default_factory=lambda: {LOGS_POLICY_ARN})
    inline: dict[str, dict[str, Any]] = field(default_factory=dict)
    trust: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(TRUST_LAMBDA))


class Account:
    """Answers what the stack reads, and what it writes to IAM.

    `now` returns seconds since 1970. `lag` returns for how many seconds a change of IAM is not visible. `happened` gets
    the event of each change.
    """

    def __init__(self, now: Callable[[], float], lag: Callable[[], float], happened: Callable[[Event], None]) -> None:
        self._now, self._lag, self._happened = now, lag, happened
        self.functions: dict[str, Function] = {}
        self.roles: dict[str, Role] = {}
        self._visible: list[tuple[float, dict[str, Role]]] = [(0.0, {})]
        self.attached_by_us: list[tuple[str, str]] = []
        self._events = 0

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────────────────

    def create_function(self, name: str, role: str | None = None, **tags: str) -> None:
        """Create a function, with a role of its own unless one is given."""
        role = role or f"{name}-role"
        if role not in self.roles:
            self.roles[role] = Role()
            self._iam("create_role", roleName=role)
        self.functions[name] = Function(role, tags=dict(tags), modified_at=self._now())
        self._lambda("create_function", name, {"role": role_arn(role)}, role=role_arn(role), tags=tags)

    def delete_function(self, name: str) -> None:
        """Delete a function; its mappings stay without it for none of the stack's purposes."""
        del self.functions[name]
        self._lambda("delete_function", name)

    def use_role(self, name: str, role: str) -> None:
        """Let a function run with another role."""
        self.functions[name].role, self.functions[name].modified_at = role, self._now()
        self._lambda("update_function_configuration", name, {"role": role_arn(role)}, role=role_arn(role))

    def permit(self, name: str, sid: str, principal: str, **conditions: str) -> None:
        """Add a statement to a function's policy."""
        if sid in self.functions[name].statements:
            return
        who = {"Service": principal} if "." in principal else "*" if principal == "*" else {"AWS": principal}
        statement: dict[str, Any] = {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": who,
            "Action": "lambda:InvokeFunction",
            "Resource": function_arn(name),
        }
        if conditions:
            statement["Condition"] = {"ArnLike": {"AWS:SourceArn": conditions["source"]}}
        self.functions[name].statements[sid] = statement
        self._lambda("add_permission", name, {"statement": json.dumps(statement)}, statementId=sid, principal=principal)

    def forbid(self, name: str, sid: str) -> None:
        """Remove a statement."""
        if self.functions[name].statements.pop(sid, None) is not None:
            self._lambda("remove_permission", name, statementId=sid)

    def map_queue(self, name: str) -> None:
        """Let a function poll the queue."""
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{len(self.functions[name].mappings)}"))
        self.functions[name].mappings[number] = QUEUE_ARN
        answer = {"uUID": number, "eventSourceArn": QUEUE_ARN}
        self._lambda("create_event_source_mapping", name, answer, eventSourceArn=QUEUE_ARN)

    def unmap(self, name: str) -> None:
        """Delete the mappings of a function."""
        for number in list(self.functions[name].mappings):
            del self.functions[name].mappings[number]
            answer = {"uUID": number, "eventSourceArn": QUEUE_ARN}
            self._lambda("delete_event_source_mapping", name, answer, uUID=number)

    def attach(self, role: str, policy: str) -> None:
        """Attach a managed policy to a role."""
        self.roles[role].attached.add(policy)
        self._iam("attach_role_policy", roleName=role, policyArn=policy)

    def detach(self, role: str, policy: str) -> None:
        """Detach a managed policy from a role."""
        if policy in self.roles[role].attached:
            self.roles[role].attached.discard(policy)
            self._iam("detach_role_policy", roleName=role, policyArn=policy)

    def allow_inline(self, role: str, *actions: str) -> None:
        """Put an inline policy."""
        self.roles[role].inline["own"] = allow(*actions)
        self._iam("put_role_policy", roleName=role, policyName="own", policyDocument=json.dumps(allow(*actions)))

    def disallow_inline(self, role: str) -> None:
        """Delete the inline policy."""
        if self.roles[role].inline.pop("own", None) is not None:
            self._iam("delete_role_policy", roleName=role, policyName="own")

    def trust(self, role: str, principal: dict[str, str] | None) -> None:
        """Let someone assume a role besides Lambda, or only Lambda."""
        document: dict[str, Any] = copy.deepcopy(TRUST_LAMBDA)
        if principal is not None:
            document["Statement"].append({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
        self.roles[role].trust = document
        self._iam("update_assume_role_policy", roleName=role, policyDocument=json.dumps(document))

    # ── What the stack calls ────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a call about functions or roles, None for any other. RejectedError for an error."""
        known = _ANSWERS.get(f"{service}:{operation}")
        return known(self, params) if known else None

    def visible_roles(self) -> dict[str, Role]:
        """Return the roles as IAM shows them now."""
        now = self._now()
        return next(roles for at, roles in reversed(self._visible) if at <= now)

    def version(self) -> tuple[int, int]:
        """Return what is another value after each change that can be read."""
        now = self._now()
        return self._events, sum(at <= now for at, _ in self._visible)

    def is_settled(self) -> bool:
        """Return whether IAM shows every change."""
        return self._visible[-1][0] <= self._now()

    def settles_at(self) -> float:
        """Return when IAM shows the last change."""
        return self._visible[-1][0]

    def _function(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = self._named(params["FunctionName"])
        return {
            "FunctionName": name,
            "FunctionArn": function_arn(name),
            "Role": role_arn(self.functions[name].role),
            "Runtime": "python3.13",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "LastModified": _time(self.functions[name].modified_at).replace("Z", ".000+0000"),
        }

    def _functions(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Functions": [self._function({"FunctionName": function_arn(name)}) for name in sorted(self.functions)]}

    def _policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        statements = list(self.functions[self._named(params["FunctionName"])].statements.values())
        if not statements:
            raise RejectedError("ResourceNotFoundException", "No policy is associated with the given resource.")
        return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": statements}), "RevisionId": "1"}

    def _mappings(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "EventSourceMappings": [
                {
                    "UUID": number,
                    "EventSourceMappingArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{number}",
                    "FunctionArn": function_arn(name),
                    "EventSourceArn": source,
                    "State": "Enabled",
                    "StateTransitionReason": "USER_INITIATED",
                }
                for name, function in self.functions.items()
                for number, source in function.mappings.items()
            ]
        }

    def _tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Tags": dict(self.functions[self._named(params["Resource"])].tags)}

    def _role(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name, role = params["RoleName"], self._named_role(params)
        return {
            "Role": {
                "Arn": role_arn(name),
                "RoleName": name,
                "RoleId": "AROAEXAMPLE",
                "Path": "/",
                "CreateDate": "2026-11-01T00:00:00Z",
                "AssumeRolePolicyDocument": quote(json.dumps(role.trust)),
            }
        }

    def _attached(self, params: Mapping[str, Any]) -> dict[str, Any]:
        arns = sorted(self._named_role(params).attached)
        return {"AttachedPolicies": [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]}

    def _inline(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"PolicyNames": sorted(self._named_role(params).inline)}

    def _inline_policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        found = self._named_role(params).inline.get(params["PolicyName"])
        if found is None:
            raise RejectedError("NoSuchEntity", "The role policy cannot be found.", status=404)
        return {
            "RoleName": params["RoleName"],
            "PolicyName": params["PolicyName"],
            "PolicyDocument": quote(json.dumps(found)),
        }

    def _managed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Policy": {"Arn": params["PolicyArn"], "DefaultVersionId": "v1"}}

    def _managed_version(self, params: Mapping[str, Any]) -> dict[str, Any]:
        document = quote(json.dumps(MANAGED[params["PolicyArn"]]))
        return {"PolicyVersion": {"VersionId": "v1", "Document": document}}

    def _attach(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._named_role(params)
        self.roles[params["RoleName"]].attached.add(params["PolicyArn"])
        self.attached_by_us.append((params["RoleName"], params["PolicyArn"]))
        self._iam("attach_role_policy", roleName=params["RoleName"], policyArn=params["PolicyArn"])
        return {}

    def _named(self, arn: str) -> str:
        name = arn.split(":")[6]
        if name not in self.functions:
            raise RejectedError("ResourceNotFoundException", f"Function not found: {arn}", status=404)
        return name

    def _named_role(self, params: Mapping[str, Any]) -> Role:
        found = self.visible_roles().get(params["RoleName"])
        if found is None:
            raise RejectedError("NoSuchEntity", "The role cannot be found.", status=404)
        return found

    # ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lambda(self, sample: str, name: str, answer: dict[str, Any] | None = None, **request: Any) -> None:
        event = self._event(sample, request)
        answered = event["detail"]["responseElements"]
        if answered is not None:
            answered |= {"functionName": name, "functionArn": function_arn(name), **(answer or {})}
        if "functionName" in event["detail"]["requestParameters"]:
            event["detail"]["requestParameters"]["functionName"] = name
        self._happened(event)

    def _iam(self, sample: str, **request: Any) -> None:
        # A change is never visible before an earlier one.
        visible_at = max(self._now() + self._lag(), self._visible[-1][0])
        self._visible.append((visible_at, copy.deepcopy(self.roles)))
        self._happened(self._event(sample, request))

    def _event(self, sample: str, request: Mapping[str, Any]) -> Event:
        self._events += 1
        event: Event = json.loads(_sample(sample))
        detail, at = event["detail"], _time(self._now())
        event["id"], event["time"], detail["eventTime"] = f"event-{self._events}", at, at
        detail["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"event-{self._events}"))
        detail["requestParameters"] |= request
        return event


def function_arn(name: str) -> str:
    """Return the ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def role_arn(name: str) -> str:
    """Return the ARN of a role."""
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@cache
def _sample(name: str) -> str:
    return (EVENTS / "cloudtrail" / f"{name}.json").read_text()


def _time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_ANSWERS: dict[str, Callable[[Account, Mapping[str, Any]], dict[str, Any]]] = {
    "iam:AttachRolePolicy": Account._attach,
    "iam:GetPolicy": Account._managed,
    "iam:GetPolicyVersion": Account._managed_version,
    "iam:GetRole": Account._role,
    "iam:GetRolePolicy": Account._inline_policy,
    "iam:ListAttachedRolePolicies": Account._attached,
    "iam:ListRolePolicies": Account._inline,
    "lambda:GetFunctionConfiguration": Account._function,
    "lambda:GetPolicy": Account._policy,
    "lambda:ListEventSourceMappings": Account._mappings,
    "lambda:ListFunctions": Account._functions,
    "lambda:ListTags": Account._tags,
}
