"""An account with the state of a rule's case, behind the operations of Lambda and IAM that are called."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from permission_guard.aws.readers.bulk.inventories import qualified_functions
from permission_guard.model.state import Role, Unread
from tests.fakes import ACCOUNT, FUNCTION_ARN, ROLE_ARN, TRUST_LAMBDA
from tests.rule_cases import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.iam import Policy
    from permission_guard.model.state import Inventory, SourceState
    from permission_guard.model.targets import FunctionTarget

STATE = ("State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason")
"""The members that ListFunctions leaves out, with those that begin like them."""

_OPERATIONS = {
    "list_functions": "Functions",
    "list_aliases": "Aliases",
    "list_versions_by_function": "Versions",
    "list_event_source_mappings": "EventSourceMappings",
    "list_function_event_invoke_configs": "FunctionEventInvokeConfigs",
    "list_function_url_configs": "FunctionUrlConfigs",
}


class CaseAccount:
    """The account of one case: a function, its roles, and what surrounds them. `calls` counts each call."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.snapshot = snapshot_of(case)
        self.calls: Counter[str] = Counter()
        self.meta = _meta()
        self._functions: dict[str, dict[str, Any]] = {
            reply["FunctionArn"]: reply for reply in case.get("functions") or [_function(FUNCTION_ARN)]
        }
        if "function" in case:
            self._functions[FUNCTION_ARN] = {**_function(FUNCTION_ARN), **case["function"]}
        self._policies: list[dict[str, Any]] = case.get("policies", [])
        self._aliases: dict[str, str] = {}
        self._versions: dict[str, dict[str, Any]] = {}
        for number, qualifier in enumerate(self._qualifiers()):
            own = self._functions.get(f"{FUNCTION_ARN}:{qualifier}")
            if qualifier.isdigit():
                self._versions[qualifier] = own or self._functions[FUNCTION_ARN]
            elif own is None or own.get("Deleted"):
                self._aliases |= {} if own else {qualifier: "$LATEST"}
            else:
                self._aliases[qualifier] = str(90 + number)
                self._versions[str(90 + number)] = own
        self._roles = {entry["Role"]["RoleName"]: entry for entry in case.get("roles", [])}

    def _qualifiers(self) -> list[str]:
        functions = [arn.removeprefix(f"{FUNCTION_ARN}:") for arn in self._functions if arn != FUNCTION_ARN]
        named = [reply["Qualifier"] for reply in self._policies if reply.get("Qualifier")]
        return [one for one in dict.fromkeys((*functions, *named)) if one != "$LATEST"]

    @property
    def has_unread_functions(self) -> bool:
        """Whether GetFunctionConfiguration fails: AWS has no such failure in a list."""
        return any("Unread" in reply for reply in self._functions.values())

    # ── Lambda ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def get_paginator(self, operation: str) -> Any:
        """Return what pages an operation: one page."""
        return SimpleNamespace(paginate=lambda **parameters: self._pages(operation, **parameters))

    def _pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        self.calls[operation] += 1
        if operation in _OPERATIONS:
            yield {_OPERATIONS[operation]: getattr(self, f"_{operation}")(parameters.get("FunctionName", ""))}
        else:
            yield getattr(self, f"_{operation}")(**parameters)

    def _list_functions(self, _name: str) -> list[dict[str, Any]]:
        entries = [_listed(self._functions[FUNCTION_ARN], FUNCTION_ARN, "$LATEST")]
        entries += [_listed(reply, FUNCTION_ARN, version) for version, reply in self._versions.items()]
        return [*entries, *(_listed(other, other["FunctionArn"], "$LATEST") for other in self._others())]

    def _others(self) -> list[dict[str, Any]]:
        """Return the other functions that use the roles."""
        return [
            _function(f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}", role)
            for role, names in self.case.get("role_users", {}).items()
            if isinstance(names, list)
            for name in names
            if name != "orders"
        ]

    def _list_aliases(self, name: str) -> list[dict[str, Any]]:
        found = self._aliases.items() if name == FUNCTION_ARN else ()
        return [{"Name": alias, "FunctionVersion": version} for alias, version in found]

    def _list_versions_by_function(self, name: str) -> list[dict[str, Any]]:
        return [{"Version": version} for version in ["$LATEST", *(self._versions if name == FUNCTION_ARN else ())]]

    def _list_event_source_mappings(self, _name: str) -> list[dict[str, Any]]:
        return list(_or_raise(self.case.get("mappings", []), "ListEventSourceMappings"))

    def _list_function_event_invoke_configs(self, name: str) -> list[dict[str, Any]]:
        found = self.case.get("invoke_configs", [])
        return list(_or_raise(found, "ListFunctionEventInvokeConfigs")) if name == FUNCTION_ARN else []

    def _list_function_url_configs(self, name: str) -> list[dict[str, Any]]:
        found = self.case.get("function_urls") or []
        return list(_or_raise(found, "ListFunctionUrlConfigs")) if name == FUNCTION_ARN else []

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803 - of boto3
        """Return a configuration, with the state."""
        self.calls["get_function_configuration"] += 1
        qualifier = FunctionName.removeprefix(f"{FUNCTION_ARN}:")
        reply = self._functions.get(FunctionName) or self._versions.get(qualifier)
        if reply is None and qualifier in self._aliases:
            reply = self._functions[FUNCTION_ARN]
        reply = reply or next((one for one in self._others() if one["FunctionArn"] == FunctionName), None)
        if reply is None or reply.get("Deleted"):
            raise _error("ResourceNotFoundException", "GetFunctionConfiguration")
        return {**_function(FunctionName), **_or_raise(reply, "GetFunctionConfiguration"), "FunctionArn": FunctionName}

    def get_policy(self, FunctionName: str = "", Qualifier: str | None = None, PolicyArn: str = "") -> Any:  # noqa: N803 - of boto3
        """Return a resource-based policy; of IAM, a managed policy."""
        self.calls["get_policy"] += 1
        if PolicyArn:
            _or_raise(self._managed(PolicyArn), "GetPolicy")
            return {"Policy": {"DefaultVersionId": "v2"}}
        for reply in self._policies:
            if FunctionName == FUNCTION_ARN and reply.get("Qualifier") == Qualifier:
                text = _or_raise(reply, "GetPolicy")["Policy"]
                return {"Policy": text if isinstance(text, str) else json.dumps(text), "RevisionId": "1"}
        raise _error("ResourceNotFoundException", "GetPolicy")

    def list_tags(self, Resource: str) -> dict[str, Any]:  # noqa: N803 - of boto3
        """Return no tag."""
        return {"Tags": {}}

    # ── IAM ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _get_account_authorization_details(self, **_parameters: Any) -> dict[str, Any]:
        """Return the list, without the roles of which a part cannot be read."""
        whole = {name: entry for name, entry in self._roles.items() if "Unread" not in json.dumps(entry)}
        whole = {name: entry for name, entry in whole.items() if not entry.get("Deleted")}
        managed = {arn: document for entry in whole.values() for arn, document in _managed_policies(entry).items()}
        return {
            "RoleDetailList": [_detail(entry) for entry in whole.values()],
            "Policies": [
                {
                    "Arn": arn,
                    "DefaultVersionId": "v2",
                    "PolicyVersionList": [
                        {"VersionId": "v1", "Document": {"Version": "2012-10-17", "Statement": []}},
                        {"VersionId": "v2", "Document": document},
                    ],
                }
                for arn, document in managed.items()
            ],
        }

    def get_role(self, RoleName: str) -> dict[str, Any]:  # noqa: N803 - of boto3
        """Return a role."""
        self.calls["get_role"] += 1
        entry = self._roles.get(RoleName, {"Deleted": True})
        if entry.get("Deleted"):
            raise _error("NoSuchEntity", "GetRole")
        return {"Role": _detail(_or_raise(entry, "GetRole"))}

    def _list_attached_role_policies(self, RoleName: str) -> dict[str, Any]:  # noqa: N803 - of boto3
        return {"AttachedPolicies": _detail(self._roles[RoleName])["AttachedManagedPolicies"]}

    def _list_role_policies(self, RoleName: str) -> dict[str, Any]:  # noqa: N803 - of boto3
        return {"PolicyNames": list(self._roles[RoleName].get("RolePolicies", {}))}

    def get_role_policy(self, RoleName: str, PolicyName: str) -> dict[str, Any]:  # noqa: N803 - of boto3
        """Return an inline policy."""
        return {"PolicyDocument": _or_raise(self._roles[RoleName]["RolePolicies"][PolicyName], "GetRolePolicy")}

    def get_policy_version(self, PolicyArn: str, VersionId: str) -> dict[str, Any]:  # noqa: N803 - of boto3
        """Return the document of a managed policy."""
        return {"PolicyVersion": {"Document": self._managed(PolicyArn)}}

    def _managed(self, arn: str) -> dict[str, Any]:
        found = [entry for entry in self._roles.values() if arn in _managed_policies(entry)]
        document: dict[str, Any] = _managed_policies(found[0])[arn]
        return document

    # ── What surrounds the functions, the same for both ways ────────────────────────────────────────────────────────

    def forget(self) -> None:
        """Cache nothing."""

    def state(self, arn: str, function: FunctionTarget) -> SourceState | Unread | None:
        """Return the state of a source."""
        return self.snapshot.sources.get(arn)

    def policy(self, arn: str, function: FunctionTarget) -> Policy | Unread | None:
        """Return the policy of a source."""
        return self.snapshot.source_policies.get(arn)

    def resource_tags(self, arn: str, function: FunctionTarget) -> dict[str, str] | Unread | None:
        """Return no tags."""
        return None

    def own_organization(self) -> str | Unread | None:
        """Return the account's organization."""
        return self.snapshot.own_organization

    def denied(self, role_arn: str, requests: Iterable[tuple[str, str]], region: str) -> Any:
        """Return what the organization denies."""
        role = self.snapshot.roles.get(role_arn)
        return role.denied_by_organization if isinstance(role, Role) else frozenset()

    def read(self, target: FunctionTarget, not_before: float = 0.0) -> tuple[Inventory, ...]:
        """Return the inventories."""
        return self.snapshot.inventories

    def bucket_exists(self, arn: str, not_before: float = 0.0) -> bool | Unread:
        """Return whether a bucket of another account exists."""
        return self.snapshot.foreign_buckets.get(arn, True)

    @property
    def qualified(self) -> frozenset[str]:
        """Return the functions of which a trigger names a qualifier."""
        return qualified_functions(self.snapshot.inventories)


