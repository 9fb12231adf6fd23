"""The cases of other projects, evaluated with this engine: one translation for each suite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from permission_guard.iam import (
    ABSENT,
    UNKNOWN,
    Context,
    EvalDecision,
    PolicySet,
    Principal,
    Request,
    TrustSet,
    evaluate,
    exposure,
    parse_policy,
)
from permission_guard.iam.arn import account_of
from permission_guard.iam.restrictions import Restriction
from tests.conformance.material import ORACLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.iam import Exposure, Policy

OWN = "123456789012"
JSON = Any


class Comparison(NamedTuple):
    """A case of a suite: its name, the suite's result, and the engine's; None if the engine does not evaluate it."""

    name: str
    theirs: object
    ours: object


def load(name: str) -> JSON:
    """Return a suite."""
    return json.loads((ORACLES / name).read_text())


def aws_documentation() -> Iterator[Comparison]:
    """The tables of the IAM User Guide: whether a condition matches a context."""
    role = Principal.role(f"arn:aws:iam::{OWN}:role/r")
    for number, row in enumerate(load("aws_docs_conditions.json")):
        document = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": row["condition"]},
        }
        request = Request(role, "s3:GetObject", "arn:aws:s3:::b/k", Context(row["context"], default=ABSENT))
        decision = evaluate(request, PolicySet(identity=(parse_policy(document),)))
        yield Comparison(str(number), row["match"], decision.decision is EvalDecision.ALLOWED)


def _level(found: Exposure) -> str:
    holds = {
        Restriction.FOREIGN if item.kind == "Federated" and item.restriction is Restriction.OPEN else item.restriction
        for statement in found.statements
        if not statement.closed_by and not statement.malformed
        for item in statement.principals
    }
    if Restriction.OPEN in holds:
        return "public"
    return "shared" if holds & {Restriction.WEAK, Restriction.FOREIGN} else "private"


def steampipe() -> Iterator[Comparison]:
    """The access level of a resource policy: public, shared or private."""
    for case in load("steampipe_resource_policy.json"):
        trust = TrustSet(frozenset({case["account"]}))
        found = exposure(parse_policy(case["policy"]), trust)
        yield Comparison(case["id"], case["expected"]["AccessLevel"], _level(found))


def _holds(statement: JSON, trusted: frozenset[str], organizations: frozenset[str] = frozenset()) -> set[Restriction]:
    whole = {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*", **statement}
    policy = parse_policy({"Version": "2012-10-17", "Statement": whole})
    found = exposure(policy, TrustSet(trusted, organizations))
    return {item.restriction for part in found.statements for item in part.principals}


def prowler() -> Iterator[Comparison]:
    """Whether a policy is public, and whether a condition block is restrictive."""
    for number, case in enumerate(load("prowler_recorded.json")):
        name = f"{case['test']}#{number}"
        args = case["args"]
        ours: object = None
        if case["fn"] in {"is_condition_block_restrictive", "is_condition_block_restrictive_organization"}:
            own = frozenset({args.get("source_account") or OWN})
            holds = _holds({"Condition": args["condition_statement"]}, own)
            foreign_is_allowed = args.get("is_cross_account_allowed", True)
            ours = not holds & (
                {Restriction.OPEN} if foreign_is_allowed else {Restriction.OPEN, Restriction.FOREIGN, Restriction.WEAK}
            )
        elif case["fn"] == "has_restrictive_source_arn_condition":
            own = frozenset({args["source_account"] or OWN})
            holds = _holds({"Condition": args["statement"].get("Condition", {})}, own)
            ours = not holds & {Restriction.OPEN, Restriction.FOREIGN if args["source_account"] else Restriction.OPEN}
        elif case["fn"] == "has_public_principal":
            statement = {"Effect": "Allow", "Action": "*", "Resource": "*", **args["statement"]}
            found = exposure(parse_policy({"Statement": statement}), TrustSet(frozenset({OWN})))
            ours = bool(found.config_rule_public)
        elif case["fn"] == "is_policy_public":
            ours = _is_public_for_prowler(args)
        yield Comparison(name, case["result"], ours)


def _is_public_for_prowler(args: JSON) -> bool:
    trusted = frozenset({args["source_account"], *(args["trusted_account_ids"] or ())})
    found = exposure(parse_policy(args["policy"]), TrustSet(trusted))
    wanted = {Restriction.OPEN} if args["is_cross_account_allowed"] else {Restriction.OPEN, Restriction.FOREIGN}
    return any(
        item.restriction in wanted and (item.kind != "Service" or args["check_cross_service_confused_deputy"])
        for statement in found.statements
        for item in statement.principals
    )


def policyuniverse() -> Iterator[Comparison]:
    """Whether a statement, its condition, or a policy is accessible from the internet."""
    for number, case in enumerate(load("policyuniverse_recorded.json")):
        name = f"{case['test'].rpartition('::')[2]}#{number}"
        document = case["input"]
        ours: object = None
        if not isinstance(document, dict):  # the recording contains the name of a class instead of the policy
            yield Comparison(name, case["result"], None)
            continue
        if case["fn"] == "Policy.is_internet_accessible":
            ours = exposure(parse_policy(document), TrustSet(frozenset({OWN}))).public
        elif case["fn"] == "Statement.is_internet_accessible":
            policy = parse_policy({"Version": "2012-10-17", "Statement": document})
            ours = exposure(policy, TrustSet(frozenset({OWN}))).public
        elif case["fn"] == "Statement.is_condition_internet_accessible":
            ours = Restriction.OPEN in _holds({"Condition": document.get("Condition", {})}, frozenset({OWN}))
        yield Comparison(name, case["result"], ours)


def cloud_custodian() -> Iterator[Comparison]:
    """Whether a policy allows anyone except the allowed accounts and organizations."""
    for number, case in enumerate(load("c7n_cross_account.json")):
        config = case["config"]
        trust = TrustSet(frozenset(config.get("allowed_accounts", ())), frozenset(config.get("allowed_orgid", ())))
        found = exposure(parse_policy(case["policy"]), trust)
        bad = (
            {Restriction.OPEN}
            if config.get("everyone_only")
            else {Restriction.OPEN, Restriction.FOREIGN, Restriction.WEAK}
        )
        ours = any(
            item.restriction in bad and item.kind != "Service" and item.value not in trust.accounts
            for statement in found.statements
            for item in statement.principals
        )
        is_evaluated = "return_allowed" not in config
        yield Comparison(f"{case['test']}#{number}", case["violation"], ours if is_evaluated else None)


def cartography() -> Iterator[Comparison]:
    """Whether a statement matches, and the result of statements for an action on a resource."""
    names = {"action": "Action", "notaction": "NotAction", "resource": "Resource", "notresource": "NotResource"}
    role = Principal.role(f"arn:aws:iam::{OWN}:role/r")
    for number, case in enumerate(load("cartography_recorded.json")):
        ours: object = None
        if case["fn"] == "evaluate_policy_for_permissions":
            statements, actions, resource = case["args"]
            documents = [
                {"Effect": item["effect"], **{names[key]: value for key, value in item.items() if key in names}}
                for item in statements
            ]
            policies = PolicySet(identity=(parse_policy({"Statement": documents}),))
            decisions = [
                evaluate(Request(role, action, resource, Context(default=ABSENT)), policies).decision
                for action in actions
            ]
            ours = [EvalDecision.ALLOWED in decisions, EvalDecision.EXPLICIT_DENY in decisions]
        elif case["fn"] == "principal_allowed_on_resource":
            policies_by_name, resource, actions = case["args"]
            identity = tuple(
                parse_policy(
                    {
                        "Statement": [
                            {"Effect": item["effect"], **{names[key]: item[key] for key in item if key in names}}
                            for item in statements
                        ]
                    }
                )
                for statements in policies_by_name.values()
            )
            ours = any(
                evaluate(Request(role, action, resource, Context(default=ABSENT)), PolicySet(identity=identity)).allowed
                for action in actions
            )
        yield Comparison(f"{case['test']}#{number}", case["result"], ours)


def iamspy() -> Iterator[Comparison]:
    """Whether a principal in an account's authorization details is allowed to do something."""
    suite = load("iamspy.json")
    for number, case in enumerate(suite["cases"]):
        inputs, query, theirs = case["value"]
        arn, action, resource, *rest = query
        account = account_of(arn) or ""
        keys = dict(item.split("=", 1) for item in (rest[0] if rest else None) or ())
        strict = len(rest) > 2 and rest[2]
        entity = _entity([suite["files"][name] for name in inputs["gaads"]], arn)
        context = Context(keys, default=ABSENT if strict else UNKNOWN)
        request = Request(Principal.from_arn(arn), action, resource, context)
        policies = PolicySet(
            identity=entity[0],
            boundary=entity[1],
            scps=[level for name in inputs.get("scps", ()) for level in _scps(suite["files"][name], account)],
            management_account=any(
                account_of(suite["files"][name]["Arn"]) == account for name in inputs.get("scps", ())
            ),
            resource=next(
                (
                    parse_policy(_resource_policy(suite["files"][name], resource))
                    for name in inputs.get("resources", ())
                ),
                None,
            ),
        )
        decision = evaluate(request, policies)
        yield Comparison(str(number), theirs, not decision.denied if not strict else decision.allowed)


