"""The statements that AWS SAM's translator writes for each kind of event, and their violations."""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from typing import Any, Final

import boto3
import pytest
from samtranslator.model import sam_resources  # type: ignore[import-untyped] # it ships no types
from samtranslator.model.connector_profiles import profile  # type: ignore[import-untyped] # the same
from samtranslator.model.eventsources.push import PushEventSource  # type: ignore[import-untyped] # the same
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped] # the same
from samtranslator.translator.arn_generator import ArnGenerator  # type: ignore[import-untyped] # the same
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped] # the same

from permission_guard.checks.engine import evaluate
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Function, ResourcePolicy, Snapshot
from permission_guard.model.targets import Direction, FunctionTarget
from permission_guard.remedies.permission import Permission, statement_of
from permission_guard.rules import rules_for
from tests.fakes import ACCOUNT
from tests.unit.rules.sam_events import CASES, PULLED, WITHOUT_STATEMENTS, Case, Written

REGION: Final = "us-east-1"
PSEUDO: Final = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::StackName": "stack"}
RULES: Final = [rule for rule in rules_for(Direction.INVOKE_POLICY, TrustSet(frozenset({ACCOUNT}))) if rule.offline]

ARNS: Final = {
    "AWS::ApiGateway::RestApi": "",
    "AWS::ApiGatewayV2::Api": "",
    "AWS::AppSync::GraphQLApi": f"arn:aws:appsync:{REGION}:{ACCOUNT}:apis/NAME",
    "AWS::Cognito::UserPool": f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_NAME",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/NAME",
    "AWS::IoT::TopicRule": f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/NAME",
    "AWS::Lambda::Alias": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:Fn:live",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:NAME",
    "AWS::S3::Bucket": "arn:aws:s3:::NAME",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:NAME",
}
"""The ARN that CloudFormation creates for each resource of a permission, with the logical id as its name."""

REF_IS_ARN: Final = {"AWS::Lambda::Alias", "AWS::SNS::Topic", "AWS::AppSync::GraphQLApi"}


def translated(resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the resources into which SAM translates the resources of a template."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(ArnGenerator, "BOTO_SESSION_REGION_NAME", None)
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": copy.deepcopy(resources)}
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    output: dict[str, Any] = translator.translate(template, {})["Resources"]
    return output


def resolved(value: Any, output: dict[str, Any]) -> Any:
    """Return a property with its intrinsic functions resolved."""
    if not isinstance(value, dict):
        return value
    ((name, argument),) = value.items()
    if name == "Ref":
        return reference(argument, "", output)
    if name == "Fn::GetAtt":
        logical, attribute = argument if isinstance(argument, list) else argument.split(".")
        return reference(logical, attribute, output)
    if name == "Fn::Join":
        return argument[0].join(str(resolved(item, output)) for item in argument[1])
    text, variables = argument if isinstance(argument, list) else (argument, {})
    assert name == "Fn::Sub", f"{name} is not resolved here"
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(substituted(match[1], variables, output)), text)


def substituted(name: str, variables: dict[str, Any], output: dict[str, Any]) -> Any:
    """Return the value of a name in Fn::Sub."""
    if name in variables:
        return resolved(variables[name], output)
    logical, _, attribute = name.partition(".")
    return reference(logical, attribute, output)


def reference(logical: str, attribute: str, output: dict[str, Any]) -> str:
    """Return the value of Ref or, with an attribute, of GetAtt."""
    if logical in PSEUDO:
        return PSEUDO[logical]
    kind = output[logical]["Type"]
    arn = ARNS[kind].replace("NAME", logical.lower() if kind == "AWS::S3::Bucket" else logical)
    if attribute in ("Arn", "TopicArn") or (not attribute and kind in REF_IS_ARN):
        assert arn, f"{kind} has no Arn"
        return arn
    assert attribute in ("", "ApiId"), f"{kind}.{attribute} is not resolved here"
    return logical


