"""Every remedy of every case, applied to the case's state: the finding is gone, and no remedy contradicts another.

The commands run against an account in memory. The snippets for SAM, the AWS CDK and Terraform are compared with what
the commands wrote. Where a person must decide, the text changes nothing as it is, and each decision is applied.
"""

from __future__ import annotations

import json
import re
import shlex
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import hcl2
import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.rules import RULES
from tests.fakes import ACCOUNT, REGION
from tests.rule_cases import RULE_CASES, snapshot_of, trust_of
from tests.unit.remedies.account import Account, document_of, statement_of
from tests.unit.remedies.snippets import (
    cdk_permissions,
    decided,
    sam_permissions,
    terraform_blocks,
    terraform_permissions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from permission_guard.model.verdicts import Remedy, Verdict

FAILING = [path for path in RULE_CASES if path.name.split(".")[-2] == "fail"]
Finding = tuple[str, str, str]
TRUSTED = re.compile(r"^# Add (\d{12}) to trust\.accounts in guard\.yaml", re.MULTILINE)


def name_of(path: Path) -> str:
    """Return the id of a case."""
    return f"{path.parent.name}-{path.stem}"


def findings(case: dict[str, Any], rule_id: str = "") -> dict[Finding, Verdict]:
    """Return the violations of all rules, or of one."""
    rules = [rule(trust_of(case)) for rule in RULES if rule_id in {"", rule.id}]
    found = evaluate(snapshot_of(case), rules).violations
    return {(verdict.rule_id, verdict.function_arn, verdict.subject or ""): verdict for verdict in found}


@cache
def case_of(path: Path) -> tuple[dict[str, Any], dict[Finding, Verdict], frozenset[Finding]]:
    """Return a case, the findings of its rule, and those of all rules."""
    case = json.loads(path.read_text())
    return case, findings(case, path.parent.name), frozenset(findings(case))


def of_kind(verdict: Verdict, kind: str) -> list[Remedy]:
    """Return the remedies of one kind, the steps in order."""
    return [remedy for remedy in verdict.remedies if remedy.kind == kind]


def ways(steps: list[Remedy]) -> Iterator[list[str]]:
    """Yield the texts of all steps, once for each choice."""
    texts = [decided(step) for step in steps]
    for number in range(max(map(len, texts), default=0)):
        yield [each[min(number, len(each) - 1)] for each in texts if each]


def applied(case: dict[str, Any], texts: list[str]) -> Account:
    """Return the account in which a person pasted all texts."""
    account = Account(with_sources(case, texts), REGION, ACCOUNT)
    for text in texts:
        account.paste(text)
    return account


def with_sources(case: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """Return a case in which the sources exist that a person filled in."""
    case = deepcopy(case)
    words = {word for text in texts for word in shlex.split(text, comments=True)}
    for inventory in case.get("inventories", {}).values():
        if isinstance(inventory.get("sources"), list):
            service = next(iter(inventory["sources"]), ":::").split(":")[2]
            inventory["sources"] += [
                word for word in words if word.startswith(f"arn:aws:{service}:") and "sample" in word
            ]
            inventory["sources"] += [word for word in words if "acme-uploads" in word and service == "s3"]
    return case


@pytest.mark.parametrize("path", FAILING, ids=name_of)
def test_the_commands_correct_the_finding_and_cause_no_other(path: Path) -> None:
    """Whatever the person decides."""
    case, own, before = case_of(path)
    for finding, verdict in own.items():
        for texts in ways(of_kind(verdict, "aws-cli")):
            after = findings(with_trust(applied(case, texts).case, texts))
            assert finding not in after, texts
            new = {key: after[key].reason for key in after.keys() - before if not is_chosen(key, verdict, texts)}
            assert new == {}, texts


def is_chosen(new: Finding, verdict: Verdict, texts: list[str]) -> bool:
    """Return whether a finding is what its owner chose: PG112 offers to publish a URL, and PG107 reports public URLs.

    The owner sees it there, and can accept the risk. No other remedy may cause it.
    """
    publishes = [text for text in texts if text.startswith("aws lambda add-permission") and "--principal '*'" in text]
    return (verdict.rule_id, new[0]) == ("PG112", "PG107") and texts == publishes


def with_trust(case: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """Return a case in which the accounts are trusted that a person was told to trust."""
    accounts = [match[1] for text in texts for match in TRUSTED.finditer(text)]
    trust = case.get("trust", {})
    return case | {"trust": trust | {"accounts": [*trust.get("accounts", []), *accounts]}}


@pytest.mark.parametrize("rule_id", sorted({path.parent.name for path in FAILING}))
def test_each_remedy_says_what_else_changes_and_does_nothing_before_a_decision(rule_id: str) -> None:
    """Except the steps and the commands that only read. Not even if everything is pasted."""
    for path in (path for path in FAILING if path.parent.name == rule_id):
        case, own, _ = case_of(path)
        for remedy in (remedy for verdict in own.values() for remedy in verdict.remedies):
            about = f"{name_of(path)}: {remedy.text}"
            assert remedy.changes or remedy.step.startswith("step 1") or decided(remedy) == [], about
            if remedy.needs_decision and remedy.kind == "aws-cli":
                account = Account(case, REGION, ACCOUNT)
                account.paste(remedy.text)
                assert account.case == Account(case, REGION, ACCOUNT).case, about


@pytest.mark.parametrize("path", FAILING, ids=name_of)
def test_infrastructure_code_declares_what_the_commands_write(path: Path) -> None:
    """The same permissions in SAM, the AWS CDK and Terraform, and the same statements as the commands write."""
    case, own, _ = case_of(path)
    for verdict in own.values():
        kinds = {
            kind: [text for each in of_kind(verdict, kind) for text in decided(each)]
            for kind in ("sam", "cdk", "terraform")
        }
        if not kinds["cdk"] or "addPermission" not in kinds["cdk"][0]:
            continue
        in_cdk = [cdk_permissions(text) for text in kinds["cdk"]]
        assert [sam_permissions(text) for text in kinds["sam"]] == in_cdk
        assert [
            terraform_permissions(terraform_blocks(hcl2.loads(f"{text}\n"))) for text in kinds["terraform"]
        ] == in_cdk
        before = written_statements(case)
        texts = ways(of_kind(verdict, "aws-cli"))
        after = [written_statements(applied(case, each).case) for each in texts]
        arn = verdict.function_arn.removesuffix(":$LATEST")  # which has no policy of its own
        wanted = [statement_of(dict(one), arn) for one in in_cdk[-1]]
        assert all(statement in after[-1] for statement in wanted)
        assert all(statement not in before or statement in wanted for statement in wanted)


def written_statements(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of all policies without their Sids."""
    return [
        {key: value for key, value in statement.items() if key != "Sid"}
        for reply in case.get("policies", [])
        for statement in listed(document_of(reply.get("Policy", {})).get("Statement", []))
    ]


def listed(value: Any) -> list[Any]:
    """Return what can be one or several as a list."""
    return value if isinstance(value, list) else [value]
