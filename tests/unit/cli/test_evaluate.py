"""`permission-guard evaluate` prints AWS's decision, the deciding statement and the unknown condition keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from permission_guard.aws.clients import _client
from permission_guard.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/orders-role"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
ALLOW = {"Sid": "Read", "Effect": "Allow", "Action": "sqs:*", "Resource": QUEUE}
DENY = {"Sid": "NoDelete", "Effect": "Deny", "Action": "sqs:DeleteMessage", "Resource": "*"}
FROM_OFFICE = {**ALLOW, "Sid": "Office", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.fixture
def run_evaluate(tmp_path: Path) -> Any:
    """Evaluate an action on the queue with the policies of a file, and return the exit code and the output."""

    def run(content: Any, *options: str, action: str = "sqs:ReceiveMessage") -> tuple[int, str]:
        file = tmp_path / "policies.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        base = ["evaluate", "--role", ROLE, "--policies", str(file), "--action", action, "--resource", QUEUE]
        done = CliRunner().invoke(app, [*base, *options], env={"COLUMNS": "200"})
        return done.exit_code, done.output

    return run


def test_an_allowed_action_names_the_statement_and_exits_with_0(run_evaluate: Any) -> None:
    """A single document is an identity-based policy."""
    code, output = run_evaluate(policy(ALLOW))
    assert code == 0
    assert "allowed" in output
    assert "'Read'" in output


def test_a_denied_action_exits_with_1(run_evaluate: Any) -> None:
    """An explicit deny names the statement. Without an Allow statement, the deny is implicit."""
    code, output = run_evaluate(policy(ALLOW, DENY), action="sqs:DeleteMessage")
    assert code == 1
    assert "explicitDeny" in output
    assert "NoDelete" in output
    code, output = run_evaluate(policy(ALLOW), action="sqs:TagQueue")
    assert code == 0
    code, output = run_evaluate([], action="sqs:TagQueue")
    assert code == 1
    assert "implicitDeny" in output


def test_a_decision_that_depends_on_an_unknown_key_exits_with_3_and_names_it(run_evaluate: Any) -> None:
    """With a value for the key, the decision is allowed or denied."""
    code, output = run_evaluate(policy(FROM_OFFICE))
    assert code == 3
    assert "conditional" in output
    assert "aws:SourceIp" in output
    assert run_evaluate(policy(FROM_OFFICE), "--context", "aws:SourceIp=10.1.2.3")[0] == 0
    assert run_evaluate(policy(FROM_OFFICE), "--context", "aws:SourceIp=192.0.2.1")[0] == 1
    assert run_evaluate(policy(FROM_OFFICE), "--absent", "aws:SourceIp")[0] == 1


def test_a_key_given_twice_has_both_values(run_evaluate: Any) -> None:
    """A multivalued key is a list."""
    statement = {**ALLOW, "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}}
    assert run_evaluate(policy(statement), "--context", "aws:TagKeys=a", "--context", "aws:TagKeys=b")[0] == 0
    assert run_evaluate(policy(statement), "--context", "aws:TagKeys=a", "--context", "aws:TagKeys=c")[0] == 1


def test_the_call_decides_whether_the_request_has_the_source_function(run_evaluate: Any) -> None:
    """A policy for the function's own calls does not allow the poller."""
    function = "arn:aws:lambda:us-east-1:123456789012:function:orders"
    statement = {**ALLOW, "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": function}}}
    assert run_evaluate(policy(statement), "--call", "code", "--function", function)[0] == 0
    assert run_evaluate(policy(statement), "--call", "poll", "--function", function)[0] == 1


def test_a_file_can_have_policies_of_each_kind(run_evaluate: Any) -> None:
    """A boundary, a service control policy and a resource-based policy are evaluated as such."""
    read = policy({"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"})
    everything = policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert run_evaluate({"identity": [everything], "boundary": read})[0] == 0
    code, output = run_evaluate({"identity": [everything], "boundary": read}, action="sqs:SendMessage")
    assert code == 1
    assert "permissions boundary" in output
    assert run_evaluate({"identity": [everything], "scps": [[everything], [read]]}, action="sqs:SendMessage")[0] == 1
    queue_policy = policy({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "sqs:*", "Resource": QUEUE})
    assert run_evaluate({"resource": queue_policy})[0] == 0


