"""IAM in memory: roles with their policies. A change becomes visible after a lag, as in AWS.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from tests.in_memory.errors import RejectedError
from tests.in_memory.service import Service
from tests.in_memory.times import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.in_memory.service import Operations

    Document = dict[str, Any]


POLICIES_PER_ROLE = 20
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


@dataclass(slots=True)
class Role:
    """A role: who may assume it, the ARNs of its policies, and the documents of its inline policies."""

    trust: Document
    path: str = "/"
    attached: set[str] = field(default_factory=set)
    inline: dict[str, Document] = field(default_factory=dict)
    created_at: float = 0.0


class Roles(Service):
    """The roles of an account, by their names.

    `managed` are the documents of the managed policies that exist. `clock` returns seconds since 1970, `lag` for how
    many seconds a change is not visible.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        account: str,
        managed: Mapping[str, Document],
        lag: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._clock, self._account, self._managed, self._lag = clock, account, managed, lag
        self.roles: dict[str, Role] = {}
        self._visible: list[tuple[float, dict[str, Role]]] = [(0.0, {})]

    def answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a call. RejectedError for an error."""
        reply = super().answer(operation, params)
        if not operation.startswith(("Get", "List")):
            # A change is never visible before an earlier one.
            visible_at = max(self._clock() + self._lag(), self._visible[-1][0])
            self._visible.append((visible_at, copy.deepcopy(self.roles)))
        return reply

    def arn(self, name: str) -> str:
        """Return the ARN of a role."""
        return f"arn:aws:iam::{self._account}:role{self.roles[name].path}{name}"

    def visible(self) -> dict[str, Role]:
        """Return the roles as IAM shows them now."""
        now = self._clock()
        return next(roles for at, roles in reversed(self._visible) if at <= now)

    def changes_visible(self) -> int:
        """Return how many changes IAM shows now."""
        now = self._clock()
        return sum(at <= now for at, _ in self._visible)

    def require_visible(self, name: str) -> None:
        """Reject the name of a role that IAM does not show yet."""
        _named(self.visible(), {"RoleName": name})

    # ── What changes a role ─────────────────────────────────────────────────────────────────────────────────────────

    def _create(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["RoleName"]
        if name in self.roles:
            raise RejectedError("EntityAlreadyExists", f"Role with name {name} already exists.", status=409)
        trust = json.loads(params["AssumeRolePolicyDocument"])
        self.roles[name] = Role(trust, params.get("Path", "/"), created_at=self._clock())
        return {"Role": self._shown(name, self.roles[name])}

    def _attach(self, params: Mapping[str, Any]) -> dict[str, Any]:
        role = _named(self.roles, params)
        self._require_managed(params)
        role.attached.add(params["PolicyArn"])
        return {}

    def _detach(self, params: Mapping[str, Any]) -> dict[str, Any]:
        role = _named(self.roles, params)
        if params["PolicyArn"] not in role.attached:
            raise _missing(f"Policy {params['PolicyArn']} was not found.")
        role.attached.discard(params["PolicyArn"])
        return {}

    def _put_inline(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _named(self.roles, params).inline[params["PolicyName"]] = json.loads(params["PolicyDocument"])
        return {}

    def _delete_inline(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if _named(self.roles, params).inline.pop(params["PolicyName"], None) is None:
            raise _missing(f"The role policy with name {params['PolicyName']} cannot be found.")
        return {}

    def _trust(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _named(self.roles, params).trust = json.loads(params["PolicyDocument"])
        return {}

    # ── What reads ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Role": self._shown(params["RoleName"], _named(self.visible(), params))}

    def _attached(self, params: Mapping[str, Any]) -> dict[str, Any]:
        arns = sorted(_named(self.visible(), params).attached)
        return {"AttachedPolicies": [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]}

    def _inline(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"PolicyNames": sorted(_named(self.visible(), params).inline)}

    def _get_inline(self, params: Mapping[str, Any]) -> dict[str, Any]:
        found = _named(self.visible(), params).inline.get(params["PolicyName"])
        if found is None:
            raise _missing(f"The role policy with name {params['PolicyName']} cannot be found.")
        names = {name: params[name] for name in ("RoleName", "PolicyName")}
        return {**names, "PolicyDocument": _encoded(found)}

    def _summary(self, _params: Mapping[str, Any]) -> dict[str, Any]:
        return {"SummaryMap": {"AttachedPoliciesPerRoleQuota": POLICIES_PER_ROLE, "Roles": len(self.visible())}}

    def _get_policy(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._require_managed(params)
        return {"Policy": {"Arn": params["PolicyArn"], "DefaultVersionId": "v1"}}

    def _get_version(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._require_managed(params)
        return {"PolicyVersion": {"VersionId": "v1", "Document": _encoded(self._managed[params["PolicyArn"]])}}

    def _require_managed(self, params: Mapping[str, Any]) -> None:
        if params["PolicyArn"] not in self._managed:
            raise _missing(f"Policy {params['PolicyArn']} does not exist or is not attachable.")

    def _shown(self, name: str, role: Role) -> dict[str, Any]:
        return {
            "Arn": f"arn:aws:iam::{self._account}:role{role.path}{name}",
            "RoleName": name,
            "RoleId": "AROAEXAMPLE",
            "Path": role.path,
            "CreateDate": timestamp(role.created_at),
            "AssumeRolePolicyDocument": _encoded(role.trust),
        }

    operations: ClassVar[Operations] = {
        "AttachRolePolicy": _attach,
        "CreateRole": _create,
        "DeleteRolePolicy": _delete_inline,
        "DetachRolePolicy": _detach,
        "GetAccountSummary": _summary,
        "GetPolicy": _get_policy,
        "GetPolicyVersion": _get_version,
        "GetRole": _get,
        "GetRolePolicy": _get_inline,
        "ListAttachedRolePolicies": _attached,
        "ListRolePolicies": _inline,
        "PutRolePolicy": _put_inline,
        "UpdateAssumeRolePolicy": _trust,
    }


def _named(roles: Mapping[str, Role], params: Mapping[str, Any]) -> Role:
    if params["RoleName"] not in roles:
        raise _missing(f"The role with name {params['RoleName']} cannot be found.")
    return roles[params["RoleName"]]


def _missing(text: str) -> RejectedError:
    return RejectedError("NoSuchEntity", text, status=404)


def _encoded(document: Document) -> str:
    """Return a document as IAM's replies have it: URL-encoded. The SDK decodes it."""
    return quote(json.dumps(document))
