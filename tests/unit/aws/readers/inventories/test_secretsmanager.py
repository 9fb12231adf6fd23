"""Secrets: those that a function rotates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import ACCOUNT, REGION
from tests.unit.aws.readers.inventories.conftest import LIVE, logged, read_one

if TYPE_CHECKING:
    from tests.unit.aws.readers.inventories.conftest import Account

SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:database-a1B2c3"


def page(**more: Any) -> dict[str, Any]:
    """Return a page of ListSecrets."""
    secret = {"ARN": SECRET, "Name": "database", "RotationEnabled": True, "RotationLambdaARN": LIVE}
    return {"SecretList": [{**secret, **more}]}


def test_a_secret_with_rotation_is_a_trigger(account: Account) -> None:
    """ListSecrets returns everything that is needed."""
    account.say("secretsmanager", "list_secrets", page())
    inventory = read_one(account, "secretsmanager")
    assert inventory.sources == frozenset({SECRET})
    assert logged(inventory.triggers) == {(SECRET, LIVE, "the secret database")}


@pytest.mark.parametrize(
    "more",
    [
        {"RotationEnabled": False},
        {"RotationLambdaARN": ""},
        {"DeletedDate": datetime(2026, 12, 20, tzinfo=UTC)},
    ],
    ids=["off", "by its own service", "waiting to be deleted"],
)
def test_a_secret_without_rotation_is_no_trigger_and_exists(account: Account, more: dict[str, Any]) -> None:
    """A secret scheduled for deletion can be restored."""
    account.say("secretsmanager", "list_secrets", page(**more), IncludePlannedDeletion=True)
    inventory = read_one(account, "secretsmanager")
    assert (inventory.sources, inventory.triggers) == (frozenset({SECRET}), ())
