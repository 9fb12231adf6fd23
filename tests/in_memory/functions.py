"""Lambda in memory: functions with their resource-based policies, event source mappings and tags."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tests.in_memory.errors import RejectedError
from tests.in_memory.service import Service
from tests.in_memory.times import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.in_memory.service import Operations


_MEMBERS: Final = (
    "DeadLetterConfig",
    "DurableConfig",
    "FileSystemConfigs",
    "Layers",
    "LoggingConfig",
    "TracingConfig",
    "VpcConfig",
)
"""The members of a configuration that need something of the role."""
_CONDITIONS: Final = {
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
}
"""The operator and the key of each parameter of AddPermission that becomes a condition.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""
_MOST_BYTES: Final = 20_480
_MEMBERS_OF_MAPPINGS: Final = ("Queues", "SourceAccessConfigurations")


@dataclass(slots=True)
class EventSourceMapping:
    """An event source mapping. `configuration` has the members of its configuration as requests have them."""

    source: str
    configuration: dict[str, Any]
    state: str = "Enabled"
    reason: str = "USER_INITIATED"


@dataclass(slots=True)
class Function:
    """A function: the ARN of its role, its statements by Sid, its mappings by UUID, its tags.

    `configuration` has the members of its configuration as requests have them, and `policies` counts the policies that
    it has had.
    """

    role: str
    tags: dict[str, str] = field(default_factory=dict)
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    mappings: dict[str, EventSourceMapping] = field(default_factory=dict)
    modified_at: float = 0.0
    configuration: dict[str, Any] = field(default_factory=dict)
    policies: int = 0


