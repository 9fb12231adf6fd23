"""What IAM answers about the roles of an account, in the shapes of botocore's service model."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from moto.core.serialize import QuerySerializer
from moto.core.utils import get_service_model
from moto.iam.aws_managed_policies import aws_managed_policies_data

from benchmarks.scanners.account.model import CREATED, Account, Item, Role
from benchmarks.scanners.aws.requests import Call, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGE: Final = 100
_MOST: Final = 1000


class IamApi:
    """Answers calls that read roles and policies."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._roles = {role.name: role for role in account.roles.values()}
        self._model = get_service_model("iam")
        self._managed: dict[str, Item] = json.loads(aws_managed_policies_data)
        self._by_aws = {
            f"arn:aws:iam::aws:policy{policy['Path']}{name}": policy["Document"]
            for name, policy in self._managed.items()
        }
        self._details: dict[frozenset[str], list[tuple[str, Item]]] = {}
        self._operations: dict[str, Callable[[dict[str, str]], Item | None]] = {
            "GetAccountAuthorizationDetails": self._authorization_details,
            "ListAccountAliases": lambda _form: {"AccountAliases": [], "IsTruncated": False},
            "GetRole": self._role,
            "ListRoles": lambda form: _page(form, [("Roles", _role_item(role)) for role in self._roles.values()]),
            "ListRolePolicies": self._inline_names,
            "GetRolePolicy": self._inline,
            "ListAttachedRolePolicies": self._attached,
            "GetPolicy": self._policy,
            "GetPolicyVersion": self._policy_version,
            "SimulatePrincipalPolicy": _simulation,
        }

    def answer(self, call: Call, request: Request) -> Reply | None:
        """Return IAM's reply, or None for an operation that is not answered here."""
        operation = self._operations.get(call.operation)
        if operation is None:
            return None
        found = operation(request.form)
        if found is None:
            return _no_such_entity()
        reply = QuerySerializer(self._model.operation_model(call.operation)).serialize(found)
        return Reply(str(reply["body"]).encode(), headers={"Content-Type": "text/xml"})

    def _authorization_details(self, form: dict[str, str]) -> Item:
        wanted = frozenset(value for name, value in form.items() if name.startswith("Filter.member."))
        if wanted not in self._details:
            self._details[wanted] = self._items(wanted)
        empty: Item = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
        return empty | _page(form, self._details[wanted])

    def _items(self, wanted: frozenset[str]) -> list[tuple[str, Item]]:
        """Return what the authorization details list, with the member that each item is in."""
        items: list[tuple[str, Item]] = []
        if not wanted or "Role" in wanted:
            items += [("RoleDetailList", self._role_detail(role)) for role in self._account.roles.values()]
        if not wanted or "LocalManagedPolicy" in wanted:
            items += [("Policies", self._detail(arn)) for arn in self._account.policies]
        if not wanted or "AWSManagedPolicy" in wanted:
            attached = {arn for role in self._account.roles.values() for arn in role.attached}
            items += [("Policies", self._detail(arn)) for arn in sorted(attached & self._by_aws.keys())]
        return items

    def _role_detail(self, role: Role) -> Item:
        inline = [{"PolicyName": name, "PolicyDocument": _encoded(text)} for name, text in role.inline.items()]
        return _role_item(role) | {
            "InstanceProfileList": [],
            "RolePolicyList": inline,
            "AttachedManagedPolicies": [_attachment(arn) for arn in role.attached],
            "RoleLastUsed": {"LastUsedDate": CREATED, "Region": "us-east-1"},
        }

    def _detail(self, arn: str) -> Item:
        version = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": CREATED}
        return self._summary(arn) | {"PolicyVersionList": [version | {"Document": _encoded(self._document(arn))}]}

    def _summary(self, arn: str) -> Item:
        path, _, name = arn.partition(":policy")[2].rpartition("/")
        users = sum(arn in role.attached for role in self._account.roles.values()) if arn in self._by_aws else 1
        return {
            "PolicyName": name,
            "PolicyId": _identifier("ANPA", arn),
            "Arn": arn,
            "Path": f"{path}/",
            "DefaultVersionId": "v1",
            "AttachmentCount": users,
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": True,
            "CreateDate": CREATED,
            "UpdateDate": CREATED,
        }

    def _document(self, arn: str) -> Item | None:
        return self._account.policies.get(arn) or self._by_aws.get(arn)

    def _role(self, form: dict[str, str]) -> Item | None:
        role = self._roles.get(form["RoleName"])
        return None if role is None else {"Role": _role_item(role)}

    def _inline_names(self, form: dict[str, str]) -> Item | None:
        role = self._roles.get(form["RoleName"])
        return None if role is None else {"PolicyNames": list(role.inline), "IsTruncated": False}

    def _inline(self, form: dict[str, str]) -> Item | None:
        role = self._roles.get(form["RoleName"])
        name = form["PolicyName"]
        if role is None or name not in role.inline:
            return None
        return {"RoleName": role.name, "PolicyName": name, "PolicyDocument": _encoded(role.inline[name])}

    def _attached(self, form: dict[str, str]) -> Item | None:
        role = self._roles.get(form["RoleName"])
        if role is None:
            return None
        return {"AttachedPolicies": [_attachment(arn) for arn in role.attached], "IsTruncated": False}

    def _policy(self, form: dict[str, str]) -> Item | None:
        arn = form["PolicyArn"]
        return {"Policy": self._summary(arn)} if self._document(arn) else None

    def _policy_version(self, form: dict[str, str]) -> Item | None:
        document = self._document(form["PolicyArn"])
        if document is None:
            return None
        head = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": CREATED}
        return {"PolicyVersion": head | {"Document": _encoded(document)}}


def _identifier(prefix: str, text: str) -> str:
    """Return an id that is the same in every process."""
    return f"{prefix}{zlib.crc32(text.encode()):016}"


def _role_item(role: Role) -> Item:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": _identifier("AROA", role.name),
        "Arn": role.arn,
        "CreateDate": CREATED,
        "AssumeRolePolicyDocument": _encoded(role.trust),
        "MaxSessionDuration": 3600,
    }


def _attachment(arn: str) -> Item:
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}


def _encoded(document: Any) -> str:
    """Return a policy as IAM's API has it: JSON, percent-encoded."""
    return quote(json.dumps(document), safe="")


def _page(form: dict[str, str], items: list[tuple[str, Item]]) -> Item:
    """Return one page of items, each in the list that it belongs to."""
    size = min(_MOST, int(form.get("MaxItems", _PAGE)))
    start = int(base64.b64decode(form["Marker"])) if form.get("Marker") else 0
    page: Item = {"IsTruncated": start + size < len(items)}
    if page["IsTruncated"]:
        page["Marker"] = base64.b64encode(str(start + size).encode()).decode()
    for member, item in items[start : start + size]:
        page.setdefault(member, []).append(item)
    return page


def _simulation(form: dict[str, str]) -> Item:
    """Answer that nothing is denied by an organization."""
    actions = [value for name, value in form.items() if name.startswith("ActionNames.member.")]
    results = [
        {
            "EvalActionName": action,
            "EvalDecision": "allowed",
            "OrganizationsDecisionDetail": {"AllowedByOrganizations": True},
        }
        for action in actions
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _no_such_entity() -> Reply:
    body = (
        '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        "<Code>NoSuchEntity</Code><Message>It cannot be found.</Message></Error></ErrorResponse>"
    )
    return Reply(body.encode(), 404, {"Content-Type": "text/xml"})
