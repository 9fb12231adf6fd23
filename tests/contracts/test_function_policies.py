"""What Lambda answers about the revisions of a function's policy, its Sids and its size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.implementations import code_of
from tests.contracts.test_functions import INVOKE, MISSING, function_arn, make_function, policy_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contracts.implementations import Aws

STALE = "PreconditionFailedException"
NO_PUT = "has no PutResourcePolicy"
NO_REVISION = "rejects each revision when a statement is removed"
MOST_BYTES = 20_480


@pytest.fixture
def functions(aws: Aws) -> Any:
    """Return the client."""
    return aws.client("lambda")


@pytest.fixture
def function(aws: Aws, functions: Any) -> str:
    """Make a function whose policy has a statement; return its name."""
    name = make_function(aws)
    add(functions, name, "a")
    return name


def add(functions: Any, name: str, sid: str, **more: Any) -> None:
    """Add a statement for S3."""
    functions.add_permission(
        **{"FunctionName": name, "StatementId": sid, "Principal": "s3.amazonaws.com"} | INVOKE | more
    )


def remove(functions: Any, name: str, sid: str, **more: Any) -> None:
    """Remove a statement."""
    functions.remove_permission(FunctionName=name, StatementId=sid, **more)


def put(functions: Any, name: str, sid: str, **more: Any) -> None:
    """Replace the policy by one with a single statement."""
    functions.put_resource_policy(ResourceArn=function_arn(name), Policy=a_policy(name, sid), **more)


def a_policy(name: str, *sids: str) -> str:
    """Return a policy with a statement for each Sid."""
    statements = [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": function_arn(name),
        }
        for sid in sids
    ]
    return json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements}, separators=(",", ":"))


def revision_of(functions: Any, name: str) -> str:
    """Return the revision of a policy."""
    revision: str = functions.get_policy(FunctionName=name)["RevisionId"]
    return revision


def sids_of(functions: Any, name: str) -> list[str]:
    """Return the Sids of a policy."""
    return [one["Sid"] for one in policy_of(functions, name)]


ADDING = pytest.param(add, "b", ["a", "b"], id="AddPermission")
PUTTING = pytest.param(put, "c", ["c"], id="PutResourcePolicy", marks=pytest.mark.differs(moto=NO_PUT))
REMOVING: tuple[Any, ...] = (remove, "a", [])
"""The calls that change a policy with the statement `a`: the Sid of each, and the Sids afterwards."""


@pytest.mark.differs(moto="keeps the revision when a statement is removed")
def test_a_policy_has_another_revision_after_each_change(functions: Any, function: str) -> None:
    """Also if it has the same statements again.

    https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
    """
    first = revision_of(functions, function)
    unchanged = revision_of(functions, function)
    add(functions, function, "b")
    second = revision_of(functions, function)
    remove(functions, function, "b")
    third = revision_of(functions, function)

    assert first == unchanged
    assert len({first, second, third}) == 3
    assert sids_of(functions, function) == ["a"]


@pytest.mark.parametrize(
    ("write", "sid", "sids"),
    [
        ADDING,
        pytest.param(*REMOVING, id="RemovePermission", marks=pytest.mark.differs(moto=NO_REVISION)),
        PUTTING,
    ],
)
def test_a_change_of_the_latest_revision_is_made(
    functions: Any, function: str, write: Callable[..., None], sid: str, sids: list[str]
) -> None:
    """The caller names the revision that it has read.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """
    add(functions, function, "kept")
    remove(functions, function, "kept")

    write(functions, function, sid, RevisionId=revision_of(functions, function))

    if sids:
        assert sids_of(functions, function) == sids
    else:
        assert code_of(functions.get_policy, FunctionName=function) == MISSING


@pytest.mark.parametrize(("write", "sid", "sids"), [ADDING, pytest.param(*REMOVING, id="RemovePermission"), PUTTING])
def test_a_change_of_an_earlier_revision_is_rejected(
    functions: Any, function: str, write: Callable[..., None], sid: str, sids: list[str]
) -> None:
    """Somebody else has changed the policy meanwhile: nothing is changed.

    https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
    """
    stale = revision_of(functions, function)
    add(functions, function, "meanwhile")
    present = sids_of(functions, function)

    assert code_of(write, functions=functions, name=function, sid=sid, RevisionId=stale) == STALE
    assert sids_of(functions, function) == present != sids


@pytest.mark.differs(moto=NO_PUT)
def test_replacing_a_policy_returns_it_with_its_revision(functions: Any, function: str) -> None:
    """The next change can name it. Without a revision, any is replaced.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutResourcePolicy.html
    """
    reply = functions.put_resource_policy(ResourceArn=function_arn(function), Policy=a_policy(function, "b", "c"))

    assert json.loads(reply["Policy"]) == json.loads(a_policy(function, "b", "c"))
    assert reply["RevisionId"] == revision_of(functions, function)
    assert sids_of(functions, function) == ["b", "c"]


@pytest.mark.differs(moto="accepts it again")
def test_a_sid_that_exists_is_a_conflict_also_with_the_latest_revision(functions: Any, function: str) -> None:
    """A try whose reply was lost gets that answer when it is repeated.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """
    request = {"FunctionName": function, "StatementId": "a", "Principal": "s3.amazonaws.com", **INVOKE}
    latest = revision_of(functions, function)

    assert code_of(functions.add_permission, **request, RevisionId=latest) == "ResourceConflictException"
    assert revision_of(functions, function) == latest


@pytest.mark.differs(moto=NO_REVISION)
def test_a_sid_that_does_not_exist_cannot_be_removed(functions: Any, function: str) -> None:
    """A removal whose reply was lost gets that answer when it is repeated.

    https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
    """
    latest = revision_of(functions, function)

    assert code_of(functions.remove_permission, FunctionName=function, StatementId="b", RevisionId=latest) == MISSING
    assert revision_of(functions, function) == latest


@pytest.mark.differs(moto=NO_PUT)
def test_a_policy_above_the_limit_is_rejected(functions: Any, function: str) -> None:
    """Whether one statement is added or the whole policy is replaced: then nothing is changed.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    nearly_full: list[str] = []
    while len(a_policy(function, *nearly_full, "x" * 100)) <= MOST_BYTES:
        nearly_full.append(f"{len(nearly_full):0100}")
    functions.put_resource_policy(ResourceArn=function_arn(function), Policy=a_policy(function, *nearly_full))
    latest = revision_of(functions, function)
    one_more = {"FunctionName": function, "StatementId": "y" * 100, "Principal": "s3.amazonaws.com", **INVOKE}
    too_long = a_policy(function, *nearly_full, "y" * 100)

    codes = {
        code_of(functions.add_permission, **one_more),
        code_of(functions.put_resource_policy, ResourceArn=function_arn(function), Policy=too_long),
    }

    assert codes == {"PolicyLengthExceededException"}
    assert revision_of(functions, function) == latest


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        (
            {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::uploads", "SourceAccount": "123456789012"},
            {
                "StringEquals": {"AWS:SourceAccount": "123456789012"},
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::uploads"},
            },
        ),
        pytest.param(
            {"Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
            marks=pytest.mark.differs(moto="writes no condition for a function URL"),
        ),
        pytest.param(
            {"Principal": "*", "InvokedViaFunctionUrl": True},
            {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
            marks=pytest.mark.differs(moto="writes no condition for a function URL"),
        ),
        (
            {"Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5"},
            {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
        ),
    ],
    ids=["source", "url", "invoked-via-url", "organization"],
)
def test_each_parameter_is_a_condition(
    functions: Any, function: str, given: dict[str, Any], condition: dict[str, Any]
) -> None:
    """A fix adds again only the statements that these parameters write.

    https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    add(functions, function, "b", **given)

    assert policy_of(functions, function)[-1].get("Condition") == condition
