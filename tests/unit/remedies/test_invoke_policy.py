"""What findings on resource-based policies offer: it fits AWS's interface, and it heals without breaking a thing."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import get_session

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.remedies.permission import Permission, statement_of
from permission_guard.rules import RULES
from tests.fakes import ACCOUNT, FUNCTION_ARN, TARGET, a_function
from tests.unit.rules.test_cases import INVOKE_CASES, kind_of, snapshot_of, trust_of

if TYPE_CHECKING:
    from pathlib import Path

FAILING = [path for path in INVOKE_CASES if kind_of(path) == "fail"]
EACH_CASE = pytest.mark.parametrize("path", FAILING, ids=lambda path: f"{path.parent.name}-{path.stem}")
# PG112 speaks of triggers, not of statements; its own tests add what it suggests.
HEALED = {f"PG{number}" for number in range(101, 112)}
OPERATIONS = {
    "add-permission": "AddPermission",
    "remove-permission": "RemovePermission",
    "put-resource-policy": "PutResourcePolicy",
    "delete-resource-policy": "DeleteResourcePolicy",
}
NAME_TO_FILL_IN = "ACCOUNT-ID"
REVISION = "3d1e44e0-8e5f-4d2b-9d2a-6a5f2f3e7c01"


@cache
def input_of(operation: str) -> Any:
    """Return the parameters of an operation, as the SDK's model of Lambda has them."""
    return get_session().get_service_model("lambda").operation_model(operation).input_shape


def parse(command: str) -> tuple[str, dict[str, str]]:
    """Return the operation of a command and its parameters by their API names; a flag is `true`."""
    words = shlex.split(command.removesuffix(" &&"))
    assert words[:2] == ["aws", "lambda"]
    given: dict[str, str] = {}
    rest = words[3:]
    while rest:
        name = rest.pop(0)
        assert name.startswith("--")
        given[name[2:]] = "true" if not rest or rest[0].startswith("--") else rest.pop(0)
    return words[2], given


def commands(verdict: Verdict) -> list[tuple[str, dict[str, str]]]:
    """Return the commands of a finding on Lambda's policies, in their order."""
    text = next((remedy.text for remedy in verdict.remedies if remedy.kind == "aws-cli"), "")
    parsed = [parse(line) for line in text.splitlines() if line.startswith("aws lambda ")]
    return [(name, given) for name, given in parsed if name in OPERATIONS]


def cured(policy: ResourcePolicy, verdict: Verdict) -> ResourcePolicy | None:
    """Return the policy after the commands; None when nothing is left of it."""
    statements = [dict(item.raw) for item in policy.document.statements]
    for name, given in commands(verdict):
        if name == "add-permission":
            statements.append(added(given, policy.resource_arn))
            assert [item.get("Sid") for item in statements].count(given["statement-id"]) == 1
        elif name == "remove-permission":
            assert given["statement-id"] in [item.get("Sid") for item in statements]
            statements = [item for item in statements if item.get("Sid") != given["statement-id"]]
        elif name == "put-resource-policy":
            statements = json.loads(given["policy"])["Statement"]
        else:
            statements = []
    text = {**policy.document.document, "Statement": statements}  # type: ignore[dict-item]
    return replace(policy, document=parse_policy(text)) if statements else None


def added(given: dict[str, str], arn: str) -> dict[str, Any]:
    """Return the statement that AddPermission writes."""
    values: dict[str, Any] = {name.replace("-", "_"): value for name, value in given.items()}
    values["invoked_via_function_url"] = "invoked_via_function_url" in values
    return statement_of(Permission(**values), arn)


def violations(snapshot: Snapshot, rules: list[Any]) -> list[Verdict]:
    """Return what is wrong."""
    return [item for item in evaluate(snapshot, rules).verdicts if item.outcome is Outcome.VIOLATION]


