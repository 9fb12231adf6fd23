"""An alert as an SNS message: plain text for people, attributes for subscription filters.

Limits: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.bus.alert_tests import TEST_DETAIL_TYPE
from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.message import compose
from permission_guard.model import limits
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.bus.alert_tests import AlertTest
    from permission_guard.model.digests import Digest
    from permission_guard.model.findings import Finding

MAX_SUBJECT = limits.TOPIC_SUBJECT_CHARACTERS
MAX_MESSAGE_BYTES = 250_000
"""Below `limits.TOPIC_MESSAGE`, which includes the attributes."""

_DOTS = "..."


@record
class Publication:
    """The content of an SNS message. Each attribute is a String, so that a filter policy can name its values."""

    subject: str
    message: str
    attributes: Mapping[str, str]


def publication(finding: Finding) -> Publication:
    """Return a finding as an SNS message."""
    message = compose(finding)
    return Publication(
        subject=_subject(message.headline),
        message=message.body_within(MAX_MESSAGE_BYTES),
        attributes={
            "severity": str(finding.severity),
            "rule_id": finding.rule_id,
            "transition": str(finding.transition),
            "status": str(finding.status),
            "account": finding.account,
            "region": finding.region,
        },
    )


def digest_publication(digest: Digest) -> Publication:
    """Return a digest as an SNS message. A subscription filter can name its kind."""
    message = compose_digest(digest)
    return Publication(
        subject=_subject(message.headline),
        message=message.body_within(MAX_MESSAGE_BYTES),
        attributes={"digest": str(digest.kind), "account": digest.account, "region": digest.region},
    )


def test_publication(test: AlertTest) -> Publication:
    """Return a test message as an SNS message. A subscription filter can name what it is."""
    message = compose_test(test)
    return Publication(
        subject=_subject(message.headline),
        message=message.body,
        attributes={"notice": TEST_DETAIL_TYPE, "account": test.account, "region": test.region},
    )


def _subject(headline: str) -> str:
    """Return ASCII text of less than 100 characters: SNS rejects other subjects, and mail clients garble them."""
    ascii_only = headline.replace("…", _DOTS).encode("ascii", errors="replace").decode("ascii")
    if len(ascii_only) <= MAX_SUBJECT:
        return ascii_only
    return ascii_only[: MAX_SUBJECT - len(_DOTS)].rstrip() + _DOTS
