"""The deployed stack posts alerts to Slack: a local web server replaces Slack's webhook."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from sandbox.client.engineer import Engineer
from sandbox.client.process import Sandbox, poll
from sandbox.client.watcher import DEADLINE, Watcher
from tests.e2e.bot import STACK, Bot

if TYPE_CHECKING:
    from collections.abc import Iterator

WEBHOOK_PATH = "/services/T000/B000/not-a-real-secret"


@contextmanager
def slack(*, denied_calls: int) -> Iterator[tuple[str, list[dict[str, Any]], list[int]]]:
    """Serve a webhook that first returns 429 some times; yield its URL, its messages and its response codes."""
    taken: list[dict[str, Any]] = []
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            busy = len(statuses) < denied_calls
            statuses.append(429 if busy else 200)
            self.send_response(statuses[-1])
            if busy:
                self.send_header("Retry-After", "1")
            else:
                taken.append(json.loads(body))
            self.end_headers()
            self.wfile.write(b"rate_limited" if busy else b"ok")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{WEBHOOK_PATH}", taken, statuses
    finally:
        server.shutdown()
        server.server_close()


def test_a_finding_reaches_slack_through_a_rate_limit_and_the_webhook_stays_secret() -> None:
    """The message arrives once, as blocks, after a rate limit. The webhook's URL is in no log."""
    with slack(denied_calls=1) as (url, taken, statuses), Sandbox.start() as aws:
        secret = aws.client("secretsmanager").create_secret(
            Name="slack", SecretString=json.dumps({"webhook_url": url})
        )["ARN"]
        outputs = aws.deploy(STACK, {"SlackSecretArn": secret})
        bot = Bot(aws, outputs, Engineer(aws), Watcher(aws, outputs))
        allow_webhooks_on_this_machine(bot)
        arn = bot.engineer.function("f", bot.engineer.role("r"))
        bot.engineer.permit("f", "broad", "s3.amazonaws.com")
        finding = bot.watcher.finding(arn, "PG102")

        poll(lambda: taken, deadline=DEADLINE, what="message in Slack")
        bot.wait_until_empty("AlertQueue")
        assert statuses == [429, 200]
        assert len(taken) == 1
        text = json.dumps(taken[0])
        assert "Opened: " in text
        assert finding["id"] in text
        assert taken[0]["blocks"][0]["type"] == "header"
        bot.watcher.alert(finding["id"], "Finding Opened")

        lines = json.dumps(bot.log_lines("SendAlert"))
        assert "delivered" in lines
        assert WEBHOOK_PATH not in lines
        assert WEBHOOK_PATH not in aws.log


def allow_webhooks_on_this_machine(bot: Bot) -> None:
    """Allow the deployed function to post to this machine: by default it accepts only hooks.slack.com."""
    name = bot.resource("SendAlertFunction")
    environment = bot.engineer.functions.get_function_configuration(FunctionName=name)["Environment"]
    environment["Variables"]["SLACK_WEBHOOK_PREFIX"] = "http://127.0.0.1:"
    bot.engineer.functions.update_function_configuration(FunctionName=name, Environment=environment)
