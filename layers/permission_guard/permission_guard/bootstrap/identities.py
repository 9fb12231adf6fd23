"""The composition root of what the command line reads of an account's roles and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from permission_guard.aws.clients import CONFIG
from permission_guard.aws.plain_errors import plain_errors
from permission_guard.aws.readers.identities import IdentityReader

if TYPE_CHECKING:
    from permission_guard.model.identities import AccountIdentities


def account_identities(session: Any, region: str) -> AccountIdentities:
    """Read the roles and users of the account of a boto3 session, with their policies: one list, of several pages.

    What AWS denies is in the result as unread. ConfigurationError or RetryableError if the account is unknown: no or
    expired credentials, for example.
    """
    with plain_errors("sts:GetCallerIdentity", f"region {region}"):
        account = session.client("sts", region_name=region, config=CONFIG).get_caller_identity()["Account"]
    return IdentityReader(session.client("iam", region_name=region, config=CONFIG)).read(account)