def statements(resources: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[dict[str, Any]]]:
    """Return the statements that Lambda writes for SAM's permissions, by function or alias."""
    output = translated(resources, monkeypatch)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for logical, entry in output.items():
        if entry["Type"] != "AWS::Lambda::Permission":
            continue
        properties = {name: resolved(value, output) for name, value in entry["Properties"].items()}
        function = properties.pop("FunctionName").rpartition(":function:")[2]
        snake = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): value for name, value in properties.items()}
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        found[function].append(statement_of(Permission(function_name=function, statement_id=logical, **snake), arn))
    return found


def evaluated(found: dict[str, list[dict[str, Any]]]) -> set[Written]:
    """Return the statements with the rules that they violate; no outcome may be unknown."""
    policies = []
    for named, group in found.items():
        name, _, qualifier = named.partition(":")
        target = FunctionTarget("aws", REGION, ACCOUNT, name)
        arn = f"{target.arn}:{qualifier}" if qualifier else target.arn
        document = json.dumps({"Version": "2012-10-17", "Statement": group})
        policies.append(ResourcePolicy(arn, qualifier or None, parse_policy(document)))
    target = FunctionTarget("aws", REGION, ACCOUNT, "Fn")
    function = Function(target.arn, target.name, f"arn:aws:iam::{ACCOUNT}:role/orders")
    report = evaluate(Snapshot(target, function, resource_policies=tuple(policies)), RULES)
    assert report.unknowns == ()
    violated: dict[str, list[str]] = defaultdict(list)
    for verdict in report.violations:
        violated[str(verdict.subject)].append(verdict.rule_id)
    return {
        Written(
            principal=entry["Principal"] if entry["Principal"] == "*" else entry["Principal"]["Service"],
            keys=tuple(sorted(key for keys in entry.get("Condition", {}).values() for key in keys)),
            rule_ids=tuple(sorted(violated[f"statement/{entry['Sid']}"])),
        )
        for group in found.values()
        for entry in group
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_statements_that_sam_writes_have_the_expected_violations(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Principals, condition keys and violations are those of the case."""
    assert evaluated(statements(case.resources, monkeypatch)) == set(case.statements), case.why


@pytest.mark.parametrize("name", ["alias", "url-of-an-alias"])
def test_the_statements_of_a_function_with_an_alias_belong_to_the_alias(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function's own policy has none of them."""
    (case,) = [case for case in CASES if case.name == name]
    assert set(statements(case.resources, monkeypatch)) == {"Fn:live"}


def test_there_is_a_case_for_each_event_type_for_which_sam_writes_a_statement() -> None:
    """A new event type of SAM needs a case here."""
    resolver = sam_resources.SamFunction.event_resolver
    kinds = {name: kind for name, kind in resolver.resource_types.items() if name}  # base classes have none
    assert set(kinds) - PULLED == {case.about for case in CASES} & set(kinds)
    pushed = {name for name, kind in kinds.items() if issubclass(kind, PushEventSource)}
    assert subclasses(PushEventSource) == pushed
    assert not pushed & PULLED


def subclasses(kind: type[Any]) -> set[str]:
    """Return the event types of the subclasses of a class, recursively."""
    return {name for child in kind.__subclasses__() for name in (child.resource_type, *subclasses(child))}


def test_there_is_a_case_for_each_resource_type_for_which_sam_writes_a_statement() -> None:
    """A new resource type of SAM needs a case here, or an entry in `WITHOUT_STATEMENTS`."""
    kinds = (str(getattr(kind, "resource_type", "")) for kind in vars(sam_resources).values())
    macros = {kind for kind in kinds if kind.startswith("AWS::Serverless::")}
    covered = {"AWS::Serverless::Function", "AWS::Serverless::Connector", *(case.about for case in CASES)}
    assert macros - covered == set(WITHOUT_STATEMENTS)


def test_there_is_a_case_for_each_resource_that_a_connector_allows_to_invoke_a_function() -> None:
    """SAM's table of connectors contains the kinds that write a permission."""
    kinds = {
        source
        for source, destinations in profile.PROFILE["Permissions"].items()
        for entry in destinations.values()
        if entry["Type"] == "AWS_LAMBDA_PERMISSION"
    }
    assert kinds == {case.about for case in CASES if case.name.startswith("connector-")}


def test_cases_have_names_of_their_own_and_a_reason() -> None:
    """A duplicate name would hide a case."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.why.endswith(".") for case in CASES)
