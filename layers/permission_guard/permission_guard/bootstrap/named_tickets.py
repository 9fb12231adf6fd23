"""The ticket systems that a configuration names: the address of each is in its secret, with the credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from permission_guard.delivery.tickets.routed import NamedSystem
from permission_guard.errors import ConfigurationError, DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from permission_guard.config.destinations import NamedTicketSystem
    from permission_guard.delivery.http.api import Credentials
    from permission_guard.delivery.http.session import HttpSession
    from permission_guard.delivery.tickets.base import TicketSystem


class OutsideAws(Protocol):
    """A kind of ticket system outside AWS."""

    def __call__(self, url: str, credentials: Credentials, session: HttpSession, *, name: str) -> TicketSystem:
        """Make the system at an address. ConfigurationError for an address that is not one of the vendor's."""


def outside_aws(kind: str) -> tuple[OutsideAws, Sequence[str]]:
    """Return what makes a ticket system of a kind, and the names of its credentials."""
    # Each of them loads its part of the layer, which only its users need.
    if kind == "github":
        from permission_guard.delivery.tickets.github import system as github  # noqa: PLC0415

        return github.GitHubIssues, github.CREDENTIALS
    if kind == "jira":
        from permission_guard.delivery.tickets.jira import system as jira  # noqa: PLC0415

        return jira.JiraIssues, jira.CREDENTIALS
    from permission_guard.delivery.tickets.servicenow import system as servicenow  # noqa: PLC0415

    return servicenow.ServiceNowIncidents, servicenow.CREDENTIALS


def named_systems(
    named: Mapping[str, NamedTicketSystem], client: Callable[[Any], Any], session: Callable[[], HttpSession]
) -> list[NamedSystem]:
    """Return the ticket systems of a configuration, in the order of their names. None of them is made yet."""
    return [NamedSystem(name, _AtItsAddress(name, one, client, session)) for name, one in sorted(named.items())]


class _AtItsAddress:
    """Makes a ticket system at the address in its secret, again if that has another address."""

    def __init__(
        self,
        name: str,
        named: NamedTicketSystem,
        client: Callable[[Any], Any],
        session: Callable[[], HttpSession],
    ) -> None:
        self._name = name
        self._named = named
        self._client = client
        self._session = session
        self._secret: Credentials | None = None
        self._made: tuple[str, TicketSystem] | None = None

    def __call__(self) -> TicketSystem:
        """Return the system. ConfigurationError if the secret cannot be read, or has no valid address."""
        make, names = outside_aws(self._named.type)
        if self._secret is None:
            from permission_guard.aws.readers.secrets import CredentialsSecret  # noqa: PLC0415 - loads botocore

            self._secret = CredentialsSecret(self._client("secretsmanager"), self._named.secret, ("url", *names))
        url = self._secret.get()["url"]
        if self._made is None or self._made[0] != url:
            try:
                system = make(url, _OfAddress(self._secret, url), self._session(), name=self._name)
            except ConfigurationError as error:
                # Its text names the parameter of the stack's own system.
                form = str(error).replace("TicketUrl", "url").partition(" for TicketSystem=")[0]
                raise ConfigurationError(f"the secret {self._named.secret} has no valid address: {form}") from None
            self._made = (url, system)
        return self._made[1]


class _OfAddress:
    """The credentials of one address. If the secret now has another address, they are for that one."""

    def __init__(self, secret: Credentials, url: str) -> None:
        self._secret = secret
        self._url = url

    def get(self) -> Mapping[str, str]:
        """Return the credentials. DeliveryError if the secret has another address: the retry uses that one."""
        values = dict(self._secret.get())
        if values.pop("url") != self._url:
            raise DeliveryError("the address in the secret has changed. It will be retried")
        return values

    def forget(self) -> None:
        """Read the secret again the next time."""
        self._secret.forget()
