"""Responses of IAM that MiniStack lacks: SetDefaultPolicyVersion, and boundaries in the account's details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.server import inside
from sandbox.server.reply import xml_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.server.reply import Response

_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


def install(handlers: dict[str, Callable[[Mapping[str, Any]], Response]]) -> None:
    """Add the handlers to IAM's table of operations."""
    handlers["SetDefaultPolicyVersion"] = set_default_policy_version
    details = "GetAccountAuthorizationDetails"
    handlers[details] = wrap_account_details(handlers[details])


def set_default_policy_version(params: Mapping[str, Any]) -> Response:
    """Handle SetDefaultPolicyVersion. `params` has the lists of a parsed form."""
    arn, number = params.get("PolicyArn", [""])[0], params.get("VersionId", [""])[0]
    policy = inside.managed_policies.get(arn)
    if policy is None:
        return xml_error("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404, "")
    if number not in policy["Versions"]:
        return xml_error("NoSuchEntity", f"Policy {arn} version {number} does not exist or is not attachable.", 404, "")
    policy["DefaultVersionId"] = number
    for version in policy["Versions"].values():
        version["IsDefaultVersion"] = version["VersionId"] == number
    body = (
        f'<SetDefaultPolicyVersionResponse xmlns="{_NAMESPACE}"><ResponseMetadata><RequestId/></ResponseMetadata>'
        "</SetDefaultPolicyVersionResponse>"
    )
    return 200, {"Content-Type": "text/xml"}, body.encode()


def wrap_account_details(inner: Callable[[Mapping[str, Any]], Response]) -> Callable[[Mapping[str, Any]], Response]:
    """Add each role's permissions boundary. Without it, a limited role would appear unlimited."""

    def account_details(params: Mapping[str, Any]) -> Response:
        status, headers, body = inner(params)
        text = body.decode()
        for name, role in inside.roles.items():
            if role.get("PermissionsBoundary"):
                tag = f"<RoleName>{name}</RoleName>"
                text = text.replace(tag, tag + _boundary_element(role["PermissionsBoundary"]))
        return status, headers, text.encode()

    return account_details


def _boundary_element(arn: str) -> str:
    return (
        "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>"
        f"<PermissionsBoundaryArn>{arn}</PermissionsBoundaryArn></PermissionsBoundary>"
    )
