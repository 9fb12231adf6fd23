"""Lambda's resource-based policies as AWS answers them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from sandbox.client.process import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client.process import Sandbox

S3 = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
STALE = "PreconditionFailedException"


def error(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    """Return the code, message and HTTP status with which a call fails."""
    with pytest.raises(ClientError) as failed:
        call(**arguments)
    response = failed.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return response["Error"]["Code"], response["Error"]["Message"], status


def statements(client: Any, name: str, **qualifier: str) -> list[str]:
    """Return the statement ids of a policy."""
    policy = json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])
    return [statement["Sid"] for statement in policy["Statement"]]


def test_a_function_without_statements_has_no_policy(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """A function without statements has no policy."""
    make_function(unique)
    client = sandbox.client("lambda")
    missing = ("ResourceNotFoundException", "The resource you requested does not exist.", 404)

    before = error(client.get_policy, FunctionName=unique)
    client.add_permission(FunctionName=unique, StatementId="s3", **S3)
    there = statements(client, unique)
    client.remove_permission(FunctionName=unique, StatementId="s3")

    assert (before, there) == (missing, ["s3"])
    assert error(client.get_policy, FunctionName=unique) == missing


def test_each_qualifier_has_a_policy_of_its_own(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """Each qualifier has a policy of its own."""
    arn = make_function(unique)
    client = sandbox.client("lambda")
    client.publish_version(FunctionName=unique)
    client.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")

    for qualifier in ({}, {"Qualifier": "1"}, {"Qualifier": "live"}):
        client.add_permission(FunctionName=unique, StatementId="same", **S3, **qualifier)
    client.remove_permission(FunctionName=unique, StatementId="same")

    assert error(client.get_policy, FunctionName=unique)[0] == "ResourceNotFoundException"
    assert statements(client, unique, Qualifier="1") == ["same"]
    assert statements(client, f"{unique}:live") == ["same"]
    policy = json.loads(client.get_policy(FunctionName=unique, Qualifier="live")["Policy"])
    assert policy["Statement"][0]["Resource"] == f"{arn}:live"
    client.delete_alias(FunctionName=unique, Name="live")
    client.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    assert error(client.get_policy, FunctionName=unique, Qualifier="live")[0] == "ResourceNotFoundException"


def test_each_edit_gives_a_new_revision_and_an_old_one_is_rejected(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """Each edit gives a new revision and an old one is rejected."""
    make_function(unique)
    client = sandbox.client("lambda")
    client.add_permission(FunctionName=unique, StatementId="a", **S3)
    first = client.get_policy(FunctionName=unique)["RevisionId"]
    client.add_permission(FunctionName=unique, StatementId="b", RevisionId=first, **S3)
    second = client.get_policy(FunctionName=unique)["RevisionId"]

    added = error(client.add_permission, FunctionName=unique, StatementId="c", RevisionId=first, **S3)
    removed = error(client.remove_permission, FunctionName=unique, StatementId="a", RevisionId=first)
    client.remove_permission(FunctionName=unique, StatementId="a", RevisionId=second)

    assert first != second
    assert (added[0], added[2]) == (removed[0], removed[2]) == (STALE, 412)
    assert added[1].startswith("The Revision Id provided does not match the latest Revision Id.")
    assert statements(client, unique) == ["b"]


def test_of_two_racing_edits_with_one_revision_one_wins(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """Of two racing edits with one revision one wins."""
    make_function(unique)
    client = sandbox.client("lambda")
    client.add_permission(FunctionName=unique, StatementId="first", **S3)
    revision = client.get_policy(FunctionName=unique)["RevisionId"]

    def edit(number: int) -> bool:
        try:
            client.add_permission(FunctionName=unique, StatementId=f"s{number}", RevisionId=revision, **S3)
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(edit, range(4)))

    assert outcomes.count(True) == 1


def test_a_statement_id_is_used_once(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> None:
    """A statement id is used once."""
    make_function(unique)
    client = sandbox.client("lambda")
    client.add_permission(FunctionName=unique, StatementId="s3", **S3)

    code, message, status = error(client.add_permission, FunctionName=unique, StatementId="s3", **S3)

    assert (code, status) == ("ResourceConflictException", 409)
    assert message.startswith("The statement id (s3) provided already exists.")


def test_an_unknown_statement_cannot_be_removed(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """An unknown statement cannot be removed."""
    make_function(unique)
    client = sandbox.client("lambda")

    without_policy = error(client.remove_permission, FunctionName=unique, StatementId="x")
    client.add_permission(FunctionName=unique, StatementId="s3", **S3)
    with_policy = error(client.remove_permission, FunctionName=unique, StatementId="x")

    assert without_policy == ("ResourceNotFoundException", "No policy is associated with the given resource.", 404)
    assert with_policy == ("ResourceNotFoundException", "Statement x is not found in resource policy.", 404)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("*", "*"),
        ("111122223333", {"AWS": "arn:aws:iam::111122223333:root"}),
        ("arn:aws:iam::111122223333:role/r", {"AWS": "arn:aws:iam::111122223333:role/r"}),
        ("events.amazonaws.com", {"Service": "events.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
    ],
)
def test_principals_are_stored_as_aws_writes_them(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str, typed: str, stored: Any
) -> None:
    """Principals are stored as AWS writes them."""
    make_function(unique)
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": typed}

    answer = sandbox.client("lambda").add_permission(FunctionName=unique, **permission)

    assert json.loads(answer["Statement"])["Principal"] == stored


def test_an_invalid_principal_is_rejected(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> None:
    """An invalid principal is rejected."""
    make_function(unique)
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "nobody"}

    code, message, _ = error(sandbox.client("lambda").add_permission, FunctionName=unique, **permission)

    assert code == "InvalidParameterValueException"
    assert message.startswith("The provided principal was invalid.")


def test_latest_and_contradicting_qualifiers_are_rejected(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """Latest and contradicting qualifiers are rejected."""
    make_function(unique)
    client = sandbox.client("lambda")
    client.publish_version(FunctionName=unique)

    latest = error(client.add_permission, FunctionName=unique, StatementId="s", Qualifier="$LATEST", **S3)
    two = error(client.get_policy, FunctionName=f"{unique}:1", Qualifier="2")

    assert latest[1] == "We currently do not support adding policies for $LATEST."
    assert two[1] == "The derived qualifier from the function name does not match the specified qualifier."


def test_conditions_are_written_as_aws_writes_them(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """Conditions are written as AWS writes them."""
    make_function(unique)
    narrowed = {"SourceArn": "arn:aws:s3:::bucket", "SourceAccount": ACCOUNT}

    answer = sandbox.client("lambda").add_permission(FunctionName=unique, StatementId="s", **S3, **narrowed)

    assert json.loads(answer["Statement"])["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": ACCOUNT},
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
    }


def test_a_policy_that_grows_too_long_is_rejected(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """A policy that grows too long is rejected."""
    make_function(unique)
    client = sandbox.client("lambda")
    long_source = "arn:aws:s3:::" + "b" * 900
    for number in range(17):
        client.add_permission(FunctionName=unique, StatementId=f"s{number}", SourceArn=long_source, **S3)

    code, message, status = error(
        client.add_permission, FunctionName=unique, StatementId="last", SourceArn=long_source * 4, **S3
    )

    assert (code, status) == ("PolicyLengthExceededException", 400)
    assert message.endswith("is bigger than the limit (20480).")


def whole_policy(
    sandbox: Sandbox,
    method: str,
    arn: str,
    document: dict[str, Any] | None = None,
    *,
    query: str = "",
    keys: Any = None,
) -> tuple[int, dict[str, Any]]:
    """Call PutResourcePolicy, GetResourcePolicy or DeleteResourcePolicy, which boto3 may not know yet."""
    url = f"{sandbox.endpoint}/2026-07-09/resource-policy/{quote(arn, safe='')}{query}"
    body = json.dumps(document).encode() if document else b""
    request = AWSRequest(method, url, {"content-type": "application/json"}, body)
    credentials = keys or {"AccessKeyId": ACCOUNT, "SecretAccessKey": "sandbox", "SessionToken": None}
    SigV4Auth(
        Credentials(*(credentials[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))),
        "lambda",
        REGION,
    ).add_auth(request)
    with urllib3.PoolManager() as http:
        reply = http.request(method, url, body=body, headers=dict(request.headers.items()), retries=False)
    return reply.status, json.loads(reply.data or b"{}")


def scoped(arn: str, sid: str, **condition: Any) -> str:
    """Return a policy of one statement."""
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
        **({"Condition": condition} if condition else {}),
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_whole_policy_is_replaced_only_with_its_revision(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """A whole policy is replaced only with its revision."""
    arn = make_function(unique)
    client = sandbox.client("lambda")
    client.add_permission(FunctionName=unique, StatementId="broad", **S3)
    _, before = whole_policy(sandbox, "GET", arn)
    since = sandbox.last_record()
    narrow = scoped(arn, "narrow", StringEquals={"aws:SourceAccount": ACCOUNT})

    status, put = whole_policy(sandbox, "PUT", arn, {"Policy": narrow, "RevisionId": before["RevisionId"]})
    again, refused = whole_policy(sandbox, "PUT", arn, {"Policy": narrow, "RevisionId": before["RevisionId"]})

    assert (status, again, refused["__type"]) == (200, 412, STALE)
    assert statements(client, unique) == ["narrow"]
    assert client.get_policy(FunctionName=unique)["RevisionId"] == put["RevisionId"] != before["RevisionId"]
    record = sandbox.wait_for_record("PutResourcePolicy", since)
    assert record["requestParameters"]["resourceArn"] == arn
    assert json.loads(record["requestParameters"]["policy"]) == json.loads(narrow)


def test_a_whole_policy_is_deleted(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> None:
    """A whole policy is deleted."""
    arn = make_function(unique)
    client = sandbox.client("lambda")
    client.add_permission(FunctionName=unique, StatementId="broad", **S3)

    stale, _ = whole_policy(sandbox, "DELETE", arn, query="?RevisionId=other")
    done, _ = whole_policy(sandbox, "DELETE", arn)
    missing, _ = whole_policy(sandbox, "GET", arn)

    assert (stale, done, missing) == (412, 204, 404)


def test_a_whole_policy_must_fit_and_name_its_function(
    sandbox: Sandbox, make_function: Callable[..., str], unique: str
) -> None:
    """A whole policy must fit and name its function."""
    arn = make_function(unique)

    long_status, long = whole_policy(sandbox, "PUT", arn, {"Policy": scoped(arn, "s" * 20_500)})
    _, other = whole_policy(sandbox, "PUT", arn, {"Policy": scoped(f"{arn}-other", "s")})
    _, broken = whole_policy(sandbox, "PUT", arn, {"Policy": "{"})

    assert (long_status, long["__type"]) == (400, "PolicyLengthExceededException")
    assert other["__type"] == broken["__type"] == "InvalidParameterValueException"


def test_putting_a_whole_policy_also_needs_adding_and_removing(
    sandbox: Sandbox, make_function: Callable[..., str], make_role: Callable[..., str], unique: str
) -> None:
    """Putting a whole policy also needs adding and removing."""
    arn = make_function(unique)
    all_three = [f"lambda:{action}" for action in ("PutResourcePolicy", "AddPermission", "RemovePermission")]
    answers = []
    for name, actions in (("one", all_three[:1]), ("all", all_three), ("none", ["lambda:GetPolicy"])):
        role = make_role(f"{unique}-{name}", {"Effect": "Allow", "Action": actions, "Resource": arn})
        keys = sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        answers.append(whole_policy(sandbox, "PUT", arn, {"Policy": scoped(arn, "s")}, keys=keys)[0])

    assert answers == [403, 200, 403]


@pytest.mark.skipif(
    "PutResourcePolicy" not in Loader().load_service_model("lambda", "service-2")["operations"],
    reason="this boto3 does not know PutResourcePolicy",
)
def test_boto3_puts_a_whole_policy(sandbox: Sandbox, make_function: Callable[..., str], unique: str) -> None:
    """boto3 puts a whole policy."""
    arn = make_function(unique)

    answer = sandbox.client("lambda").put_resource_policy(ResourceArn=arn, Policy=scoped(arn, "s"))

    assert sandbox.client("lambda").get_resource_policy(ResourceArn=arn)["RevisionId"] == answer["RevisionId"]
