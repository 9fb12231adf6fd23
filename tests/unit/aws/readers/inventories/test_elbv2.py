"""Target groups: those of type lambda have functions as targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

GROUPS = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup"


def test_only_groups_of_type_lambda_are_asked(account: Account) -> None:
    """The others exist, and a statement may name them by mistake."""
    kinds = {"web": "lambda", "hosts": "instance"}
    groups = [
        {"TargetGroupArn": f"{GROUPS}/{name}/1", "TargetGroupName": name, "TargetType": kind}
        for name, kind in kinds.items()
    ]
    account.say("elbv2", "describe_target_groups", {"TargetGroups": groups})
    health = {"TargetHealthDescriptions": [{"Target": {"Id": LIVE}}]}
    account.say("elbv2", "describe_target_health", health, TargetGroupArn=f"{GROUPS}/web/1")
    inventory = read_one(account, "elbv2")
    assert inventory.sources == frozenset({f"{GROUPS}/web/1", f"{GROUPS}/hosts/1"})
    assert logged(inventory.triggers) == {(f"{GROUPS}/web/1", LIVE, "the target group web")}
    assert account.operations("elbv2") == ["describe_target_groups", "describe_target_health"]
