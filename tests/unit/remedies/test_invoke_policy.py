"""The remedies for resource-based policies: AWS's API accepts them, and they resolve the finding and no more."""

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
from permission_guard.invokers import INVOKERS
from permission_guard.model.state import Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.remedies.permission import Permission, statement_of
from permission_guard.rules import RULES
from tests import shell
from tests.fakes import ACCOUNT, FUNCTION_ARN, TARGET, a_function
from tests.unit.rules.test_cases import INVOKE_CASES, kind_of, snapshot_of, trust_of

if TYPE_CHECKING:
    from pathlib import Path

FAILING = [path for path in INVOKE_CASES if kind_of(path) == "fail"]
EACH_CASE = pytest.mark.parametrize("path", FAILING, ids=lambda path: f"{path.parent.name}-{path.stem}")
# PG112 evaluates triggers, not statements; its own tests add the suggested permission.
RESOLVED = {f"PG{number}" for number in range(101, 112)}
OPERATIONS = {
    "add-permission": "AddPermission",
    "remove-permission": "RemovePermission",
    "get-resource-policy": "GetResourcePolicy",
    "put-resource-policy": "PutResourcePolicy",
    "delete-resource-policy": "DeleteResourcePolicy",
}
PLACEHOLDER = "ACCOUNT-ID"
NAMES = {name for invoker in INVOKERS for name in invoker.names if "-" in name}
"""The names in capitals in the ARNs of remedies, which only the owner can replace."""


@cache
def input_of(operation: str) -> Any:
    """Return the parameters of an operation in the SDK's model of Lambda."""
    return get_session().get_service_model("lambda").operation_model(operation).input_shape


def parse(words: list[str]) -> tuple[str, dict[str, str]]:
    """Return the operation of a command and its options by name; a flag is `true`."""
    assert words[:2] == ["aws", "lambda"]
    given: dict[str, str] = {}
    rest = words[3:]
    while rest:
        name = rest.pop(0)
        assert name.startswith("--")
        given[name[2:]] = "true" if not rest or rest[0].startswith("--") else rest.pop(0)
    return words[2], given


def commands(verdict: Verdict) -> list[tuple[str, dict[str, str]]]:
    """Return a finding's commands on resource-based policies, in order."""
    lines = [line.removesuffix(" &&") for line in text_of(verdict).splitlines() if line.startswith("aws lambda ")]
    parsed = [parse(shlex.split(line)) for line in lines]
    return [(name, given) for name, given in parsed if name in OPERATIONS]


def text_of(verdict: Verdict) -> str:
    """Return a finding's commands as text."""
    return next((remedy.text for remedy in verdict.remedies if remedy.kind == "aws-cli"), "")


def replacing(policy: ResourcePolicy, verdict: Verdict, folder: Path) -> shell.Ran | None:
    """Return what the command did that replaces one statement, None if the finding has no such command."""
    _, command, rest = text_of(verdict).partition("python3 ")
    if not command:
        return None
    ran = shell.change_policy(command + rest, policy.resource_arn, policy.document.document, folder)
    assert (ran.code, ran.errors) == (0, "")
    return ran


def fixed(policy: ResourcePolicy, verdict: Verdict, folder: Path) -> ResourcePolicy | None:
    """Return the policy after the commands; None if it is empty then."""
    ran = replacing(policy, verdict, folder)
    if ran is not None:
        return replace(policy, document=parse_policy(ran.policy)) if ran.policy else None
    statements = [dict(item.raw) for item in policy.document.statements]
    for name, given in commands(verdict):
        if name == "add-permission":
            statements.append(added(given, policy.resource_arn))
            assert [item.get("Sid") for item in statements].count(given["statement-id"]) == 1
        else:
            assert name == "remove-permission"
            assert given["statement-id"] in [item.get("Sid") for item in statements]
            statements = [item for item in statements if item.get("Sid") != given["statement-id"]]
    text = {**policy.document.document, "Statement": statements}  # type: ignore[dict-item]
    return replace(policy, document=parse_policy(text)) if statements else None


def added(given: dict[str, str], arn: str) -> dict[str, Any]:
    """Return the statement that AddPermission writes."""
    values: dict[str, Any] = {name.replace("-", "_"): value for name, value in given.items()}
    values["invoked_via_function_url"] = "invoked_via_function_url" in values
    return statement_of(Permission(**values), arn)


