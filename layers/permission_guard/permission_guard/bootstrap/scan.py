"""The composition root of a scan: one boto3 session, one region, nothing deployed."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING, Final

from permission_guard.aws.plain_errors import plain_errors
from permission_guard.aws.readers.bulk.function_list import FunctionList
from permission_guard.aws.readers.bulk.inventories import InventoriesInBulk
from permission_guard.aws.readers.bulk.lists import MappingList, TagList
from permission_guard.aws.readers.bulk.parts import SharedParts
from permission_guard.aws.readers.bulk.read_function import ReadFunction
from permission_guard.aws.readers.bulk.roles import RoleList
from permission_guard.aws.readers.bulk.sources import OrganizationInBulk, SourcesInBulk
from permission_guard.aws.session_clients import SessionClients, rates_of
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.rules.configured import configured
from permission_guard.sweep.bulk import BulkEvaluation, Evaluation, Gap, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.aws.session_clients import Session
    from permission_guard.sweep.bulk import BulkOptions

_PROGRESS_SECONDS: Final = 0.2
_MORE_CONNECTIONS: Final = 16
"""For the lists and inventories, which are read beside the functions."""


class RegionScan:
    """Evaluates the functions of one account and region, once, in the order in which they are ready.

    Iterate over it in one thread. Several scans can run at the same time, each in a thread of its own: they share
    nothing but the limits of an account and region, so scan each pair once.
    """

    def __init__(
        self,
        session: Session,
        region: str,
        options: BulkOptions,
        *,
        stop: Event | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Scan `region` with the credentials of `session`.

        Set `stop` from a signal handler or another thread: no call is started after that, and the iteration ends with
        what is evaluated. `on_progress` is called in the thread that iterates, several times a second.
        """
        self._options = options
        self._region = region
        self._on_progress = on_progress or (lambda _: None)
        self._stop = stop or Event()
        self._rates = rates_of(options.policy_rate, options.rate, self._stop.wait)
        self._clients = SessionClients(session, region, self._rates, options.workers + _MORE_CONNECTIONS)
        self._partition = session.get_partition_for_region(region)
        self._account = ""
        self._evaluation: BulkEvaluation | None = None

    def __iter__(self) -> Iterator[Evaluation]:
        """Yield an evaluation for each function as it is ready, then one for each role.

        ConfigurationError if nothing can be read: no or expired credentials, an unknown or disabled region, an endpoint
        that cannot be reached, or a denied ListFunctions. RetryableError if a retry may succeed.
        """
        evaluation = self._evaluation = self._composed()
        reported_at = 0.0
        for found in evaluation:
            if found is None or time.monotonic() - reported_at >= _PROGRESS_SECONDS:
                reported_at = time.monotonic()
                self._on_progress(evaluation.progress)
            if found is not None:
                yield found
        self._on_progress(evaluation.progress)

    @property
    def account(self) -> str:
        """The id of the account, from AWS STS, read at the first use. The errors are those of the iteration."""
        if not self._account:
            with plain_errors("sts:GetCallerIdentity", f"region {self._region}"):
                self._account = str(self._clients.client("sts").get_caller_identity()["Account"])
        return self._account

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was not read or not evaluated. Complete after the iteration has ended."""
        found = () if self._evaluation is None else self._evaluation.gaps
        return (*found, *self._options.selection.gaps())

    @property
    def progress(self) -> Progress:
        """How far the scan is. It can be read from any thread."""
        if self._evaluation is None:
            return Progress(listed=0, is_listed=False, done=0, findings=0, seconds=0.0)
        return self._evaluation.progress

    def _composed(self) -> BulkEvaluation:
        options, client, selection = self._options, self._clients.client, self._options.selection
        actions, is_of_roles = selection.reads, selection.includes(Direction.EXECUTION_ROLE)
        any_function = FunctionTarget(self._partition, self._region, self.account, "-")
        parts = SharedParts(
            client("lambda"),
            selection,
            MappingList(client("lambda"), is_selected=is_of_roles),
            TagList(lambda: client("resourcegroupstaggingapi")),
            RoleList(client("iam"), is_selected=is_of_roles),
            InventoriesInBulk(client, any_function, actions, options.inventory_seconds),
            SourcesInBulk(client, actions),
            OrganizationInBulk(lambda: client("organizations"), lambda: client("iam")),
        )
        functions = FunctionList(parts.client)
        return BulkEvaluation(
            (ReadFunction(listed, parts) for listed in functions),
            (parts.tags, parts.mappings, parts.roles, parts.sources, parts.inventories),
            configured((rule for direction in Direction for rule in selection.rules(direction)), options.config),
            options,
            stop=self._stop,
            rates=lambda: self._rates.uses,
            not_listed=lambda: functions.unread,
        )
