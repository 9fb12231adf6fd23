"""Messages and tickets as pages: what the deployed code writes, in frames like those of the programs that show it."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt

from permission_guard.delivery.alerts.slack.message import payload
from permission_guard.delivery.alerts.sns.message import publication
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.chat import chat
from permission_guard.delivery.formats.html import html
from permission_guard.delivery.tickets.base import Mark
from permission_guard.delivery.tickets.github import content as issues
from permission_guard.delivery.tickets.ops_item.content import content
from tools.pictures import slack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.findings import Finding

WIDTH: Final = 820
"""CSS pixels."""

_FOLDER: Final = Path(__file__).parent
_URL: Final = re.compile(r"https?://[^\s<>\"]+")
_CHAT_BYTES: Final = 20_000
_DATA: Final = ("status", "rule_id", "function_name")


def slack_page(finding: Finding) -> str:
    """Return the alert as Slack shows it."""
    blocks = slack.html(payload(compose(finding))["blocks"])
    name = "<p class=author><b>Permission Guard</b> <span class=app>APP</span> <span class=quiet>11:45</span></p>"
    return page("slack", f"<div class=avatar>PG</div><div>{name}{blocks}</div>")


def mail_page(finding: Finding) -> str:
    """Return the alert as a mail program shows it: plain text whose addresses are links."""
    mail = publication(compose(finding))
    head = f"<h1>{escape(mail.subject)}</h1><p class=quiet>AWS Notifications &lt;no-reply@sns.amazonaws.com&gt;</p>"
    return page("mail", f"<header>{head}</header><pre>{_linked(mail.text)}</pre>")


def issue_page(finding: Finding) -> str:
    """Return the ticket as GitHub shows it."""
    labels = "".join(f"<span class=label>{escape(one)}</span>" for one in issues.labels(finding))
    title = f"<h1>{escape(issues.title(finding))} <span class=quiet>#42</span></h1>"
    author = "<p class=author><b>permission-guard</b> opened this issue</p>"
    body = markdown(issues.body(finding, Mark.of(finding)))
    head = f"<header>{title}<p><span class=open>Open</span> {labels}</p></header>"
    return page("issue", f"{head}<article>{author}<div>{body}</div></article>")


def ops_item_page(finding: Finding) -> str:
    """Return the ticket as OpsCenter shows it: the description, and a part of the operational data."""
    item = content(finding)
    facts = {"Severity": item.severity, "Priority": str(item.priority), **{key: item.data[key] for key in _DATA}}
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    head = f"<h1>{escape(item.title)}</h1><dl>{rows}</dl>"
    return page("ops", f"<header>{head}</header><article><h2>Description</h2>{markdown(item.description)}</article>")


def chat_page(finding: Finding) -> str:
    """Return the alert as a program shows it that takes HTML. There is no picture of it."""
    message = compose(finding)
    return page("chat", f"<h1>{escape(message.headline)}</h1>{html(message)}")


def teams_page(finding: Finding) -> str:
    """Return the alert as a chat shows it that reads Markdown, such as Microsoft Teams. There is no picture of it."""
    message = compose(finding)
    return page("chat", f"<h1>{escape(message.headline)}</h1><article>{markdown(chat(message, _CHAT_BYTES))}</article>")


PAGES: Final[Mapping[str, Callable[[Finding], str]]] = {
    "slack": slack_page,
    "mail": mail_page,
    "ticket": issue_page,
    "ops-item": ops_item_page,
}


def markdown(text: str) -> str:
    """Return Markdown as HTML. Like GitHub it lets HTML through and ends a line where the text does."""
    return str(MarkdownIt("commonmark", {"html": True, "breaks": True}).enable("table").render(text))


def _linked(text: str) -> str:
    """Return text as HTML in which addresses are links."""
    end, parts = 0, []
    for found in _URL.finditer(text):
        address = escape(found[0])
        parts += [escape(text[end : found.start()]), f'<a href="{address}">{address}</a>']
        end = found.end()
    return "".join([*parts, escape(text[end:])])


def page(kind: str, body: str) -> str:
    """Return a page with a body of HTML. Its script measures what of its text can be seen."""
    style, script = (_FOLDER / "style.css").read_text(), (_FOLDER / "measure.js").read_text()
    head = f'<meta charset="utf-8"><title>{kind}</title><style>{style}</style>'
    body = f'<body class="{kind}">{body}<script>{script}</script></body>'
    return f'<!doctype html><html lang="en"><head>{head}</head>{body}</html>\n'
