"""The composition root of a scan: one boto3 session, one region, nothing deployed."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3

    from permission_guard.sweep.bulk import BulkOptions, Evaluation, Gap, Progress


class RegionScan:
    """Evaluates the functions of one account and region, once, in the order in which they are ready.

    Iterate over it in one thread. Several scans can run at the same time, each in a thread of its own: they share
    nothing but the limits of an account and region, so scan each pair once.
    """

    def __init__(
        self,
        session: boto3.Session,
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
        self._session = session
        self._region = region
        self._options = options
        self._stop = stop or Event()
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[Evaluation]:
        """Yield an evaluation for each function as it is ready, then one for each role.

        ConfigurationError if nothing can be read: no or expired credentials, an unknown or disabled region, an endpoint
        that cannot be reached, or a denied ListFunctions. RetryableError if a retry may succeed.
        """
        raise NotImplementedError

    @property
    def account(self) -> str:
        """The id of the account, from AWS STS."""
        raise NotImplementedError

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was not read or not evaluated. Complete after the iteration has ended."""
        raise NotImplementedError

    @property
    def progress(self) -> Progress:
        """How far the scan is. It can be read from any thread."""
        raise NotImplementedError
