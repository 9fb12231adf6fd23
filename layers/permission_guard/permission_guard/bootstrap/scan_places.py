"""The composition root of what a scan covers: the accounts, each with a session, and their regions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from permission_guard.aws.readers.own_access import access_of
from permission_guard.aws.sessions import (
    active_accounts,
    enabled_regions,
    identity,
    profile_session,
    region_of,
    require_role,
    role_session,
    session_like,
)
from permission_guard.bootstrap.scan import RegionScan
from permission_guard.bootstrap.scan_plans import ScanPlanner
from permission_guard.errors import ConfigurationError
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from threading import Event

    from permission_guard.aws.sessions import Identity, Session
    from permission_guard.config.document import GuardConfig
    from permission_guard.model.access import Access
    from permission_guard.sweep.bulk import BulkOptions, Progress


@record
class OpenAccount:
    """An account with the credentials to read it."""

    id: str
    session: Session

    def regions(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Return the regions to scan: those that are wanted, or all enabled ones if none is.

        ConfigurationError or RetryableError, in plain words, if they cannot be read.
        """
        return tuple(dict.fromkeys(wanted)) or enabled_regions(self.session)

    def scan(
        self, region: str, options: BulkOptions, stop: Event, on_progress: Callable[[Progress], None]
    ) -> RegionScan:
        """Return the scan of a region."""
        return RegionScan(session_like(self.session), region, options, stop=stop, on_progress=on_progress)

    def planner(self, region: str, config: GuardConfig) -> ScanPlanner:
        """Return what plans fixes in a region."""
        return ScanPlanner(session_like(self.session), region, config)

    def access(self, region: str, actions: Iterable[str]) -> tuple[Access, ...]:
        """Return which actions the credentials are allowed, tried in a region. The same errors as `regions`."""
        return access_of(self.session, identity(self.session), region, actions)


class Caller:
    """Who runs the scan. ConfigurationError if the profile does not exist. Nothing is called before the first use."""

    def __init__(self, profile: str | None) -> None:
        self._session = profile_session(profile)

    @property
    def region(self) -> str:
        """The region of the environment or the profile, empty if neither names one."""
        return region_of(self._session)

    @cached_property
    def identity(self) -> Identity:
        """Who it is. ConfigurationError or RetryableError, in plain words, if AWS does not know the credentials."""
        return identity(self._session)

    def organization(self) -> tuple[str, ...]:
        """Return the active accounts of the organization. ConfigurationError if they cannot be listed."""
        return active_accounts(self._session)

    def account(self, account: str, role_name: str | None) -> OpenAccount:
        """Return an account with the credentials of the role. The caller's own account needs no role.

        ConfigurationError or RetryableError, in plain words, if the role cannot be assumed.
        """
        own = self.identity
        if account == own.account:
            return OpenAccount(account, self._session)
        if role_name is None:
            raise ConfigurationError(f"--account {account} needs --role-name: a role in that account to assume")
        arn = f"arn:{own.partition}:iam::{account}:role/{role_name}"
        session = role_session(self._session, arn)
        require_role(session, arn)
        return OpenAccount(account, session)
