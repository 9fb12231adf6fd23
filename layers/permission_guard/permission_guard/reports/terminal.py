"""Show text from others on a terminal: names, policies and error messages, whose authors can choose them to deceive."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.text import Text

from permission_guard.delivery.text import listing


def literal(text: str) -> str:
    r"""Return text that Rich prints as it is: no markup, and invisible and control characters as `\u` escapes.

    Without this, a name with an escape sequence could clear the screen, hide a line or change its colour, and one with
    a bidirectional control could show a command in another order than it is pasted.
    """
    return escape(listing(text))


def plain(text: str, style: str = "") -> Text:
    r"""Return what Rich prints as `literal` does, whatever is at its end: `literal` doubles a backslash there.

    A command of several lines has one at the end of each.
    """
    return Text(listing(text), style)


def echo(text: str) -> None:
    """Print a message that names files or resources to standard output."""
    typer.echo(listing(text))


def echo_error(text: str) -> None:
    """Print an error message, which quotes names from files and from AWS, to standard error."""
    typer.echo(listing(text), err=True)
