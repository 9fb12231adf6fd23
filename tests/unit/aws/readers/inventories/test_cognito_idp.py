"""User pools: each function among a pool's triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import FUNCTION, LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

POOL = f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/us-east-1_people"


def test_plain_triggers_and_those_with_a_version_are_found(account: Account) -> None:
    """The list has a KMS key too. A function used by several triggers needs one statement."""
    triggers = {
        "PreSignUp": FUNCTION,
        "PostConfirmation": FUNCTION,
        "PreTokenGeneration": LIVE,
        "PreTokenGenerationConfig": {"LambdaVersion": "V2_0", "LambdaArn": LIVE},
        "CustomSMSSender": {"LambdaVersion": "V1_0", "LambdaArn": f"{FUNCTION}:1"},
        "CustomEmailSender": {"LambdaVersion": "V1_0", "LambdaArn": f"{FUNCTION}:2"},
        "InboundFederation": {"LambdaVersion": "V1_0", "LambdaArn": f"{FUNCTION}:3"},
        "KMSKeyID": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    }
    account.say("cognito-idp", "list_user_pools", {"UserPools": [{"Id": "us-east-1_people"}]}, MaxResults=60)
    account.say("cognito-idp", "describe_user_pool", {"UserPool": {"Name": "people", "LambdaConfig": triggers}})
    inventory = read_one(account, "cognito-idp")
    assert inventory.sources == frozenset({POOL})
    functions = (FUNCTION, LIVE, f"{FUNCTION}:1", f"{FUNCTION}:2", f"{FUNCTION}:3")
    assert logged(inventory.triggers) == {(POOL, function, "the user pool people") for function in functions}
    assert len(inventory.triggers) == len(functions)