def violations(snapshot: Snapshot, rules: list[Any]) -> list[Verdict]:
    """Return the violations of a snapshot."""
    return [item for item in evaluate(snapshot, rules).verdicts if item.outcome is Outcome.VIOLATION]


@EACH_CASE
def test_the_api_accepts_every_command(path: Path, tmp_path: Path) -> None:
    """Required parameters are present, and each is valid in the SDK's model, except for placeholders."""
    case = json.loads(path.read_text())
    rule = next(rule for rule in RULES if rule.id == path.parent.name)(trust_of(case))
    snapshot = snapshot_of(case)
    policies = {item.resource_arn: item for item in snapshot.resource_policies if isinstance(item, ResourcePolicy)}
    for verdict in violations(snapshot, [rule]):
        policy = policies.get(verdict.function_arn)
        ran = replacing(policy, verdict, tmp_path) if policy else None
        for name, given in [*commands(verdict), *(parse(["aws", *call]) for call in (ran.calls if ran else ()))]:
            shape = input_of(OPERATIONS[name])
            values = {"".join(word.capitalize() for word in key.split("-")): value for key, value in given.items()}
            values = {{"PrincipalOrgId": "PrincipalOrgID"}.get(key, key): value for key, value in values.items()}
            assert values.pop("Output", "json") == "json"
            assert set(shape.required_members) <= values.keys() <= shape.members.keys()
            for key, value in values.items():
                assert value == PLACEHOLDER or accepts(shape.members[key], value), (key, value)


def accepts(member: Any, value: str) -> bool:
    """Return whether a value is valid for a parameter."""
    limits = member.metadata
    in_pattern = re.fullmatch(limits.get("pattern", ".*"), value, re.DOTALL)
    return bool(in_pattern) and len(value) <= limits.get("max", len(value)) and value in limits.get("enum", [value])