def _entity(details: list[JSON], arn: str) -> JSON:
    for detail in details:
        managed = {
            item["Arn"]: version["Document"]
            for item in detail.get("Policies", ())
            for version in item["PolicyVersionList"]
            if version["IsDefaultVersion"]
        }
        for item in [*detail["RoleDetailList"], *detail["UserDetailList"]]:
            if item["Arn"] == arn:
                inline = item.get("RolePolicyList", []) + item.get("UserPolicyList", [])
                documents = [part["PolicyDocument"] for part in inline]
                documents += [managed[part["PolicyArn"]] for part in item["AttachedManagedPolicies"]]
                limit = item.get("PermissionsBoundary")
                boundary = parse_policy(managed[limit["PermissionsBoundaryArn"]]) if limit else None
                return tuple(parse_policy(part) for part in documents), boundary
    return (), None


def _scps(node: JSON, account: str) -> list[list[Policy]]:
    """Return the levels from a node of the organization's tree down to an account; none if it is not below the node."""
    own = [parse_policy(item["Content"]) for item in node["Policies"]]
    if node["Id"] == account:
        return [own]
    for child in node.get("Children", ()):
        below = _scps(child, account)
        if below:
            return [own, *below]
    return []


def _resource_policy(value: JSON, resource: str) -> JSON:
    if isinstance(value, list):
        return next(item["Policy"] for item in value if item["Resource"] == resource)
    return value


def iam_rs() -> Iterator[Comparison]:
    """Whether a policy allows a request."""
    for case in load("iam_rs.json")["requests"]:
        given = case["request"]
        request = Request(
            Principal.from_arn(given["Principal"]["AWS"]),
            given["Action"],
            given["Resource"],
            Context(given["Context"], default=ABSENT),
        )
        decision = evaluate(request, PolicySet(identity=(parse_policy(case["policy"]),)))
        yield Comparison(case["id"], case["result"] == "Allow", decision.allowed)


SUITES = {
    "aws_documentation": aws_documentation,
    "steampipe": steampipe,
    "prowler": prowler,
    "policyuniverse": policyuniverse,
    "cloud_custodian": cloud_custodian,
    "cartography": cartography,
    "iamspy": iamspy,
    "iam_rs": iam_rs,
}
