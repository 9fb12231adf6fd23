"""Reads the case tables of this repository, and evaluates their cases with the engine."""

from __future__ import annotations

import json
from typing import Any

from permission_guard.iam import (
    ABSENT,
    UNKNOWN,
    Context,
    Decision,
    Exposure,
    LambdaCall,
    PolicySet,
    Principal,
    Request,
    TrustSet,
    evaluate,
    execution_role_context,
    exposure,
    parse_policy,
)
from permission_guard.invokers import never_sent
from tests.paths import CASES

Case = dict[str, Any]

FOLDER = CASES / "iam"
ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/orders"


def load(name: str) -> list[Case]:
    """Return the cases of a table."""
    cases: list[Case] = json.loads((FOLDER / f"{name}.json").read_text())
    return cases


def policies_of(case: Case) -> PolicySet:
    """Return the policies of a case. Each policy is named after its kind."""
    given = dict(case["policies"])
    for kind in ("identity", "scps", "rcps"):
        given[kind] = [
            [parse_policy(item) for item in entry] if isinstance(entry, list) else parse_policy(entry, name=kind)
            for entry in given.get(kind, ())
        ]
    for kind in ("boundary", "session", "resource"):
        if kind in given:
            given[kind] = parse_policy(given[kind], name=kind)
    if "unread" in given:
        given["unread"] = tuple(given["unread"])
    return PolicySet(**given)


def decide(case: Case) -> Decision:
    """Evaluate a case of the identity table."""
    request = case["request"]
    context = Context(
        request.get("context", {}),
        absent=request.get("absent", ()),
        unknown=request.get("unknown", ()),
        default=UNKNOWN if request["default"] == "unknown" else ABSENT,
    )
    principal = Principal.from_arn(request["principal"])
    return evaluate(Request(principal, request["action"], request["resource"], context), policies_of(case))


def decide_for_lambda(case: Case) -> Decision:
    """Evaluate a case of the execution context table."""
    context = execution_role_context(
        LambdaCall(case["call"]), role_arn=ROLE, account=ACCOUNT, region=REGION, **case["context"]
    )
    request = case["request"]
    return evaluate(Request(Principal.role(ROLE), request["action"], request["resource"], context), policies_of(case))


def expose(case: Case) -> Exposure:
    """Evaluate a case of the exposure table. Its policy is a document or a list of statements."""
    policy = case["policy"]
    if isinstance(policy, list):
        policy = {"Version": "2012-10-17", "Statement": policy}
    trust = case.get("trust", {})
    accounts = frozenset(trust.get("accounts", [ACCOUNT]))
    return exposure(parse_policy(policy), TrustSet(accounts, frozenset(trust.get("organizations", ()))), never_sent)


def seen_of(found: Exposure, wanted: Case) -> Case:
    """Return those attributes that a case expects: of the whole policy, or of its first Allow."""
    seen: Case = {}
    for name in wanted:
        owner: object = found if name in {"effectively_open", "config_rule_public", "unknown"} else found.statements[0]
        value = getattr(owner, name)
        seen[name] = sorted(value) if isinstance(value, (tuple, frozenset)) else value
        if name in {"unknown", "never_reason"}:
            seen[name] = bool(value)
    return seen
