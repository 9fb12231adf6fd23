"""GitHub, Jira, ServiceNow, Slack, Teams and a webhook on this machine, over TLS, each by the name of its host.

Each keeps what it gets, refuses what the vendor refuses, and says what it has: its module is in `tests/integration`.
The functions of a sandbox that was started with `settings` reach them by their names.
"""

from __future__ import annotations

import json
import ssl
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.integration.alerts import apprise, slack, slack_api
from tests.integration.tickets import github, jira, servicenow
from tests.integration.tickets.http_server import Answer, Vendor
from tests.peers.certificates import write_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tests.integration.tickets.http_server import Request

WEBHOOK: Final = f"https://hooks.slack.com/{slack.WEBHOOK_PATH}"


class Peers:
    """The servers, for the time of a `with` block."""

    def __init__(self) -> None:
        self.github, self.jira, self.servicenow = github.GitHub(), jira.Jira(), servicenow.ServiceNow()
        self.slack, self.webhook = slack_api.SlackWorkspace(), slack.SlackWebhook()
        self.apprise = {one: apprise.AppriseServices() for one in ("workflows", "jsons")}
        self._hosts: Mapping[str, tuple[Vendor, str]] = {
            "api.github.com": (self.github.vendor, ""),
            "acme.atlassian.net": (self.jira.vendor, "/rest/api/3"),
            "acme.service-now.com": (self.servicenow.vendor, "/api/now"),
            "slack.com": (self.slack.vendor, ""),
            "hooks.slack.com": (self.webhook.vendor, ""),
            **{_host(one): (services.vendor, "") for one, services in self.apprise.items()},
        }
        for one, services in self.apprise.items():
            services.hosts.append(apprise.HOSTS[one])
        self._server = Vendor(self._answer)

    @property
    def secrets(self) -> Mapping[str, Mapping[str, str | list[str]]]:
        """Return what people store in Secrets Manager, by the name of the peer."""
        return {
            "github": {"url": github.REPOSITORY, "token": github.TOKEN},
            "jira": {"url": jira.PROJECT, "email": jira.EMAIL, "token": jira.TOKEN},
            "servicenow": {"url": servicenow.INCIDENTS, "user": servicenow.USER, "password": servicenow.PASSWORD},
            "slack": {"bot_token": slack_api.TOKEN},
            "webhook": {"webhook_url": WEBHOOK},
            "workflows": {"urls": [apprise.URLS["workflows"]]},
            "jsons": {"urls": [apprise.URLS["jsons"]]},
        }

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the variables with which a sandbox leads its functions to these servers."""
        port, ca = self._server.server.server_port, str(Path(self._folder.name) / "ca.pem")
        return {"SANDBOX_PEERS": json.dumps({"hosts": [*self._hosts], "port": port, "ca": ca})}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="peers-")
        folder = Path(self._folder.name)
        write_certificates(folder, self._hosts)
        self._server.__enter__()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "peers.pem")
        # Each connection shakes hands in its own thread.
        listening = self._server.server.socket
        self._server.server.socket = tls.wrap_socket(listening, server_side=True, do_handshake_on_connect=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)
        self._folder.cleanup()

    def _answer(self, request: Request) -> Answer:
        """Let the peer answer whose host a request names."""
        vendor, base = self._hosts.get(request.headers.get("host", ""), (None, ""))
        if vendor is None or not request.path.startswith(f"{base}/"):
            return Answer(404, {"message": "no such host or path"})
        return vendor.respond(replace(request, path=request.path.removeprefix(base)))


def _host(service: str) -> str:
    """Return the name of the host of a service of Apprise, without the port."""
    return apprise.HOSTS[service].partition(":")[0]