@pytest.mark.parametrize(
    "path",
    [path for path in FAILING if path.parent.name in RESOLVED],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_policy_has_no_violation_after_its_remedies_are_applied(path: Path, tmp_path: Path) -> None:
    """Of the rule itself and of those on sources. The other statements are unchanged."""
    case = json.loads(path.read_text())
    snapshot, trust = snapshot_of(case), trust_of(case)
    policies = {item.resource_arn: item for item in snapshot.resource_policies if isinstance(item, ResourcePolicy)}
    rule = next(rule for rule in RULES if rule.id == path.parent.name)
    urls = snapshot.function_urls
    for verdict in violations(snapshot, [rule(trust)]):
        arn = verdict.function_arn
        urls = with_authentication(urls, verdict)
        before = policies.pop(arn)
        after = fixed(before, verdict, tmp_path)
        if after is not None:
            policies[arn] = after
            kept = [item.raw for item in after.document.statements]
            broken = verdict.evidence["statement"]
            assert all(item.raw in kept for item in before.document.statements if item.raw != broken)
    resolved = replace(snapshot, resource_policies=tuple(policies.values()), function_urls=urls)
    evaluated = {rule.id, "PG102", "PG103", "PG104", *([] if PLACEHOLDER in str(resolved) else ["PG105"])}
    left = violations(resolved, [item(trust) for item in RULES if item.id in evaluated])
    to_replace = [item for item in left if any(name in item.reason for name in NAMES)]
    assert {item.rule_id for item in left if item not in to_replace} == others_of(path)
    needed = [item(trust) for item in RULES if item.id == "PG112"]
    before_ids, after_ids = ({item.finding_id for item in violations(one, needed)} for one in (snapshot, resolved))
    assert after_ids <= before_ids


def with_authentication(urls: Any, verdict: Verdict) -> Any:
    """Return the URLs of a function after the command that sets the authentication of one."""
    qualifier = verdict.function_arn.removeprefix(FUNCTION_ARN).removeprefix(":") or None
    if "update-function-url-config" not in text_of(verdict):
        return urls
    return tuple(replace(url, auth_type="AWS_IAM") if url.qualifier == qualifier else url for url in urls)


def others_of(path: Path) -> set[str]:
    """Return the violated rules for other principals of the case, which the remedy does not change."""
    return {
        "PG108/among-services.fail.json": {"PG102"},
        "PG103/mixed-principals.fail.json": {"PG105"},
        "PG104/several-services.fail.json": {"PG105"},
        "PG102/service-among-principals.fail.json": {"PG105"},
        "PG110/deleted-whatever-is-unread.fail.json": {"PG103"},
    }.get(f"{path.parent.name}/{path.name}", set())


# ── Actual sources ──────────────────────────────────────────────────────────────────────────────────────────────────


def trigger(arn: str, principal: str, account: str = ACCOUNT, *sent: str, function: str = FUNCTION_ARN) -> Trigger:
    """Return a trigger that is configured to invoke the function."""
    return Trigger(principal, arn, sent or (arn,), account, function, f"the source {arn}")


def found(
    principal: str, condition: dict[str, Any] | None, *triggers: Trigger, action: Any = "lambda:InvokeFunction"
) -> Verdict:
    """Return the finding of PG102 or PG104 on a statement, with the configured triggers."""
    statement = {
        "Sid": "source",
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": action,
        "Resource": FUNCTION_ARN,
        **({"Condition": condition} if condition else {}),
    }
    policy = ResourcePolicy(FUNCTION_ARN, None, parse_policy({"Version": "2012-10-17", "Statement": [statement]}))
    inventory = Inventory("any", principal, frozenset(item.source for item in triggers), triggers)
    snapshot = Snapshot(TARGET, a_function(), resource_policies=(policy,), inventories=(inventory,))
    trust = TrustSet(frozenset({"111122223333"}))
    (verdict,) = violations(snapshot, [rule(trust) for rule in RULES if rule.id in {"PG102", "PG104"}])
    return verdict


def replacement(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the statements by which a command replaces the statement of the finding."""
    *_, arn, old, new = shlex.split(text_of(verdict))
    assert arn == FUNCTION_ARN
    assert json.loads(old) == verdict.evidence["statement"]
    statements: list[dict[str, Any]] = json.loads(new)
    return statements


def sources(verdict: Verdict) -> list[tuple[str, str]]:
    """Return ARN and account of the statements that the commands add."""
    return [
        (given.get("source-arn", ""), given.get("source-account", ""))
        for name, given in commands(verdict)
        if name == "add-permission"
    ]


SNS, S3, API, EVENTS = "sns.amazonaws.com", "s3.amazonaws.com", "apigateway.amazonaws.com", "events.amazonaws.com"
ORDERS = "arn:aws:sns:us-east-1:123456789012:orders"
RETURNS = "arn:aws:sns:us-east-1:123456789012:returns"
ANY_ORDERS = {"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:*:orders"}}


def test_each_configured_trigger_is_allowed_once() -> None:
    """Two notifications of one bucket are one source."""
    bucket = "arn:aws:s3:::example-uploads"
    verdict = found(S3, None, trigger(bucket, S3), trigger(bucket, S3), trigger("arn:aws:s3:::example-invoices", S3))
    assert sources(verdict) == [(bucket, ACCOUNT), ("arn:aws:s3:::example-invoices", ACCOUNT)]


def test_a_trigger_of_another_function_or_alias_is_not_allowed() -> None:
    """Each has its own policy; $LATEST uses the function's."""
    verdict = found(
        SNS,
        None,
        trigger(RETURNS, SNS, function=f"{FUNCTION_ARN}:live"),
        trigger(ORDERS, SNS, function=f"{FUNCTION_ARN}:$LATEST"),
    )
    assert [arn for arn, _ in sources(verdict)] == [ORDERS]


def test_an_api_that_may_send_several_arns_is_allowed_with_all_of_them() -> None:
    """By a pattern. No account is required, because AWS does not document that one is sent."""
    api = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5"
    verdict = found(
        API, None, trigger(f"{api}/*/GET/orders", API, ACCOUNT, f"{api}/prod/GET/orders", f"{api}/dev/GET/orders")
    )
    assert sources(verdict) == [(f"{api}/*/GET/orders", "")]


def test_all_of_many_triggers_are_allowed() -> None:
    """By a common pattern, so that the policy does not exceed AWS's maximum size."""
    rules = [f"arn:aws:events:us-east-1:123456789012:rule/rule-{number}" for number in range(11)]
    assert len(sources(found(EVENTS, None, *(trigger(arn, EVENTS) for arn in rules[:10])))) == 10
    verdict = found(EVENTS, None, *(trigger(arn, EVENTS) for arn in rules))
    assert sources(verdict) == [("arn:aws:events:us-east-1:123456789012:*", "")]
    buckets = [trigger(f"arn:aws:s3:::example-{number}", S3) for number in range(11)]
    assert sources(found(S3, None, *buckets)) == [("arn:aws:s3:::*", ACCOUNT)]


def test_only_triggers_that_the_present_statement_allows_stay_allowed() -> None:
    """Another statement allows the others, or none should."""
    verdict = found(SNS, ANY_ORDERS, trigger(ORDERS, SNS), trigger(RETURNS, SNS))
    assert [arn for arn, _ in sources(verdict)] == [ORDERS]


def test_a_named_source_is_kept_and_restricted_to_this_account() -> None:
    """If the statement allows no configured trigger."""
    assert [arn for arn, _ in sources(found(SNS, ANY_ORDERS))] == [ORDERS]
    assert [arn for arn, _ in sources(found(SNS, ANY_ORDERS, trigger(RETURNS, SNS)))] == [ORDERS]


def test_a_trusted_account_keeps_its_source() -> None:
    """An untrusted account is replaced by this account."""
    arns = [f"arn:aws:sns:us-east-1:{account}:orders" for account in ("111122223333", "999999999999", "*")]
    verdict = found(SNS, {"ArnLike": {"aws:SourceArn": arns}})
    assert [arn for arn, _ in sources(verdict)] == [arns[0], ORDERS]


def test_a_statement_without_an_arn_gets_a_placeholder() -> None:
    """The placeholder is in an ARN of the right form."""
    for condition in (None, {"StringLike": {"aws:SourceArn": "*"}}, {"Null": {"aws:SourceArn": "false"}}):
        assert [arn for arn, _ in sources(found(SNS, condition))] == ["arn:aws:sns:us-east-1:123456789012:TOPIC-NAME"]


def test_no_source_is_required_if_the_account_suffices() -> None:
    """One function rotates many secrets."""
    assert sources(found("secretsmanager.amazonaws.com", None)) == [("", ACCOUNT)]


def test_other_conditions_are_kept() -> None:
    """AddPermission cannot express them, so the statement is replaced."""
    verdict = found(S3, {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:RequestedRegion": "us-east-1"}})
    (statement,) = replacement(verdict)
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
    """CloudFront calls through the URL, which requires both actions."""
    verdict = found(principal, None, action=action)
    assert [given["action"] for name, given in commands(verdict) if name == "add-permission"] == expected


def test_a_sid_that_the_policy_contains_is_not_used_again() -> None:
    """AddPermission rejects it. The scoped statement may have been added before, without removing the broad one."""
    case = {
        "Sid": "uploads-scoped",
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "lambda:InvokeFunction",
    }
    narrow = {**case, "Resource": FUNCTION_ARN, "Condition": {"ArnLike": {"AWS:SourceArn": ORDERS}}}
    wide = {**case, "Sid": "uploads", "Principal": {"Service": [S3, EVENTS]}, "Resource": FUNCTION_ARN}
    document = parse_policy({"Version": "2012-10-17", "Statement": [narrow, wide]})
    policy = ResourcePolicy(FUNCTION_ARN, None, document)
    rule = next(rule for rule in RULES if rule.id == "PG102")(TrustSet(frozenset()))
    (verdict,) = violations(Snapshot(TARGET, a_function(), resource_policies=(policy,)), [rule])
    names = [given["statement-id"] for name, given in commands(verdict) if name == "add-permission"]
    assert names == ["uploads-scoped-2", "uploads-scoped-3"]


def test_the_version_of_the_policy_is_kept(tmp_path: Path) -> None:
    """In another version, a text with a policy variable has another meaning."""
    for version in ("2008-10-17", "2012-10-17"):
        raw = {
            "Effect": "Allow",
            "Principal": {"Service": S3},
            "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION_ARN,
        }
        document = parse_policy({"Version": version, "Id": "default", "Statement": raw})
        policy = ResourcePolicy(FUNCTION_ARN, None, document)
        rule = next(rule for rule in RULES if rule.id == "PG102")(TrustSet(frozenset()))
        (verdict,) = violations(Snapshot(TARGET, a_function(), resource_policies=(policy,)), [rule])
        after = fixed(policy, verdict, tmp_path)
        assert after is not None
        assert after.document.document == {"Version": version, "Id": "default", "Statement": replacement(verdict)}
