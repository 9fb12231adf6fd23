"""Amazon Resource Names (ARNs): the one place that splits them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


PARTS: Final = 6

_FUNCTION_PARTS: Final = 7


@record
class Arn:
    """The six parts of `arn:partition:service:region:account:resource`; `resource` can contain colons."""

    prefix: str
    partition: str
    service: str
    region: str
    account: str
    resource: str


def split_arn(text: str, parts: int = PARTS) -> list[str]:
    """Split an ARN, or a pattern of ARNs, at its first colons into at most that many parts."""
    return text.split(":", parts - 1)


def parse_arn(text: str) -> Arn | None:
    """Split an ARN into its six parts. Return None if the text has fewer."""
    parts = split_arn(text)
    return Arn(*parts) if len(parts) == PARTS else None


def require_arn(text: str) -> Arn:
    """Split an ARN into its six parts. ValueError if the text has fewer."""
    arn = parse_arn(text)
    if arn is None:
        raise ValueError(f"not an ARN: {text!r:.200}")
    return arn


def account_of(arn: str) -> str | None:
    """Return the account ID in an ARN, or None if the ARN contains none."""
    parsed = parse_arn(arn)
    return (parsed.account or None) if parsed else None


def function_name(function_arn: str) -> str:
    """Return the name of the function in a full function ARN."""
    return function_arn.split(":")[_FUNCTION_PARTS - 1]


def unqualified(function_arn: str) -> str:
    """Return a function ARN without the version or alias at its end."""
    return ":".join(function_arn.split(":")[:_FUNCTION_PARTS])


def is_account_id(text: str) -> bool:
    """Return whether the text is an account ID: twelve ASCII digits."""
    return len(text) == 12 and text.isascii() and text.isdigit()  # noqa: PLR2004