def test_the_json_output_has_one_object_for_each_evaluation(run_evaluate: Any) -> None:
    """The decisions have AWS's names."""
    code, output = run_evaluate(policy(ALLOW), "--action", "sqs:TagQueue", "--format", "json")
    first, second = json.loads(output)
    assert code == 0
    assert first["decision"] == second["decision"] == "allowed"
    assert first["statement"] == {
        "policy": "policy 1",
        "kind": "identity",
        "sid": "Read",
        "index": 0,
        "effect": "Allow",
    }
    assert (first["role"], first["resource"], first["unknown_keys"]) == (ROLE, QUEUE, [])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("{", (), "not JSON"),
        ({"identiti": []}, (), "identiti"),
        ({}, (), "the object is empty"),
        ({"scps": [policy(ALLOW)]}, (), "list of levels"),
        (policy(ALLOW), ("--context", "no-value"), "KEY=VALUE"),
        (policy(ALLOW), ("--role", "orders-role"), "--policies requires a role ARN"),
        (policy(ALLOW), ("--policies", "/does/not/exist.json"), "cannot be read"),
        (policy(ALLOW), ("--call", "sing"), "sing"),
        (policy(ALLOW), ("--action", "sqs:RecieveMessage"), "no such action. Is sqs:ReceiveMessage meant?\n"),
        (policy(ALLOW), ("--action", "sqss:ReceiveMessage"), "no AWS service has the prefix 'sqss'. Is sqs meant?"),
        (policy(ALLOW), ("--action", "sqs:Nonsense"), "the service has no such action."),
        (policy(ALLOW), ("--action", "sqs:*"), "is a pattern; give single actions"),
        (policy(ALLOW), ("--action", "ReceiveMessage"), "is not an action such as sqs:ReceiveMessage"),
        (policy(ALLOW), ("--resource", "orders"), "--resource requires an ARN or *; got 'orders'"),
        (policy(ALLOW), ("--resource", "arn:aws:sns:us-east-1:123456789012:t"), "none of the actions is one of this"),
        (policy(ALLOW), ("--action", "sns:Publish"), "none of the resources is one of this service"),
        (policy(ALLOW), ("--region", "us-east-9"), "AWS has no region 'us-east-9'"),
        (policy(ALLOW), ("--region", "nowhere"), "--region requires a region such as us-east-1; got 'nowhere'"),
        (policy(ALLOW), ("--function", "orders"), "--function requires the ARN of a function; got 'orders'"),
        (policy(ALLOW), ("--role", "arn:aws:iam::123456789012:user/orders"), "--role requires the name or the ARN"),
        (policy(ALLOW), ("--role", ""), "--role requires the name or the ARN of a role; got ''"),
        (policy(ALLOW), ("--policies", "/"), "cannot be read: Is a directory"),
    ],
)
def test_invalid_usage_is_explained_and_exits_with_2(
    run_evaluate: Any, content: Any, options: Any, message: str
) -> None:
    """There is no traceback; the message says what is wrong."""
    code, output = run_evaluate(content, *options)
    assert code == 2
    assert message in output
    assert (len(output.splitlines()) == 1) == (message != "sing")  # the command line itself reports this one in a box


def test_each_action_is_evaluated_on_the_resources_of_its_service(run_evaluate: Any) -> None:
    """A topic is not asked about an action of SQS. The resource * is of every service."""
    topic = "arn:aws:sns:us-east-1:123456789012:orders"
    more = ("--action", "sns:Publish", "--resource", topic, "--resource", "*", "--format", "json")
    code, output = run_evaluate(policy({**ALLOW, "Action": "*", "Resource": "*"}), *more)
    evaluated = [(one["action"], one["resource"]) for one in json.loads(output)]
    sqs, sns = "sqs:ReceiveMessage", "sns:Publish"
    assert (code, evaluated) == (0, [(sqs, QUEUE), (sqs, "*"), (sns, topic), (sns, "*")])
    cluster = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/0a1b2c3d"
    others = ("--action", "kafka-cluster:Connect", "--resource", cluster)  # its resources are ARNs of another prefix
    assert run_evaluate(policy({**ALLOW, "Action": "*", "Resource": "*"}), *others)[0] == 0


def test_a_denied_action_decides_the_exit_code(run_evaluate: Any) -> None:
    """What is denied is known, whatever else is unknown."""
    assert run_evaluate(policy(FROM_OFFICE, DENY), "--action", "sqs:DeleteMessage")[0] == 1


def test_a_malformed_policy_is_unknown(run_evaluate: Any) -> None:
    """It can allow or deny: the exit code is 3, with the reason."""
    code, output = run_evaluate(policy({"Effect": "Allow", "Action": "sqs:*", "NotAction": "s3:*", "Resource": "*"}))
    assert code == 3
    assert "conditional" in output


