"""Amazon resource names: taking them apart, and matching them part by part or as a whole."""

from __future__ import annotations

from permission_guard.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


PARTS: Final = 6


@record
class Arn:
    """The six parts of `arn:partition:service:region:account:resource`; `resource` keeps its own colons."""

    prefix: str
    partition: str
    service: str
    region: str
    account: str
    resource: str


def parse_arn(text: str) -> Arn | None:
    """Take an ARN apart at its first five colons, or return None when it has fewer."""
    parts = text.split(":", PARTS - 1)
    return Arn(*parts) if len(parts) == PARTS else None


def account_of(arn: str) -> str | None:
    """Return the account in an ARN, or None where it names none."""
    parsed = parse_arn(arn)
    return (parsed.account or None) if parsed else None


def is_account_id(text: str) -> bool:
    """Tell whether the text is an account id: twelve ASCII digits."""
    return len(text) == 12 and text.isascii() and text.isdigit()  # noqa: PLR2004
