"""PG112: the suggested permission allows the trigger, and nothing else."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any, Final

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.invokers.apigateway import disputed_for, sent_for
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.model.verdicts import Outcome, Verdict
from permission_guard.remedies.permission import Permission, statement_of
from permission_guard.rules import rules_for
from permission_guard.rules.invoke_policy.invoke_permission_missing import InvokePermissionMissing
from tests.fakes import ACCOUNT, FUNCTION_ARN, TARGET, a_function
from tests.rule_cases import PRINCIPALS
from tests.unit.invokers.test_sources import HERE, SOURCES
from tests.unit.remedies.test_invoke_policy import parse

NO_TRUST: Final = TrustSet(frozenset())
API: Final = f"arn:aws:execute-api:{HERE}:a1b2c3d4e5"
LOG_GROUP: Final = f"arn:aws:logs:{HERE}:log-group:/aws/lambda/shop"


def api_trigger(
    method: str, path: str, *stages: str, function_arn: str = FUNCTION_ARN, is_http: bool = False
) -> Trigger:
    """Return the trigger of an API's method, as the inventory returns it."""
    sent = sent_for(method, path)
    arns, disputed = (
        tuple(f"{API}/{stage}/{each}" for stage in stages for each in group)
        for group in (sent, disputed_for(method, path, is_http=is_http))
    )
    what = f"the method {method} {path} of the {'HTTP' if is_http else 'REST'} API shop"
    return Trigger(PRINCIPALS["apigateway"], f"{API}/*/{sent[-1]}", arns, ACCOUNT, function_arn, what, disputed)


def plain(name: str, source: str, sent: str = "", function_arn: str = FUNCTION_ARN) -> Trigger:
    """Return a trigger that sends one ARN."""
    return Trigger(PRINCIPALS[name], source, (sent or source,), ACCOUNT, function_arn, f"the source {source}")


TRIGGERS: Final = [
    *(
        (name, plain(name, source))
        for name, sources in SOURCES.items()
        for source in sources
        if name not in {"apigateway", "apigatewayv2", "logs"}
    ),
    ("logs", plain("logs", LOG_GROUP, f"{LOG_GROUP}:*")),
    ("logs", plain("logs", f"arn:aws:logs:{HERE}:log-group:*", f"arn:aws:logs:{HERE}:log-group:*:*")),
    ("apigateway", api_trigger("GET", "/orders", "dev", "prod")),
    ("apigateway", api_trigger("ANY", "/{proxy+}", "prod")),
    ("apigateway", api_trigger("POST", "/orders/{id}/items", "prod")),
    ("apigateway", api_trigger("GET", "/", "prod")),
    ("apigatewayv2", plain("apigatewayv2", f"{API}/*/$connect", f"{API}/prod/$connect")),
    ("apigatewayv2", plain("apigatewayv2", f"{API}/*/$default", f"{API}/$default/$default")),
    ("apigatewayv2", plain("apigatewayv2", f"{API}/authorizers/f6g7h8")),
]
"""Every kind of trigger, by the name of its inventory."""

EACH_TRIGGER = pytest.mark.parametrize(("name", "trigger"), TRIGGERS)


def verdicts(trigger: Trigger, *statements: dict[str, Any], name: str = "any") -> list[Verdict]:
    """Return the verdicts on one trigger, if the function that it invokes has a policy with some statements."""
    target, qualifier = parse_function_arn(trigger.function_arn)
    text = {"Version": "2012-10-17", "Id": "default", "Statement": list(statements)}
    policies = (ResourcePolicy(trigger.function_arn, qualifier, parse_policy(text)),) if statements else ()
    inventory = Inventory(name, trigger.principal, frozenset({trigger.source}), (trigger,))
    snapshot = Snapshot(target, a_function(), resource_policies=policies, inventories=(inventory,))
    return list(evaluate(snapshot, [InvokePermissionMissing(NO_TRUST)]).verdicts)


