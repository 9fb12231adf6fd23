"""How new statements name their sources: EventBridge's by the ARN alone, buckets with their owner's account."""

from __future__ import annotations

from typing import Any, Final

import pytest

from permission_guard.remedies.sources import by_arn_alone
from tests.fakes import ACCOUNT, FUNCTION_ARN, REGION

EVENTS: Final = {"Service": "events.amazonaws.com"}
RULE: Final = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly"
OF_THE_ACCOUNT: Final = {"AWS:SourceAccount": ACCOUNT}


def statement(principal: Any, **condition: Any) -> dict[str, Any]:
    """Return a statement with conditions."""
    return {"Sid": "rules", "Effect": "Allow", "Principal": principal, "Resource": FUNCTION_ARN, "Condition": condition}


def test_the_arn_of_a_rule_stays_alone() -> None:
    """It contains the account."""
    before = statement(EVENTS, ArnLike={"AWS:SourceArn": RULE}, StringEquals=OF_THE_ACCOUNT)
    assert by_arn_alone(before, REGION) == statement(EVENTS, ArnLike={"AWS:SourceArn": RULE})


@pytest.mark.parametrize("accounts", [[ACCOUNT], [ACCOUNT, "111122223333"]])
def test_an_account_becomes_a_pattern_of_its_rules(accounts: list[str]) -> None:
    """Rules invoke functions of their own region only."""
    after = by_arn_alone(statement(EVENTS, StringEquals={"aws:SourceAccount": accounts}), REGION)
    patterns = [f"arn:aws:events:{REGION}:{account}:rule/*" for account in accounts]
    wanted = patterns[0] if len(patterns) == 1 else patterns
    assert after == statement(EVENTS, ArnLike={"AWS:SourceArn": wanted})


@pytest.mark.parametrize(
    "before",
    [
        statement(EVENTS, ArnLike={"AWS:SourceArn": RULE}),
        statement(
            EVENTS, ArnLike={"AWS:SourceArn": f"arn:aws:events:{REGION}:*:rule/nightly"}, StringEquals=OF_THE_ACCOUNT
        ),
        statement(EVENTS, StringNotEquals=OF_THE_ACCOUNT),
        statement(EVENTS, StringLike={"AWS:SourceAccount": "*"}),
        statement({"Service": ["events.amazonaws.com", "s3.amazonaws.com"]}, StringEquals=OF_THE_ACCOUNT),
        statement({**EVENTS, "AWS": ACCOUNT}, StringEquals=OF_THE_ACCOUNT),
        statement({"Service": "scheduler.amazonaws.com"}, StringEquals=OF_THE_ACCOUNT),
        statement({"Service": "schemas.amazonaws.com"}, StringEquals=OF_THE_ACCOUNT),
        statement("*", StringEquals=OF_THE_ACCOUNT),
    ],
)
def test_every_other_statement_stays_as_it_is(before: dict[str, Any]) -> None:
    """No account to replace, an ARN that does not name one, or other principals that need it."""
    assert by_arn_alone(before, REGION) == before