class Functions(Service):
    """The functions of an account, by their names. `clock` returns seconds since 1970."""

    def __init__(self, clock: Callable[[], float], account: str, region: str) -> None:
        self._clock, self._prefix, self._account = clock, f"arn:aws:lambda:{region}:{account}:", account
        self.functions: dict[str, Function] = {}
        self._mappings = 0

    def arn(self, name: str) -> str:
        """Return the ARN of a function."""
        return f"{self._prefix}function:{name}"

    # ── What changes a function ─────────────────────────────────────────────────────────────────────────────────────

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["FunctionName"]
        if name in self.functions:
            raise RejectedError("ResourceConflictException", f"Function already exist: {name}", status=409)
        self.functions[name] = Function(
            params["Role"],
            dict(params.get("Tags", {})),
            modified_at=self._clock(),
            configuration=_members(params),
        )
        return {**self._shown(name), "State": "Pending"}

    def _delete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Delete a function. Its mappings are deleted with it: they are of no use to the stack."""
        name, _ = self._named(params["FunctionName"])
        del self.functions[name]
        return {}

    def _configure(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name, function = self._named(params["FunctionName"])
        function.role, function.modified_at = params.get("Role", function.role), self._clock()
        function.configuration |= _members(params)
        return {**self._shown(name), "LastUpdateStatus": "InProgress"}

    def _permit(self, params: Mapping[str, Any]) -> dict[str, Any]:
        (name, function), sid = self._named(params["FunctionName"]), params["StatementId"]
        _require_revision(function, params)
        if sid in function.statements:
            text = f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove it."
            raise RejectedError("ResourceConflictException", text, status=409)
        statement = {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": _principal(params["Principal"]),
            "Action": params["Action"],
            "Resource": self.arn(name),
        }
        if condition := _condition(params):
            statement["Condition"] = condition
        _write(function, {**function.statements, sid: statement})
        return {"Statement": json.dumps(statement)}

    def _forbid(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _, function = self._named(params["FunctionName"])
        _require_revision(function, params)
        left = {sid: one for sid, one in function.statements.items() if sid != params["StatementId"]}
        if len(left) == len(function.statements):
            text = f"Statement {params['StatementId']} is not found in resource policy."
            raise RejectedError("ResourceNotFoundException", text, status=404)
        _write(function, left)
        return {}

    def _put_policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the whole policy."""
        _, function = self._named(params["ResourceArn"])
        _require_revision(function, params)
        _write(function, {one["Sid"]: one for one in json.loads(params["Policy"])["Statement"]})
        return {"Policy": json.dumps(_document(function.statements)), "RevisionId": _revision(function)}

    def _map(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name, function = self._named(params["FunctionName"])
        self._mappings += 1
        number = str(uuid.uuid5(uuid.NAMESPACE_URL, f"event-source-mapping/{self._mappings}"))
        members = {name: params[name] for name in _MEMBERS_OF_MAPPINGS if name in params}
        function.mappings[number] = EventSourceMapping(params["EventSourceArn"], members)
        return {**self._shown_mapping(name, number), "State": "Creating"}

    def _unmap(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name, number = self._mapped(params)
        shown = self._shown_mapping(name, number)
        del self.functions[name].mappings[number]
        return {**shown, "State": "Deleting"}

    def _switch(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Enable or disable a mapping. The reply has the state on the way there."""
        assert params.keys() == {"UUID", "Enabled"}, f"unknown parameters: {params}"
        name, number = self._mapped(params)
        mapping, is_enabled = self.functions[name].mappings[number], params["Enabled"]
        mapping.state, mapping.reason = "Enabled" if is_enabled else "Disabled", "USER_INITIATED"
        return {**self._shown_mapping(name, number), "State": "Enabling" if is_enabled else "Disabling"}

    # ── What reads ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _configuration(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name, _ = self._named(params["FunctionName"])
        return self._shown(name)

    def _list(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Functions": [self._shown(name) for name in sorted(self.functions)]}

    def _policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _, function = self._named(params["FunctionName"])
        if not function.statements:
            text = "The resource you requested does not exist."
            raise RejectedError("ResourceNotFoundException", text, status=404)
        return {"Policy": json.dumps(_document(function.statements)), "RevisionId": _revision(function)}

    def _list_mappings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        assert not params, f"unknown parameters: {params}"
        every = self.functions.items()
        shown = [self._shown_mapping(name, number) for name, function in every for number in function.mappings]
        return {"EventSourceMappings": shown}

    def _get_mapping(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._shown_mapping(*self._mapped(params))

    def _mapped(self, params: Mapping[str, Any]) -> tuple[str, str]:
        """Return the name of the function that has a mapping, and its UUID."""
        number = params["UUID"]
        for name, function in self.functions.items():
            if number in function.mappings:
                return name, number
        raise RejectedError("ResourceNotFoundException", "The resource you requested does not exist.", status=404)

    def _tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _, function = self._named(params["Resource"])
        return {"Tags": dict(function.tags)}

    def _named(self, name_or_arn: str) -> tuple[str, Function]:
        name = name_or_arn.removeprefix(f"{self._prefix}function:")
        if name not in self.functions:
            raise RejectedError("ResourceNotFoundException", f"Function not found: {self.arn(name)}", status=404)
        return name, self.functions[name]

    def _shown(self, name: str) -> dict[str, Any]:
        configuration = dict(self.functions[name].configuration)
        if "Layers" in configuration:
            configuration["Layers"] = [{"Arn": arn} for arn in configuration["Layers"]]
        return {
            **configuration,
            "FunctionName": name,
            "FunctionArn": self.arn(name),
            "Role": self.functions[name].role,
            "Runtime": "python3.13",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "LastModified": timestamp(self.functions[name].modified_at).replace("Z", ".000+0000"),
        }

    def _shown_mapping(self, name: str, number: str) -> dict[str, Any]:
        mapping = self.functions[name].mappings[number]
        return {
            **mapping.configuration,
            "UUID": number,
            "EventSourceMappingArn": f"{self._prefix}event-source-mapping:{number}",
            "FunctionArn": self.arn(name),
            "EventSourceArn": mapping.source,
            "State": mapping.state,
            "StateTransitionReason": mapping.reason,
        }

    operations: ClassVar[Operations] = {
        "AddPermission": _permit,
        "CreateEventSourceMapping": _map,
        "CreateFunction": _create,
        "DeleteEventSourceMapping": _unmap,
        "DeleteFunction": _delete,
        "GetEventSourceMapping": _get_mapping,
        "GetFunctionConfiguration": _configuration,
        "GetPolicy": _policy,
        "ListEventSourceMappings": _list_mappings,
        "ListFunctions": _list,
        "ListTags": _tags,
        "PutResourcePolicy": _put_policy,
        "RemovePermission": _forbid,
        "UpdateEventSourceMapping": _switch,
        "UpdateFunctionConfiguration": _configure,
    }


def _document(statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Id": "default", "Statement": list(statements.values())}


def _revision(function: Function) -> str:
    """Return the revision of a policy: another one after each change, also for a policy that it had before."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{function.policies} {json.dumps(_document(function.statements))}"))


def _write(function: Function, statements: dict[str, dict[str, Any]]) -> None:
    """Give a function other statements. Lambda rejects a policy that is longer than its limit.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    size = len(json.dumps(_document(statements), separators=(",", ":")).encode())
    if size > _MOST_BYTES:
        text = f"The final policy size ({size}) is bigger than the limit ({_MOST_BYTES})."
        raise RejectedError("PolicyLengthExceededException", text)
    function.statements, function.policies = statements, function.policies + 1


def _require_revision(function: Function, params: Mapping[str, Any]) -> None:
    """Reject a call that names another revision, as Lambda does."""
    if "RevisionId" in params and params["RevisionId"] != _revision(function):
        text = "The Revision Id provided does not match the latest Revision Id."
        raise RejectedError("PreconditionFailedException", text, status=412)


def _condition(params: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the condition that the parameters of AddPermission become."""
    found: dict[str, dict[str, str]] = {}
    for name, (operator, key) in _CONDITIONS.items():
        if name in params:
            value = params[name]
            found.setdefault(operator, {})[key] = "true" if value is True else value
    return found


def _members(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in _MEMBERS if name in params}


def _principal(principal: str) -> Any:
    """Return a principal as the statement has it: a service, everyone, or an account's root.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """
    if principal == "*":
        return "*"
    if principal.isdecimal():
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    return {"Service" if principal.endswith(".amazonaws.com") else "AWS": principal}