def suggested_for(trigger: Trigger) -> Permission:
    """Return the suggested permission for a trigger that no statement allows."""
    (missing,) = verdicts(trigger)
    assert missing.outcome is Outcome.VIOLATION
    assert [remedy.kind for remedy in missing.remedies] == ["aws-cli", "sam", "cdk", "terraform"]
    name, given = parse(shlex.split(missing.remedies[0].text))
    assert name == "add-permission"
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in given.items()}
    assert missing.evidence["principal"] == values["principal"]
    return Permission(**values)


def test_there_is_a_trigger_of_every_inventory() -> None:
    """All kinds are tested."""
    assert {name for name, _ in TRIGGERS} == set(PRINCIPALS)


@EACH_TRIGGER
@pytest.mark.parametrize("qualifier", ["", "live", "12"])
def test_the_suggested_permission_allows_the_trigger(name: str, trigger: Trigger, qualifier: str) -> None:
    """It is added to the policy of the function, alias or version that the trigger invokes."""
    arn = f"{FUNCTION_ARN}:{qualifier}" if qualifier else FUNCTION_ARN
    permission = suggested_for(replace(trigger, function_arn=arn))
    assert (permission.function_name, permission.qualifier) == ("orders", qualifier)
    (after,) = verdicts(replace(trigger, function_arn=arn), statement_of(permission, arn), name=name)
    assert after.outcome is Outcome.PASS


@EACH_TRIGGER
def test_no_rule_reports_the_suggested_permission(name: str, trigger: Trigger) -> None:
    """It is as narrow as the other rules require."""
    statement = statement_of(suggested_for(trigger), FUNCTION_ARN)
    document = parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    root = API if name.startswith("api") else trigger.source
    listed = Inventory(name, trigger.principal, frozenset({root}), (trigger,))
    snapshot = Snapshot(
        TARGET,
        a_function(),
        resource_policies=(ResourcePolicy(FUNCTION_ARN, None, document),),
        inventories=(listed,),
    )
    report = evaluate(snapshot, rules_for(Direction.INVOKE_POLICY, NO_TRUST))
    assert [verdict.title for verdict in report.violations] == []
    assert report.unknowns == ()


@EACH_TRIGGER
def test_the_suggested_permission_allows_no_other_account(name: str, trigger: Trigger) -> None:
    """The same trigger in another account is denied."""
    elsewhere = replace(
        trigger,
        source=trigger.source.replace(ACCOUNT, "999999999999"),
        source_arns=tuple(arn.replace(ACCOUNT, "999999999999") for arn in trigger.source_arns),
        disputed_source_arns=tuple(arn.replace(ACCOUNT, "999999999999") for arn in trigger.disputed_source_arns),
        source_account="999999999999",
    )
    (outside,) = verdicts(elsewhere, statement_of(suggested_for(trigger), FUNCTION_ARN), name=name)
    assert outside.outcome is Outcome.VIOLATION


def test_each_trigger_has_a_statement_id_of_its_own() -> None:
    """AWS rejects a duplicate id; the first word names the service."""
    paths = ["/orders", "/orders/{id}", "/orders/*", "/orders-{id}", f"/{'long' * 20}/a", f"/{'long' * 20}/b"]
    triggers = [*(trigger for _, trigger in TRIGGERS), *(api_trigger("DELETE", path, "prod") for path in paths)]
    names = [suggested_for(trigger).statement_id for trigger in triggers]
    # AWS does not document what it sends for a path parameter, so both are a wildcard: two of the paths are equal.
    assert len(set(names)) == len({(trigger.principal, trigger.source) for trigger in triggers}) == len(names) - 1
    assert all(name.startswith(trigger.principal.split(".")[0]) for name, trigger in zip(names, triggers, strict=True))


def outcome_of(trigger: Trigger, source_arn: str) -> Outcome:
    """Return the outcome if a statement requires a source ARN."""
    permission = replace(suggested_for(trigger), source_arn=f"{API}/{source_arn}")
    (verdict,) = verdicts(trigger, statement_of(permission, FUNCTION_ARN))
    return verdict.outcome


