"""The account that is watched: functions, policies and roles that change, with the CloudTrail event of each change.

What IAM is told becomes visible later, at a time that the seed decides.
"""

from __future__ import annotations

import copy
import json
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name

from tests.fakes import ACCOUNT, REGION, TRUST_LAMBDA, allow
from tests.in_memory.functions import Functions
from tests.in_memory.iam import Roles
from tests.in_memory.metrics import Metrics
from tests.in_memory.times import timestamp
from tests.paths import EVENTS
from tests.simulation.callers import Sources
from tests.simulation.problems import EXECUTION_POLICIES, LOGS_POLICY_ARN, QUEUE_ARN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.in_memory.functions import Function
    from tests.in_memory.iam import Role
    from tests.simulation.callers import Source

    Event = dict[str, Any]

PARTNER: Final = "111122223333"
OF_POLICIES: Final = frozenset({"AddPermission", "PutResourcePolicy", "RemovePermission"})
"""The operations with which the stack changes a function's policy."""
WRITES: Final = frozenset({"AttachRolePolicy", "DetachRolePolicy", "UpdateEventSourceMapping"}) | OF_POLICIES
"""The operations with which the stack changes something."""
LOST: Final = "The function execution role does not have permissions to call ReceiveMessage on SQS."
"""Why a mapping was disabled, in Lambda's words."""
ADMINISTRATOR_ARN: Final = "arn:aws:iam::aws:policy/AdministratorAccess"


