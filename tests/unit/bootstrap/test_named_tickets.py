"""A named ticket system is at the address in its secret, and its credentials go nowhere else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from permission_guard.bootstrap.named_tickets import named_systems
from permission_guard.bootstrap.tickets import systems_for
from permission_guard.config.destinations import NamedTicketSystem, TicketType
from permission_guard.config.document import GuardConfig, Tickets
from permission_guard.config.settings import TicketSettings
from permission_guard.delivery.http.session import HttpResponse
from permission_guard.errors import ConfigurationError, DeliveryError
from permission_guard.model.findings import Finding
from tests.paths import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.delivery.tickets.routed import NamedSystem

OPENED: Final = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
ARN: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-AbCdEf"
JIRA: Final = {"url": "https://acme.atlassian.net/projects/SHOP", "email": "bot@example.com", "token": "hush-hush"}
SECRETS: Final = {
    TicketType.JIRA: JIRA,
    TicketType.GITHUB: {"url": "https://github.com/acme/shop", "token": "hush-hush"},
    TicketType.SERVICENOW: {"url": "https://acme.service-now.com/incident", "user": "bot", "password": "hush-hush"},
}


class Aws:
    """Secrets Manager with one secret, and the session of the requests, which have no issue."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.reads: list[str] = []
        self.hosts: list[str] = []

    def client(self, service: str) -> Any:
        assert service == "secretsmanager"
        return self

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 - the name of boto3
        self.reads.append(SecretId)
        return {"SecretString": json.dumps(self.values)}

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> HttpResponse:
        self.hosts.append(url.split("/")[2])
        content = [] if self.hosts[-1] == "api.github.com" else {"issues": [], "result": []}
        return HttpResponse(200, {}, json.dumps(content).encode())


def named(aws: Aws, kind: TicketType = TicketType.JIRA) -> NamedSystem:
    """Return the only named ticket system."""
    (system,) = named_systems({"shop": NamedTicketSystem(type=kind, secret=ARN)}, aws.client, lambda: aws)
    return system


@pytest.mark.parametrize("kind", TicketType)
def test_a_system_is_made_at_the_address_of_its_secret_and_under_its_name(kind: TicketType) -> None:
    """When it is needed, and once."""
    aws = Aws(**SECRETS[kind])
    system = named(aws, kind)
    assert aws.reads == []
    made = system.make()
    assert made.find(OPENED) is None
    assert (system.name, made.name, aws.reads) == ("shop", "shop", [ARN])
    host = SECRETS[kind]["url"].split("/")[2]
    assert aws.hosts == ["api.github.com" if kind is TicketType.GITHUB else host]
    assert system.make() is made


def test_after_a_change_of_the_address_the_credentials_go_to_the_new_one_only() -> None:
    """Those that were made for the old address refuse to give any out."""
    aws = Aws(**JIRA)
    system = named(aws)
    old = system.make()
    aws.values = {**JIRA, "url": "https://other.atlassian.net/projects/SHOP", "token": "new-secret"}
    assert system.make() is old  # the secret is kept for five minutes
    old._api._credentials.forget()  # type: ignore[attr-defined]
    with pytest.raises(DeliveryError, match="the address in the secret has changed"):
        old.find(OPENED)
    assert aws.hosts == []
    system.make().find(OPENED)
    assert aws.hosts == ["other.atlassian.net"]


@pytest.mark.parametrize(
    "url", ["http://acme.atlassian.net/projects/SHOP", "https://evil.example/", "https://a@acme.atlassian.net/x", "x"]
)
def test_an_address_that_is_none_is_an_error_without_the_secret(url: str) -> None:
    """It names the secret, and neither its values nor a parameter of the stack."""
    with pytest.raises(ConfigurationError) as raised:
        named(Aws(**{**JIRA, "url": url})).make()
    assert str(raised.value).startswith(f"the secret {ARN} has no valid address: url must be https://")
    assert not any(text in str(raised.value) for text in ("hush-hush", "TicketUrl", "TicketSystem", url + " "))


def test_a_secret_without_an_address_is_an_error_that_shows_its_form() -> None:
    """The address is part of the form."""
    with pytest.raises(ConfigurationError, match=r'store JSON \{"url": "...", "email": "...", "token": "..."\}'):
        named(Aws(email="bot@example.com", token="hush-hush")).make()


def test_a_deployment_has_its_own_system_first_and_then_the_named_ones() -> None:
    """None of them is made before it is used: one that cannot be made fails alone."""
    shop = NamedTicketSystem(type=TicketType.JIRA, secret=ARN)
    config = GuardConfig(tickets=Tickets(systems={"shop": shop, "crew": replace(shop, type=TicketType.GITHUB)}))
    settings = TicketSettings("findings", "deliveries", "github")
    clients: list[str] = []
    systems = systems_for(settings, config, clients.append)
    assert ([one.name for one in systems], clients) == (["github", "crew", "shop"], [])
    with pytest.raises(ConfigurationError, match="TicketSystem=github needs TicketSecretArn"):
        systems[0].make()
    assert [one.name for one in systems_for(replace(settings, ticket_system="none"), config, clients.append)] == [
        "crew",
        "shop",
    ]
    both = replace(settings, ticket_system="opsitem", imports_to_security_hub=True)
    systems = systems_for(both, config, clients.append)
    assert [one.name for one in systems] == ["opsitem", "securityhub", "crew", "shop"]
    assert [one.make().name for one in systems[:2]] == ["opsitem", "securityhub"]
    assert clients == ["ssm", "securityhub"]
    with pytest.raises(ConfigurationError, match="TicketSystem is 'jurassic'"):
        systems_for(replace(settings, ticket_system="jurassic"), config, clients.append)