# ── With an account ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account with the role in it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _client.cache_clear()
    with mock_aws():
        iam = boto3.client("iam")
        iam.create_role(RoleName="orders-role", AssumeRolePolicyDocument=json.dumps(policy()))
        iam.put_role_policy(RoleName="orders-role", PolicyName="own", PolicyDocument=json.dumps(policy(ALLOW)))
        yield iam
    _client.cache_clear()


def run_for_account(role: str, action: str = "sqs:ReceiveMessage", *, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """Evaluate an action of a role of the account."""
    command = ["evaluate", "--role", role, "--action", action, "--resource", QUEUE, *options]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    return done.exit_code, done.output


def test_a_role_of_the_account_is_read_by_name_or_arn(account: Any) -> None:
    """Its inline and managed policies and its boundary count."""
    role = account.get_role(RoleName="orders-role")["Role"]["Arn"]
    for name in ("orders-role", role):
        code, output = run_for_account(name)
        assert code == 0
        assert "'own'" in output
    assert run_for_account("orders-role", "sqs:AddPermission")[0] == 0


def test_a_role_that_does_not_exist_is_invalid_usage(account: Any) -> None:
    """So is a role of another account."""
    assert run_for_account("missing") == (2, "The role 'missing' does not exist in the account of your credentials.\n")
    code, output = run_for_account("arn:aws:iam::999999999999:role/orders-role")
    assert code == 2
    assert "not of arn:aws:iam::999999999999" in output


def test_missing_credentials_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no traceback of botocore."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # another test's session has credentials
    _client.cache_clear()
    code, output = run_for_account("orders-role")
    _client.cache_clear()
    assert code == 3
    assert "Unable to locate credentials" in output


def test_a_region_that_is_empty_is_none(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `AWS_REGION="" permission-guard evaluate …`."""
    assert account
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")
    assert run_for_account("orders-role")[0] == 0


def test_the_profile_and_the_region_are_those_of_the_options(
    account: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The region chooses the partition. A profile that does not exist is invalid usage."""
    assert account
    config = tmp_path / "config"
    config.write_text("[profile own]\naws_access_key_id = own\naws_secret_access_key = testing\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    called = []
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, *arguments: Any) -> Any:
        called.append((self._get_credentials().access_key, self.meta.partition))
        return original(self, *arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    assert run_for_account("orders-role", options=("--profile", "own"))[0] == 0
    assert set(called) == {("own", "aws")}
    called.clear()
    run_for_account("orders-role", options=("--region", "us-gov-west-1"))
    assert {partition for _, partition in called} == {"aws-us-gov"}
    code, output = run_for_account("orders-role", options=("--profile", "missing"))
    assert (code, output.count("\n")) == (2, 1)
    assert "The config profile (missing) could not be found" in output


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ExpiredToken", "Your credentials expired: sign in again."),
        ("RequestExpired", "Your credentials expired: sign in again."),
        ("InvalidClientTokenId", "AWS does not accept your credentials."),
        ("SignatureDoesNotMatch", "AWS does not accept your credentials."),
        ("AccessDenied", "Your credentials need iam:GetRole"),
        ("InternalFailure", "iam:GetRole failed with InternalFailure: because"),
    ],
)
def test_expired_wrong_and_denied_credentials_are_one_line(
    account: Any, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    """The line says what to do. Nothing is known about the role."""
    assert account

    def fail(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "because\nof this"}}, "GetRole")

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", fail)
    exit_code, output = run_for_account("orders-role")
    assert (exit_code, output.count("\n")) == (3, 1)
    assert message in output


@pytest.mark.parametrize(
    ("variables", "exit_code", "message"),
    [
        ({"AWS_DEFAULT_REGION": "nowhere!"}, 2, "doesn't match a supported format"),
        ({"AWS_PROFILE": "missing"}, 2, "The config profile (missing) could not be found"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, 2, "Invalid endpoint: nonsense"),
    ],
)
def test_settings_of_the_environment_that_are_not_valid_are_one_line(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], exit_code: int, message: str
) -> None:
    """There is no traceback of botocore."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_REGION", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, output = run_for_account("orders-role")
    assert (code, output.count("\n")) == (exit_code, 1)
    assert message in output


def test_the_version_is_printed() -> None:
    """Bug reports need it."""
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.output.startswith("permission-guard ")