class Account:
    """Answers what the stack reads, and what it writes to IAM.

    `now` returns seconds since 1970. `lag` returns for how many seconds a change of IAM is not visible. `happened` gets
    the event of each change.
    """

    def __init__(self, now: Callable[[], float], lag: Callable[[], float], happened: Callable[[Event], None]) -> None:
        self._now, self._happened = now, happened
        self._functions = Functions(now, ACCOUNT, REGION)
        self.managed: dict[str, Event] = {**EXECUTION_POLICIES, ADMINISTRATOR_ARN: allow("*")}
        """The documents of the managed policies that exist, by their ARNs."""
        self._roles = Roles(now, ACCOUNT, self.managed, lag)
        self.written_by_us: list[tuple[str, Mapping[str, Any]]] = []
        """The calls with which the stack changed something, and their parameters."""
        self.sources = Sources()
        self.metrics = Metrics()
        self.policies_written: list[list[dict[str, Any]]] = []
        """The statements of a policy after each change of it by the stack."""
        self._events = 0

    @property
    def functions(self) -> Mapping[str, Function]:
        """Return the functions by their names."""
        return self._functions.functions

    @property
    def roles(self) -> Mapping[str, Role]:
        """Return the roles by their names, as IAM will show them."""
        return self._roles.roles

    def role_of(self, name: str) -> str:
        """Return the name of a function's role."""
        return self.functions[name].role.rpartition("/")[2]

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────────────────

    def create_function(self, name: str, role: str | None = None, **tags: str) -> None:
        """Create a function, with a role of its own unless one is given."""
        role = role or f"{name}-role"
        if role not in self.roles:
            self._iam("CreateRole", RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA))
            self.attach(role, LOGS_POLICY_ARN)
        self._lambda("CreateFunction", FunctionName=name, Role=role_arn(role), Tags=tags)

    def delete_function(self, name: str) -> None:
        """Delete a function."""
        self._lambda("DeleteFunction", FunctionName=name)

    def use_role(self, name: str, role: str) -> None:
        """Let a function run with another role."""
        self._lambda("UpdateFunctionConfiguration", FunctionName=name, Role=role_arn(role))

    def permit(self, name: str, sid: str, principal: str) -> None:
        """Add a statement to a function's policy."""
        if sid not in self.functions[name].statements:
            action = "lambda:InvokeFunction"
            self._lambda("AddPermission", FunctionName=name, StatementId=sid, Principal=principal, Action=action)

    def permit_as(self, name: str, permission: Mapping[str, str]) -> None:
        """Add a statement with all parameters of AddPermission."""
        self._lambda("AddPermission", FunctionName=name, **permission)

    def put_policy(self, name: str, statements: Sequence[Mapping[str, Any]]) -> None:
        """Replace a function's policy."""
        document = {"Version": "2012-10-17", "Id": "default", "Statement": [dict(one) for one in statements]}
        self._lambda("PutResourcePolicy", ResourceArn=function_arn(name), Policy=json.dumps(document))

    def invoke_from(self, source: Source, name: str) -> None:
        """Let a bucket, a topic or a rule invoke a function. No event tells the stack of that."""
        self.sources.invoked[source] = function_arn(name)

    def forbid(self, name: str, sid: str) -> None:
        """Remove a statement."""
        if sid in self.functions[name].statements:
            self._lambda("RemovePermission", FunctionName=name, StatementId=sid)

    def configure(self, name: str, configuration: Mapping[str, Any]) -> None:
        """Change some members of a function's configuration."""
        self._lambda("UpdateFunctionConfiguration", FunctionName=name, **configuration)

    def map_queue(self, name: str) -> None:
        """Let a function poll the queue."""
        self.map_source(name, QUEUE_ARN)

    def map_source(self, name: str, source: str, **members: Any) -> None:
        """Let a function poll an event source."""
        self._lambda("CreateEventSourceMapping", FunctionName=name, EventSourceArn=source, **members)

    def stop_polling(self, role: str) -> None:
        """Do what AWS does when a role may not read a source any more: disable the mappings of its functions."""
        for name, function in self.functions.items():
            enabled = [one for one in function.mappings.values() if one.state == "Enabled"]
            if function.role != role_arn(role) or not enabled:
                continue
            for mapping in enabled:
                mapping.state, mapping.reason = "Disabled", LOST
            event: Event = json.loads(_sample("lambda_esm_disabled"))
            event["detail"]["resources"][0]["ARN"] = function_arn(name)
            self._pass_on(event)

    def unmap(self, name: str) -> None:
        """Delete the mappings of a function."""
        for number in list(self.functions[name].mappings):
            self._lambda("DeleteEventSourceMapping", UUID=number)

    def attach(self, role: str, policy: str) -> None:
        """Attach a managed policy to a role."""
        self._iam("AttachRolePolicy", RoleName=role, PolicyArn=policy)

    def detach(self, role: str, policy: str) -> None:
        """Detach a managed policy from a role."""
        if policy in self.roles[role].attached:
            self._iam("DetachRolePolicy", RoleName=role, PolicyArn=policy)

    def allow_inline(self, role: str, *actions: str) -> None:
        """Put an inline policy."""
        self._iam("PutRolePolicy", RoleName=role, PolicyName="own", PolicyDocument=json.dumps(allow(*actions)))

    def disallow_inline(self, role: str) -> None:
        """Delete the inline policy."""
        if "own" in self.roles[role].inline:
            self._iam("DeleteRolePolicy", RoleName=role, PolicyName="own")

    def trust(self, role: str, principal: dict[str, str] | None) -> None:
        """Let someone assume a role besides Lambda, or only Lambda."""
        document: dict[str, Any] = copy.deepcopy(TRUST_LAMBDA)
        if principal is not None:
            document["Statement"].append({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
        self._iam("UpdateAssumeRolePolicy", RoleName=role, PolicyDocument=json.dumps(document))

    # ── What the stack calls ────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a call about functions or roles, None for any other. RejectedError for an error."""
        if operation in WRITES:
            if service == "iam":
                self._roles.require_visible(params["RoleName"])
            reply = (self._iam if service == "iam" else self._lambda)(operation, **params)
            self.written_by_us.append((operation, params))
            if operation in OF_POLICIES:
                name = (params.get("FunctionName") or params["ResourceArn"]).rpartition(":")[2]
                self.policies_written.append(list(copy.deepcopy(self.functions[name].statements).values()))
            return reply
        for name, part in (("iam", self._roles), ("lambda", self._functions), ("cloudwatch", self.metrics)):
            if service == name and operation in part.operations:
                return part.answer(operation, params)
        return self.sources.answer(service, operation, params)

    def version(self) -> tuple[int, int]:
        """Return what is another value after each change that can be read."""
        return self._events, self._roles.changes_visible()

    # ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lambda(self, operation: str, **params: Any) -> dict[str, Any]:
        reply = self._functions.answer(operation, params)
        self._record(operation, params, reply)
        return reply

    def _iam(self, operation: str, **params: Any) -> dict[str, Any]:
        reply = self._roles.answer(operation, params)
        self._record(operation, params, {})
        return reply

    def _record(self, operation: str, params: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Pass on CloudTrail's event of a change: a sample with the parameters and the reply."""
        event: Event = json.loads(_sample(xform_name(operation)))
        detail = event["detail"]
        detail["requestParameters"] |= _as_recorded(params)
        if detail["responseElements"] is not None:
            detail["responseElements"] |= _as_recorded(reply)
        self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        """Pass on an event that happens now."""
        self._events += 1
        detail, at = event["detail"], timestamp(self._now())
        event["id"], event["time"], detail["eventTime"] = f"event-{self._events}", at, at
        detail["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"event-{self._events}"))
        self._happened(event)


def _as_recorded(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a request or a reply by the names that CloudTrail gives them."""
    return {name[0].lower() + name[1:]: value for name, value in members.items()}


def function_arn(name: str) -> str:
    """Return the ARN of a function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def role_arn(name: str) -> str:
    """Return the ARN of a role."""
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@cache
def _sample(name: str) -> str:
    return (EVENTS / "cloudtrail" / f"{name}.json").read_text()
