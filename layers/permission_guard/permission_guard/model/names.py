r"""The names that AWS accepts: the patterns and lengths of its API models. A test compares them with botocore's.

The names of groups are ours. In AWS's patterns `\d` and `\w` match ASCII only.
"""

from __future__ import annotations

import re
from typing import Final

from permission_guard.records import record


@record
class NameForm:
    """The form of a name: a pattern for the whole name, and the lengths that the API accepts."""

    pattern: str
    shortest: int
    longest: int

    def match(self, text: str) -> re.Match[str] | None:
        """Return the match of a name, None if the API does not accept it. Long texts are rejected without a search."""
        if not self.shortest <= len(text) <= self.longest:
            return None
        return re.fullmatch(self.pattern, text, re.ASCII)


_REGION: Final = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}"
_ARN: Final = rf"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:({_REGION})?:(\d{{12}})?:(.*)"

REGION: Final = NameForm(_REGION, 1, 64)
"""The part of Lambda's patterns for a region, which has no shape of its own."""

# ── Lambda ──────────────────────────────────────────────────────────────────────────────────────────────────────────

FUNCTION_NAME: Final = NameForm(
    r"(arn:(?P<partition>aws[a-zA-Z-]*)?:lambda:)?"
    rf"(?P<region>{_REGION}:)?(?P<account>\d{{12}}:)?(function:)?(?P<name>[a-zA-Z0-9-_\.]+)"
    r"(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
    1,
    256,
)
"""A name, a partial ARN or a full ARN, each with or without a qualifier."""

LONGEST_FUNCTION_NAME: Final = 140
LONGEST_QUALIFIER: Final = 128

ROLE_ARN: Final = NameForm(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+", 0, 10_000)
"""The ARN of an execution role: Lambda accepts fewer characters in its path than IAM."""

ARN: Final = NameForm(_ARN, 0, 10_000)
"""The ARN of an event source, or of the source of an invocation."""

DESTINATION: Final = NameForm(rf"$|kafka://([^.]([a-zA-Z0-9\-_.]{{0,248}}))|{_ARN}", 0, 350)
TARGET_ARN: Final = NameForm(r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()", 0, 10_000)
"""The ARN of a dead-letter queue or topic."""

TOPIC: Final = NameForm(r"[^.]([a-zA-Z0-9\-_.]+)", 1, 249)
QUEUE: Final = NameForm(r"[\s\S]*", 1, 1_000)
"""The name of a queue of an Amazon MQ broker."""

URI: Final = NameForm(r"[ a-zA-Z0-9-\/*:_+=.@-]*", 1, 200)
"""What a source access configuration names, such as a secret or a subnet; and a Kafka consumer group."""

SCHEMA_REGISTRY_URI: Final = NameForm(r"[a-zA-Z0-9-\/*:_+=.@-]*", 1, 10_000)
SERVER: Final = NameForm(
    r"(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])\.)*"
    r"([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9]):[0-9]{1,5}",
    1,
    300,
)
SUBNET_ID: Final = NameForm(r"subnet-[0-9a-z]*", 0, 1_024)

STATEMENT_ID: Final = NameForm(r"([a-zA-Z0-9-_.]+)", 1, 100)
"""The Sids that RemovePermission accepts."""

ACTION: Final = NameForm(r"(lambda:[*]|lambda:[a-zA-Z]+|[*])", 0, 10_000)
ORGANIZATION_ID: Final = NameForm(r"o-[a-z0-9]{10,32}", 12, 34)
EVENT_SOURCE_TOKEN: Final = NameForm(r"[a-zA-Z0-9._\-]+", 0, 256)

# ── IAM ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

ROLE_NAME: Final = NameForm(r"[\w+=,.@-]+", 1, 64)
POLICY_NAME: Final = NameForm(r"[\w+=,.@-]+", 1, 128)
PATH: Final = NameForm(r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", 1, 512)
IAM_ARN: Final = NameForm(r"[\s\S]*", 20, 2_048)
"""IAM's API has no pattern for ARNs."""