@pytest.mark.parametrize(
    ("source_arn", "outcome"),
    [
        ("*/GET/users/*", Outcome.PASS),
        ("prod/GET/users/*", Outcome.PASS),
        ("*/*/users/{id}", Outcome.VIOLATION),
        ("*/GET/users/{userId}", Outcome.VIOLATION),
        ("*/ANY/users/*", Outcome.VIOLATION),
    ],
)
def test_a_path_parameter_is_never_sent_by_its_name(source_arn: str, outcome: Outcome) -> None:
    """A statement that names it allows no call of a REST API."""
    assert outcome_of(api_trigger("GET", "/users/{userId}", "prod"), source_arn) is outcome


@pytest.mark.parametrize(
    ("source_arn", "outcome"),
    [
        ("*/GET/users/*", Outcome.PASS),
        ("*/*/users/{userId}", Outcome.UNKNOWN),
        ("*/*/users/{id}", Outcome.VIOLATION),
    ],
)
def test_what_an_http_api_sends_for_a_path_parameter_is_disputed(source_arn: str, outcome: Outcome) -> None:
    """The AWS CDK writes the parameter's name for HTTP APIs."""
    assert outcome_of(api_trigger("GET", "/users/{userId}", "prod", is_http=True), source_arn) is outcome


@pytest.mark.parametrize(
    ("source_arn", "outcome"),
    [
        ("*/ANY/orders", Outcome.UNKNOWN),
        ("prod/ANY/orders", Outcome.UNKNOWN),
        ("prod/*/orders", Outcome.PASS),
        ("test/ANY/orders", Outcome.VIOLATION),
        ("prod/any/orders", Outcome.VIOLATION),
    ],
)
def test_whether_an_api_sends_any_is_disputed(source_arn: str, outcome: Outcome) -> None:
    """A statement with ANY alone is no pass, and no finding."""
    assert outcome_of(api_trigger("ANY", "/orders", "prod"), source_arn) is outcome


@pytest.mark.parametrize("sent", ["GET/orders", "PATCH/orders", "*/orders"])
def test_a_method_any_is_allowed_by_every_arn_that_it_may_send(sent: str) -> None:
    """One method of several is enough: which ones are called is not visible."""
    trigger = api_trigger("ANY", "/orders", "prod")
    permission = replace(suggested_for(trigger), source_arn=f"{API}/prod/{sent}")
    (verdict,) = verdicts(trigger, statement_of(permission, FUNCTION_ARN))
    assert verdict.outcome is Outcome.PASS
    other = replace(permission, source_arn=f"{API}/prod/GET/returns")
    (verdict,) = verdicts(trigger, statement_of(other, FUNCTION_ARN))
    assert verdict.outcome is Outcome.VIOLATION


def test_a_trigger_of_latest_is_allowed_in_the_function_s_policy() -> None:
    """$LATEST cannot have a policy."""
    trigger = replace(TRIGGERS[0][1], function_arn=f"{FUNCTION_ARN}:$LATEST")
    assert suggested_for(trigger).qualifier == ""


@pytest.mark.parametrize(
    ("partition", "region", "name", "principal"),
    [
        ("aws", "us-east-1", "logs", "logs.amazonaws.com"),
        ("aws-us-gov", "us-gov-west-1", "logs", "logs.amazonaws.com"),
        ("aws-cn", "cn-north-1", "logs", "logs.cn-north-1.amazonaws.com.cn"),
        ("aws", "us-east-1", "sns", "sns.amazonaws.com"),
        ("aws", "ap-east-1", "sns", "sns.amazonaws.com"),
        ("aws-cn", "cn-north-1", "sns", "sns.amazonaws.com"),
    ],
)
def test_the_principal_is_the_one_that_calls_from_the_same_region(
    partition: str, region: str, name: str, principal: str
) -> None:
    """SNS uses its regional principal only for other regions, and CloudWatch Logs requires it in China."""
    target = FunctionTarget(partition, region, ACCOUNT, "orders")
    source = f"arn:{partition}:{name}:{region}:{ACCOUNT}:" + ("log-group:shop" if name == "logs" else "new-orders")
    trigger = plain(name, source, f"{source}:*" if name == "logs" else source, target.arn)
    permission = suggested_for(trigger)
    assert permission.principal == principal
    (after,) = verdicts(trigger, statement_of(permission, target.arn))
    assert after.outcome is Outcome.PASS
