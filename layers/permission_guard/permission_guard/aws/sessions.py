"""boto3 sessions of a scan: of the caller's profile, and of a role in another account."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.session
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ProfileNotFound

from permission_guard.aws.clients import CONFIG
from permission_guard.aws.plain_errors import plain_errors
from permission_guard.errors import ConfigurationError
from permission_guard.iam.arn import require_arn
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

Session = boto3.Session
"""The session of a profile or role, for what must not import boto3."""

_SESSION_NAME: Final = "permission-guard-scan"
_ANY_REGION: Final = "us-east-1"


@record
class Identity:
    """Who a session is: the account, the partition, and the ARN of the caller."""

    account: str
    partition: str
    arn: str


def profile_session(profile: str | None) -> boto3.Session:
    """Return the session of a profile, or of the environment. ConfigurationError if there is no such profile."""
    try:
        return boto3.Session(profile_name=profile)
    except ProfileNotFound as error:
        known = ", ".join(boto3.Session().available_profiles) if profile else ""
        profiles = f"The profiles are: {known}" if known else "There are no profiles: run `aws configure`"
        raise ConfigurationError(f"there is no AWS profile {profile!r}. {profiles}") from error
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"boto3 cannot use the profile {profile!r}: {error}") from error


def region_of(session: boto3.Session) -> str:
    """Return the region of the environment or the profile, empty if neither names one."""
    return os.environ.get("AWS_REGION") or session.region_name or ""


def identity(session: boto3.Session) -> Identity:
    """Return who a session is. ConfigurationError or RetryableError, in plain words, if AWS does not know it.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    with plain_errors("sts:GetCallerIdentity", "the credentials"):
        reply = client_of(session, "sts").get_caller_identity()
        return Identity(reply["Account"], require_arn(reply["Arn"]).partition, reply["Arn"])


def role_session(session: boto3.Session, role_arn: str) -> boto3.Session:
    """Return a session of a role. It renews its credentials: a scan can take longer than they are valid.

    Nothing is called before the first use.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    own: Any = session._session  # noqa: SLF001 - boto3 has no other way to give a role's credentials to a session
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=lambda service, **more: own.create_client(
            service, **{"region_name": region_of(session) or _ANY_REGION, "config": CONFIG, **more}
        ),
        source_credentials=session.get_credentials(),
        role_arn=role_arn,
        extra_args={"RoleSessionName": _SESSION_NAME},
    )
    return _session_with(DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role"), None, session)


def session_like(session: boto3.Session) -> boto3.Session:
    """Return another session with the same profile and credentials: a session is not safe for several threads."""
    profile = session.profile_name if session.profile_name in session.available_profiles else None
    return _session_with(session.get_credentials(), profile, session)


def _session_with(credentials: Any, profile: str | None, like: boto3.Session) -> boto3.Session:
    """Return a session with credentials that are read already: some profiles run a program for them."""
    core: Any = botocore.session.Session(profile=profile)
    core._credentials = credentials  # noqa: SLF001 - boto3 has no other way to share credentials
    return boto3.Session(botocore_session=core, region_name=region_of(like) or None)


def require_role(session: boto3.Session, role_arn: str) -> None:
    """Raise ConfigurationError, with what to do, if the role of a session cannot be assumed."""
    with plain_errors("sts:AssumeRole", role_arn):
        client_of(session, "sts").get_caller_identity()


def active_accounts(session: boto3.Session) -> tuple[str, ...]:
    """Return the ids of the active accounts of the caller's organization, sorted.

    ConfigurationError if the account may not list them: only the management account and delegated administrators may.
    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
    """
    with plain_errors("organizations:ListAccounts", "the organization"):
        return tuple(sorted(_active(client_of(session, "organizations"))))


def enabled_regions(session: boto3.Session) -> tuple[str, ...]:
    """Return the regions that are enabled for the account, sorted. ConfigurationError if they cannot be read.

    Without AllRegions, EC2 lists the regions that are enabled.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    with plain_errors("ec2:DescribeRegions", "the account"):
        return tuple(sorted(one["RegionName"] for one in client_of(session, "ec2").describe_regions()["Regions"]))


def client_of(session: boto3.Session, service: str, region: str | None = None) -> Any:
    """Return a client of a session, in a region or in the session's own."""
    name: Any = service
    return session.client(name, region_name=region or region_of(session) or _ANY_REGION, config=CONFIG)


def _active(organizations: Any) -> Iterator[str]:
    # AWS replaces `Status` by `State` until September 2026.
    for page in organizations.get_paginator("list_accounts").paginate():
        for account in page["Accounts"]:
            if (account.get("State") or account.get("Status")) == "ACTIVE":
                yield account["Id"]
