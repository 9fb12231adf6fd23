"""PG112 on function URLs: the remedies give each caller both permissions, and publish nothing by themselves."""

from __future__ import annotations

import shlex
from typing import Any, Final

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import FunctionUrl, Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.remedies.permission import Permission, statement_of
from permission_guard.rules.invoke_policy.invoke_permission_missing import InvokePermissionMissing
from tests.fakes import ACCOUNT, FUNCTION_ARN, TARGET, a_function
from tests.unit.remedies.test_invoke_policy import parse

DISTRIBUTION: Final = f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1A2B3C4D5E6F7"
CLOUDFRONT: Final = "cloudfront.amazonaws.com"
PARTNER: Final = "arn:aws:iam::111122223333:role/shop"
BOTH: Final = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")


def statement(principal: Any, action: Any, sid: str = "one", **condition: Any) -> dict[str, Any]:
    """Return an Allow statement of the function's policy."""
    found = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": FUNCTION_ARN}
    return {**found, "Condition": condition} if condition else found


def verdicts(auth_type: str, *statements: dict[str, Any], triggers: tuple[Trigger, ...] = ()) -> list[Verdict]:
    """Return the verdicts on the URL of a function."""
    document = parse_policy({"Version": "2012-10-17", "Statement": list(statements)})
    snapshot = Snapshot(
        TARGET,
        a_function(),
        resource_policies=(ResourcePolicy(FUNCTION_ARN, None, document),) if statements else (),
        function_urls=(FunctionUrl(None, "https://x.lambda-url.us-east-1.on.aws/", auth_type),),
        inventories=(Inventory("cloudfront", CLOUDFRONT, frozenset(), triggers),) if triggers else (),
    )
    return list(evaluate(snapshot, [InvokePermissionMissing(TrustSet(frozenset({ACCOUNT})))]).verdicts)


def added(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the statements that the commands of a remedy add, also those that are comments."""
    text = next(remedy.text for remedy in verdict.remedies if remedy.kind == "aws-cli")
    commands = [part for line in text.splitlines() for part in line.removeprefix("# ").split(" && ")]
    found = []
    for command in (command.removesuffix(" &&") for command in commands if " add-permission " in command):
        _, given = parse(shlex.split(command))
        values: dict[str, Any] = {key.replace("-", "_"): value for key, value in given.items()}
        values["invoked_via_function_url"] = "invoked_via_function_url" in values
        found.append(statement_of(Permission(**values), FUNCTION_ARN))
    return found


OF_CDN: Final[dict[str, Any]] = {"ArnLike": {"AWS:SourceArn": DISTRIBUTION}}


@pytest.mark.parametrize(
    ("auth_type", "present"),
    [
        ("NONE", []),
        ("NONE", [statement("*", "lambda:InvokeFunctionUrl", StringEquals={"lambda:FunctionUrlAuthType": "NONE"})]),
        ("NONE", [statement("*", "lambda:InvokeFunction", Bool={"lambda:InvokedViaFunctionUrl": "true"})]),
        ("AWS_IAM", [statement({"Service": CLOUDFRONT}, "lambda:InvokeFunctionUrl", **OF_CDN)]),
        ("AWS_IAM", [statement({"Service": CLOUDFRONT}, "lambda:InvokeFunction", **OF_CDN)]),
        ("AWS_IAM", [statement({"AWS": PARTNER}, "lambda:InvokeFunctionUrl")]),
        (
            "AWS_IAM",
            [statement("*", "lambda:InvokeFunctionUrl", StringEquals={"lambda:FunctionUrlAuthType": "AWS_IAM"})],
        ),
    ],
)
def test_the_commands_of_the_remedy_let_the_callers_call(auth_type: str, present: list[dict[str, Any]]) -> None:
    """One adds what is missing, and nothing that was there."""
    (before,) = verdicts(auth_type, *present)
    assert before.outcome is Outcome.VIOLATION
    (after,) = verdicts(auth_type, *present, *added(before))
    assert after.outcome is Outcome.PASS


@pytest.mark.parametrize("present", [[], [statement("*", "lambda:InvokeFunctionUrl")]])
def test_no_command_publishes_a_url_unless_somebody_chooses_it(present: list[dict[str, Any]]) -> None:
    """The choices are comments: who pastes all of them changes nothing."""
    (verdict,) = verdicts("NONE", *present)
    assert [remedy.kind for remedy in verdict.remedies] == ["aws-cli", "sam", "cdk", "terraform"]
    for remedy in verdict.remedies:
        assert all(line.startswith("//" if remedy.kind == "cdk" else "#") for line in remedy.text.splitlines())
    text = verdict.remedies[0].text
    for command in ("delete-function-url-config", "--auth-type AWS_IAM", "--principal '*'"):
        assert command in text


@pytest.mark.parametrize(
    ("statements", "missing"),
    [
        ([], BOTH),
        ([statement({"Service": CLOUDFRONT}, "lambda:InvokeFunctionUrl", **OF_CDN)], BOTH[1:]),
        ([statement({"Service": CLOUDFRONT}, "lambda:InvokeFunction", **OF_CDN)], BOTH[:1]),
        ([statement({"Service": CLOUDFRONT}, list(BOTH), **OF_CDN)], ()),
        ([statement({"Service": CLOUDFRONT}, "lambda:Invoke*", **OF_CDN)], ()),
        ([statement("*", "lambda:*")], ()),
    ],
)
def test_a_distribution_requires_both_permissions(statements: list[dict[str, Any]], missing: tuple[str, ...]) -> None:
    """It has one verdict, whether its trigger or its statement shows the problem."""
    trigger = Trigger(CLOUDFRONT, DISTRIBUTION, (DISTRIBUTION,), ACCOUNT, FUNCTION_ARN, "the distribution shop")
    found = verdicts("AWS_IAM", *statements, triggers=(trigger,))
    (verdict,) = [one for one in found if one.subject == f"trigger/{CLOUDFRONT}/{DISTRIBUTION}"]
    assert verdict.outcome is (Outcome.VIOLATION if missing else Outcome.PASS)
    if missing:
        assert [one["Action"] for one in added(verdict)] == list(missing)
        after = verdicts("AWS_IAM", *statements, *added(verdict), triggers=(trigger,))
        assert {one.outcome for one in after} == {Outcome.PASS}
