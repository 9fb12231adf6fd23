"""Target groups: those of type lambda have functions as targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

GROUPS = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup"


def test_targets_are_read_only_for_groups_of_type_lambda(account: Account) -> None:
    """Other groups are listed too, since a statement may name them by mistake."""
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
