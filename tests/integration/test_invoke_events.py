"""The fixer reads CloudTrail's data events where the stack says that they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import time_machine

from permission_guard.bootstrap.fixes import fixer
from permission_guard.config.document import GuardConfig
from permission_guard.model.invoke_events import NotRecorded
from permission_guard.rules import RULES
from tests.fakes import ACCOUNT, TARGET
from tests.integration.conftest import DECIDE_FIX, DECISIONS
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from permission_guard.fixes.base import FixState
    from tests.integration.conftest import Account

ENVIRONMENT = {
    "FINDINGS_TABLE": TABLE_NAME,
    "DECISIONS_TABLE": DECISIONS,
    "DECIDE_FIX_ARN": DECIDE_FIX,
    "FIX_MODE": "auto",
}
GROUP = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:trail"


def fix_state(log_group_arn: str) -> FixState:
    """Return what the fixer of a stack with a parameter reads."""
    return fixer(RULES, {**ENVIRONMENT, "INVOKE_EVENTS_LOG_GROUP_ARN": log_group_arn}, GuardConfig()).fix_state


def test_a_stack_without_the_parameter_asks_nothing(account: Account) -> None:
    """The role has no permission for it."""
    assert fix_state("").invoke_callers(TARGET) is None
    assert not any(call.startswith(("logs", "cloudtrail")) for call in account.calls)


def test_the_log_group_and_its_trails_are_read_in_their_region(account: Account) -> None:
    """A trail delivers to its home region, whatever regions it records."""
    logs, trails = boto3.client("logs", "eu-west-1"), boto3.client("cloudtrail", "eu-west-1")
    assert fix_state(GROUP).invoke_callers(TARGET) == NotRecorded("the log group trail does not exist")
    with time_machine.travel(datetime.now(UTC) - timedelta(days=31)):
        logs.create_log_group(logGroupName="trail")
    none = NotRecorded("no trail of eu-west-1 delivers to the log group trail")
    assert fix_state(GROUP).invoke_callers(TARGET) == none
    boto3.client("s3").create_bucket(Bucket="trail")
    trails.create_trail(
        Name="main",
        S3BucketName="trail",
        CloudWatchLogsLogGroupArn=f"{GROUP}:*",
        CloudWatchLogsRoleArn=f"arn:aws:iam::{ACCOUNT}:role/trail",
    )
    one_region = NotRecorded("the trail main records only eu-west-1")
    assert fix_state(GROUP).invoke_callers(TARGET) == one_region