@EACH_CASE
def test_every_command_is_one_that_the_interface_takes(path: Path) -> None:
    """Required parameters are there, and each is of the form that the SDK's model has, but for names to fill in."""
    case = json.loads(path.read_text())
    rule = next(rule for rule in RULES if rule.id == path.parent.name)(trust_of(case))
    for verdict in violations(snapshot_of(case), [rule]):
        for name, given in commands(verdict):
            shape = input_of(OPERATIONS[name])
            values = {"".join(word.capitalize() for word in key.split("-")): value for key, value in given.items()}
            values = {{"PrincipalOrgId": "PrincipalOrgID"}.get(key, key): value for key, value in values.items()}
            assert set(shape.required_members) <= values.keys() <= shape.members.keys()
            for key, value in values.items():
                assert value == NAME_TO_FILL_IN or takes(shape.members[key], value), (key, value)


def takes(member: Any, value: str) -> bool:
    """Tell whether a text is of the form of a parameter."""
    limits = member.metadata
    in_pattern = re.fullmatch(limits.get("pattern", ".*"), value, re.DOTALL)
    return bool(in_pattern) and len(value) <= limits.get("max", len(value)) and value in limits.get("enum", [value])


@pytest.mark.parametrize(
    "path",
    [path for path in FAILING if path.parent.name in HEALED],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_policy_is_all_right_once_its_cures_are_applied(path: Path) -> None:
    """By the rule itself and by those on sources; the statements that were all right stand as they stood."""
    case = json.loads(path.read_text())
    snapshot, trust = snapshot_of(case), trust_of(case)
    policies = {item.resource_arn: item for item in snapshot.resource_policies if isinstance(item, ResourcePolicy)}
    rule = next(rule for rule in RULES if rule.id == path.parent.name)
    for verdict in violations(snapshot, [rule(trust)]):
        arn = verdict.function_arn
        before = policies.pop(arn)
        after = cured(before, verdict)
        if after is not None:
            policies[arn] = after
            kept = [item.raw for item in after.document.statements]
            broken = verdict.evidence["statement"]
            assert all(item.raw in kept for item in before.document.statements if item.raw != broken)
    healed = replace(snapshot, resource_policies=tuple(policies.values()))
    asked = {rule.id, "PG102", "PG103", "PG104", *([] if NAME_TO_FILL_IN in str(healed) else ["PG105"])}
    again = violations(healed, [item(trust) for item in RULES if item.id in asked])
    assert {item.rule_id for item in again} == others_of(path)
    needed = [item(trust) for item in RULES if item.id == "PG112"]
    assert violations(healed, needed) == violations(snapshot, needed)


def others_of(path: Path) -> set[str]:
    """Return the rules that have something to say of other principals of the case, which the cure leaves alone."""
    return {
        "PG108/among-services.fail.json": {"PG102"},
        "PG103/mixed-principals.fail.json": {"PG105"},
        "PG104/several-services.fail.json": {"PG105"},
        "PG102/service-among-principals.fail.json": {"PG105"},
        "PG110/gone-whatever-is-unread.fail.json": {"PG103"},
    }.get(f"{path.parent.name}/{path.name}", set())


# ── True sources ────────────────────────────────────────────────────────────────────────────────────────────────────


def trigger(arn: str, principal: str, account: str = ACCOUNT, *sent: str, function: str = FUNCTION_ARN) -> Trigger:
    """Return what is set up to call the function."""
    return Trigger(principal, arn, sent or (arn,), account, function, f"the source {arn}")


def found(
    principal: str, condition: dict[str, Any] | None, *triggers: Trigger, action: Any = "lambda:InvokeFunction"
) -> Verdict:
    """Return the finding of PG102 or PG104 on a statement, with what was seen to be set up."""
    statement = {
        "Sid": "source",
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": action,
        "Resource": FUNCTION_ARN,
        **({"Condition": condition} if condition else {}),
    }
    policy = ResourcePolicy(
        FUNCTION_ARN, None, REVISION, parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    )
    inventory = Inventory("any", principal, frozenset(item.source for item in triggers), triggers)
    snapshot = Snapshot(TARGET, a_function(), resource_policies=(policy,), inventories=(inventory,))
    trust = TrustSet(frozenset({"111122223333"}))
    (verdict,) = violations(snapshot, [rule(trust) for rule in RULES if rule.id in {"PG102", "PG104"}])
    return verdict


def sources(verdict: Verdict) -> list[tuple[str, str]]:
    """Return ARN and account of the statements that are to be added."""
    return [
        (given.get("source-arn", ""), given.get("source-account", ""))
        for name, given in commands(verdict)
        if name == "add-permission"
    ]


SNS, S3, API, EVENTS = "sns.amazonaws.com", "s3.amazonaws.com", "apigateway.amazonaws.com", "events.amazonaws.com"
ORDERS = "arn:aws:sns:us-east-1:123456789012:orders"
RETURNS = "arn:aws:sns:us-east-1:123456789012:returns"
ANY_ORDERS = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:*:orders"}}


def test_each_trigger_that_is_seen_is_let_in_once() -> None:
    """Two notifications of one bucket are one source."""
    bucket = "arn:aws:s3:::example-uploads"
    verdict = found(S3, None, trigger(bucket, S3), trigger(bucket, S3), trigger("arn:aws:s3:::example-invoices", S3))
    assert sources(verdict) == [(bucket, ACCOUNT), ("arn:aws:s3:::example-invoices", ACCOUNT)]


def test_a_trigger_of_another_function_or_alias_is_not_let_in() -> None:
    """Each has a policy of its own; the latest version has the function's."""
    verdict = found(
        SNS,
        None,
        trigger(RETURNS, SNS, function=f"{FUNCTION_ARN}:live"),
        trigger(ORDERS, SNS, function=f"{FUNCTION_ARN}:$LATEST"),
    )
    assert [arn for arn, _ in sources(verdict)] == [ORDERS]


def test_an_api_that_may_send_several_arns_is_let_in_with_all_of_them() -> None:
    """By the pattern that it is named by; no account is asked for, as AWS does not say that one is sent."""
    api = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5"
    verdict = found(
        API, None, trigger(f"{api}/*/GET/orders", API, ACCOUNT, f"{api}/prod/GET/orders", f"{api}/dev/GET/orders")
    )
    assert sources(verdict) == [(f"{api}/*/GET/orders", "")]


def test_of_many_triggers_none_is_left_out() -> None:
    """What they have in common is let in, so that the policy does not grow beyond what AWS takes."""
    rules = [f"arn:aws:events:us-east-1:123456789012:rule/rule-{number}" for number in range(11)]
    assert len(sources(found(EVENTS, None, *(trigger(arn, EVENTS) for arn in rules[:10])))) == 10
    verdict = found(EVENTS, None, *(trigger(arn, EVENTS) for arn in rules))
    assert sources(verdict) == [("arn:aws:events:us-east-1:123456789012:*", ACCOUNT)]
    buckets = [trigger(f"arn:aws:s3:::example-{number}", S3) for number in range(11)]
    assert sources(found(S3, None, *buckets)) == [("arn:aws:s3:::*", ACCOUNT)]


def test_of_the_triggers_only_those_that_the_statement_lets_in_are_let_in_again() -> None:
    """Another one is let in by another statement, or is not meant to be."""
    verdict = found(SNS, ANY_ORDERS, trigger(ORDERS, SNS), trigger(RETURNS, SNS))
    assert [arn for arn, _ in sources(verdict)] == [ORDERS]


def test_what_the_statement_names_is_kept_and_held_to_the_own_account() -> None:
    """Where nothing that it lets in was seen."""
    assert [arn for arn, _ in sources(found(SNS, ANY_ORDERS))] == [ORDERS]
    assert [arn for arn, _ in sources(found(SNS, ANY_ORDERS, trigger(RETURNS, SNS)))] == [ORDERS]


def test_a_trusted_account_keeps_its_source() -> None:
    """And one that is not trusted loses it."""
    arns = [f"arn:aws:sns:us-east-1:{account}:orders" for account in ("111122223333", "999999999999", "*")]
    verdict = found(SNS, {"ArnLike": {"aws:SourceArn": arns}})
    assert [arn for arn, _ in sources(verdict)] == [arns[0], ORDERS]


def test_what_names_no_arn_is_for_a_person_to_fill_in() -> None:
    """The form of it is there."""
    for condition in (None, {"StringLike": {"aws:SourceArn": "*"}}, {"Null": {"aws:SourceArn": "false"}}):
        assert [arn for arn, _ in sources(found(SNS, condition))] == ["arn:aws:sns:us-east-1:123456789012:TOPIC-NAME"]


def test_where_the_account_suffices_no_source_is_asked_for() -> None:
    """One function rotates many secrets."""
    assert sources(found("secretsmanager.amazonaws.com", None)) == [("", ACCOUNT)]


def test_other_conditions_are_kept() -> None:
    """They were there for a reason; AddPermission cannot say them."""
    verdict = found(S3, {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:RequestedRegion": "us-east-1"}})
    ((name, given),) = commands(verdict)
    (statement,) = json.loads(given["policy"])["Statement"]
    assert name == "put-resource-policy"
    assert statement["Condition"] == {
        "Bool": {"aws:SecureTransport": "true"},
        "StringEquals": {"aws:RequestedRegion": "us-east-1", "AWS:SourceAccount": ACCOUNT},
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::BUCKET-NAME"},
    }
    assert {remedy.kind for remedy in verdict.remedies} == {"aws-cli", "policy-statement"}


@pytest.mark.parametrize(
    ("principal", "action", "expected"),
    [
        (S3, "lambda:*", ["lambda:InvokeFunction"]),
        (S3, "lambda:invokefunction", ["lambda:InvokeFunction"]),
        ("cloudfront.amazonaws.com", "lambda:InvokeFunctionUrl", ["lambda:InvokeFunctionUrl"]),
        ("cloudfront.amazonaws.com", "lambda:Invoke*", ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]),
    ],
)
def test_the_actions_are_those_that_are_granted_or_that_the_service_needs(
    principal: str, action: str, expected: list[str]
) -> None:
    """CloudFront calls through the URL, and needs both."""
    verdict = found(principal, None, action=action)
    assert [given["action"] for name, given in commands(verdict) if name == "add-permission"] == expected


def test_a_name_that_the_policy_has_already_is_not_given_again() -> None:
    """AddPermission would refuse it; somebody may have added the scoped statement before, and not removed this one."""
    case = {
        "Sid": "uploads-scoped",
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "lambda:InvokeFunction",
    }
    held = {**case, "Resource": FUNCTION_ARN, "Condition": {"ArnLike": {"AWS:SourceArn": ORDERS}}}
    wide = {**case, "Sid": "uploads", "Principal": {"Service": [S3, EVENTS]}, "Resource": FUNCTION_ARN}
    document = parse_policy({"Version": "2012-10-17", "Statement": [held, wide]})
    policy = ResourcePolicy(FUNCTION_ARN, None, REVISION, document)
    rule = next(rule for rule in RULES if rule.id == "PG102")(TrustSet(frozenset()))
    (verdict,) = violations(Snapshot(TARGET, a_function(), resource_policies=(policy,)), [rule])
    names = [given["statement-id"] for name, given in commands(verdict) if name == "add-permission"]
    assert names == ["uploads-scoped-2", "uploads-scoped-3"]


def test_the_version_of_the_document_stays() -> None:
    """With another one, a text with a variable in it would begin to mean something else."""
    for version in ("2008-10-17", "2012-10-17"):
        raw = {
            "Effect": "Allow",
            "Principal": {"Service": S3},
            "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION_ARN,
        }
        document = parse_policy({"Version": version, "Id": "default", "Statement": raw})
        policy = ResourcePolicy(FUNCTION_ARN, None, "", document)
        rule = next(rule for rule in RULES if rule.id == "PG102")(TrustSet(frozenset()))
        (verdict,) = violations(Snapshot(TARGET, a_function(), resource_policies=(policy,)), [rule])
        ((_, given),) = commands(verdict)
        written = json.loads(given["policy"])
        assert (written["Version"], written["Id"]) == (version, "default")
        assert "revision-id" not in given