@cache
def _meta() -> Any:
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    return client.meta


def _function(arn: str, role: str = "") -> dict[str, Any]:
    name = arn.split(":")[6]
    own = f"arn:aws:iam::{ACCOUNT}:role/{name}-role" if arn.startswith(FUNCTION_ARN) else ROLE_ARN
    return {"FunctionArn": arn, "FunctionName": name, "Role": role or own}


def _listed(reply: dict[str, Any], arn: str, version: str) -> dict[str, Any]:
    """Return an entry of ListFunctions: it has no state, and the ARN of the version."""
    kept = {key: value for key, value in reply.items() if not key.startswith(STATE)}
    return {**_function(arn), **kept, "FunctionArn": f"{arn}:{version}", "Version": version}


def _managed_policies(entry: dict[str, Any]) -> dict[str, Any]:
    boundary = entry.get("PermissionsBoundary")
    return {**entry.get("AttachedPolicies", {}), **({boundary["Arn"]: boundary["Document"]} if boundary else {})}


def _detail(entry: dict[str, Any]) -> dict[str, Any]:
    role, boundary = entry["Role"], entry.get("PermissionsBoundary")
    path, name = role.get("Path", "/"), role["RoleName"]
    return {
        "AssumeRolePolicyDocument": TRUST_LAMBDA,
        **role,
        "Path": path,
        "Arn": f"arn:aws:iam::{ACCOUNT}:role{path}{name}",
        "AttachedManagedPolicies": [{"PolicyArn": arn} for arn in entry.get("AttachedPolicies", {})],
        "RolePolicyList": [
            {"PolicyName": policy, "PolicyDocument": document}
            for policy, document in entry.get("RolePolicies", {}).items()
        ],
        **({"PermissionsBoundary": {"PermissionsBoundaryArn": boundary["Arn"]}} if boundary else {}),
    } | {"AttachedPolicies": [{"PolicyArn": arn} for arn in entry.get("AttachedPolicies", {})]}


def _or_raise(part: Any, operation: str) -> Any:
    """Return a part of the case; raise the error where it could not be read."""
    if isinstance(part, dict) and "Unread" in part:
        raise _error(part["Unread"]["Code"], operation, part["Unread"]["Message"])
    return part


def _error(code: str, operation: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
