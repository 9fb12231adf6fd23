"""`permission-guard explain` on an in-memory account, with the caller's credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from permission_guard.aws.profile_clients import ProfileClients
from permission_guard.bootstrap import explain as composition
from permission_guard.cli.app import app
from tests.fakes import ACCOUNT, FUNCTION_ARN, ROLE_ARN, allow
from tests.inline_pool import InlinePool
from tests.integration.conftest import NO_INVENTORIES, prepare_for_moto

if TYPE_CHECKING:
    from tests.integration.conftest import Account

ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:news"


@pytest.fixture(autouse=True)
def _in_memory(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer what moto does not implement, and use no threads; create a function, its queue and two callers."""
    create = ProfileClients.__call__

    def created(self: ProfileClients, service: str) -> Any:
        client = create(self, service)
        if service == "lambda":
            prepare_for_moto(client)
        return client

    monkeypatch.setattr(ProfileClients, "__call__", created)
    monkeypatch.setattr(composition, "InventoryReader", lambda *_, **__: NO_INVENTORIES)
    monkeypatch.setattr(composition, "thread_pool", InlinePool)
    account.make_role()
    account.make_role(ADMIN)
    account.iam.put_role_policy(RoleName="admin", PolicyName="all", PolicyDocument=json.dumps(allow("*")))
    account.iam.create_group(GroupName="callers")
    account.iam.put_group_policy(
        GroupName="callers",
        PolicyName="call",
        PolicyDocument=json.dumps(allow("lambda:InvokeFunction", resource=FUNCTION_ARN)),
    )
    account.iam.create_user(UserName="ann")
    account.iam.add_user_to_group(GroupName="callers", UserName="ann")
    account.make_function()
    account.map_queue()
    account.lambda_.add_permission(
        FunctionName="orders",
        StatementId="news",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=TOPIC,
    )


def explain(*arguments: str) -> tuple[int, str]:
    """Return the exit code of the command, and all that it prints."""
    done = CliRunner().invoke(app, ["explain", *arguments], env={"COLUMNS": "80"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_a_live_function_is_explained() -> None:
    """Its statements, callers and needs; no environment variable is shown."""
    code, output = explain("orders", "--format", "json")
    document = json.loads(output)
    callers = {one["arn"]: one["reason"] for one in document["ways"][0]["callers"]}
    assert set(callers) == {ADMIN, ANN}
    assert "'group callers: call'" in callers[ANN]
    assert [one["name"] for one in document["statements"]] == ["news"]
    needs = {need["action"]: need["answer"] for need in document["requirements"][0]["needs"]}
    assert needs["sqs:ReceiveMessage"] == "denied"
    assert document["requirements"][0]["role_arn"] == ROLE_ARN
    assert (code, "hunter2" in output) == (1, False)


@pytest.mark.parametrize(
    ("function", "options", "code"),
    [
        ("orders", ("--principal", ADMIN), 0),
        (FUNCTION_ARN, ("--principal", ANN), 0),
        (f"{ACCOUNT}:function:orders", ("--principal", ROLE_ARN), 1),
        ("orders", ("--principal", "sns.amazonaws.com", "--source", TOPIC), 0),
        ("orders", ("--principal", "sns.amazonaws.com", "--source", f"{TOPIC}-2"), 1),
        ("orders", ("--principal", "sns.amazonaws.com"), 3),
    ],
)
def test_one_question_is_answered_by_the_exit_code(function: str, options: tuple[str, ...], code: int) -> None:
    """For a name, an ARN and a partial ARN."""
    assert explain(function, *options)[0] == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent",), "the function absent does not exist in region us-east-1 of account 123456789012"),
        (("orders:absent",), "the function orders has no version or alias absent"),
        (("orders", "--region", "eu-west-1"), "does not exist in region eu-west-1"),
        ((FUNCTION_ARN.replace(ACCOUNT, "111122223333"),), "your credentials are of account 123456789012"),
        (("orders", "--profile", "absent"), "absent"),
        (("orders", "--principal", f"{ADMIN}-2"), "does not exist in account 123456789012"),
    ],
)
def test_what_does_not_exist_is_one_clear_line(arguments: tuple[str, ...], message: str) -> None:
    """With exit code 2."""
    code, output = explain(*arguments)
    assert (code, message in output, output.count("\n")) == (2, True, 1), output


def test_without_credentials_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    code, output = explain("orders")
    assert (code, "there are no AWS credentials" in output, output.count("\n")) == (2, True, 1), output
