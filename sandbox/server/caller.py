"""Return the caller of a request as CloudTrail's `userIdentity`, from the access key of the signature."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sandbox.server import inside

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]*/([^/]+)/aws4_request")


def signed_scope(authorization: str) -> tuple[str, str] | None:
    """Return the access key and the service of a signature, None for an unsigned request."""
    found = _CREDENTIAL.search(authorization)
    return (found[1], found[2]) if found else None


def user_identity(access_key: str, account: str) -> dict[str, Any]:
    """Return the `userIdentity` of an access key: the root of its account, a role's session, or an IAM user."""
    session = inside.sessions.get(access_key)
    if session is not None:
        return _session_identity(access_key, session, account)
    key = inside.access_keys.get_scoped(account, None, access_key)
    if key is not None:
        user = inside.users.get_scoped(account, None, key["UserName"]) or {}
        return {
            "type": "IAMUser",
            "principalId": user.get("UserId", ""),
            "arn": user.get("Arn", f"arn:aws:iam::{account}:user/{key['UserName']}"),
            "accountId": account,
            "accessKeyId": access_key,
            "userName": key["UserName"],
        }
    return {
        "type": "Root",
        "principalId": account,
        "arn": f"arn:aws:iam::{account}:root",
        "accountId": account,
        "accessKeyId": access_key,
    }


def _session_identity(access_key: str, session: dict[str, Any], account: str) -> dict[str, Any]:
    arn = str(session["Arn"])
    if ":assumed-role/" not in arn:
        return {"type": "FederatedUser", "arn": arn, "accountId": account, "accessKeyId": access_key}
    name = inside.role_name_from_session(arn)
    role = inside.roles.get_scoped(account, None, name) or {}
    role_id = role.get("RoleId") or str(session.get("UserId", "")).partition(":")[0]
    issued = datetime.fromtimestamp(session.get("IssuedAt", 0), UTC)
    return {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{arn.rpartition('/')[2]}",
        "arn": arn,
        "accountId": account,
        "accessKeyId": access_key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": role.get("Arn", f"arn:aws:iam::{account}:role/{name}"),
                "accountId": account,
                "userName": name,
            },
            "attributes": {"creationDate": issued.strftime("%Y-%m-%dT%H:%M:%SZ"), "mfaAuthenticated": "false"},
        },
    }
