"""What every remedy of every case keeps: sources that are certainly meant to invoke, and a way back from what it takes.

A source is certain if a statement names it exactly, in this account or a trusted one, and no rule reports that it is
deleted, that the service never sends it, or that it is not trusted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from permission_guard.iam import Context, PolicySet, Principal, Request, evaluate, parse_policy
from permission_guard.iam.arn import is_account_id, parse_arn
from permission_guard.records import record
from tests.fakes import ACCOUNT, FUNCTION_ARN, REGION
from tests.unit.remedies.account import Account, document_of
from tests.unit.remedies.snippets import uncommented
from tests.unit.remedies.test_guard import (
    FAILING,
    applied,
    case_of,
    findings,
    listed,
    name_of,
    of_kind,
    ways,
    written_statements,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from permission_guard.model.verdicts import Verdict

INVOKE_FAILING: Final = [path for path in FAILING if path.parent.name.startswith("PG1")]
TAKES_RIGHTS: Final = ("PG101", "PG106", "PG109")
_BACK: Final = re.compile(r"^# The way back:\n((?:#.*\n?)+)", re.MULTILINE)


@record
class Call:
    """A call of a service for a source; `account` is None if the service sends none."""

    service: str
    action: str
    resource: str
    source: str
    account: str | None

    def is_allowed(self, case: dict[str, Any]) -> bool:
        """Return whether the policy of the function, version or alias certainly allows the call."""
        context = Context({"aws:SourceArn": self.source, "aws:SourceAccount": self.account})
        request = Request(Principal.service(self.service), self.action, self.resource, context)
        return any(
            evaluate(request, PolicySet(resource=parse_policy(document))).allowed
            for arn, document in policies_of(case)
            if arn == self.resource
        )


def policies_of(case: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the ARN of what each policy is for, and the policy."""
    for reply in case.get("policies", []):
        qualifier = f":{reply['Qualifier']}" if reply.get("Qualifier") else ""
        if "Policy" in reply:
            yield f"{FUNCTION_ARN}{qualifier}", document_of(reply["Policy"])


def certain_calls(case: dict[str, Any]) -> Iterator[Call]:
    """Yield the calls that the statements of a case allow for certain sources."""
    trusted = {ACCOUNT, *case.get("trust", {}).get("accounts", ())}
    reported = findings(case)
    for arn, document in policies_of(case):
        for statement in listed(document.get("Statement", [])) if isinstance(document, dict) else ():
            verdicts = [
                verdict
                for (rule, function, subject), verdict in reported.items()
                if rule in {"PG105", "PG106", "PG110"}
                if (function, subject) == (arn, f"statement/{statement.get('Sid')}")
            ]
            for call in calls_of(statement, arn, own_buckets(case)):
                parsed = parse_arn(call.source)
                owner = (parsed.account if parsed else "") or call.account or ""
                if owner in trusted and not any(is_about(verdict, call, owner) for verdict in verdicts):
                    yield call


def calls_of(statement: Any, arn: str, buckets: set[str]) -> Iterator[Call]:
    """Yield the calls for each source that a statement names exactly."""
    if not isinstance(statement, dict) or statement.get("Effect") != "Allow":
        return
    principal = statement.get("Principal")
    services = listed(principal.get("Service", [])) if isinstance(principal, dict) else []
    named = {key: values_of(statement, key) for key in ("aws:sourcearn", "aws:sourceaccount")}
    for source in named["aws:sourcearn"]:
        if re.search(r"[*?$]", source) or parse_arn(source) is None:
            continue
        own = parse_arn(source)
        accounts = {own.account} if own and own.account else {ACCOUNT} if source in buckets else set()
        for account in {*named["aws:sourceaccount"], *accounts}:
            if is_account_id(account):
                for service in services:
                    yield Call(service, "lambda:InvokeFunction", arn, source, account)
                    if service == "events.amazonaws.com":
                        yield Call(service, "lambda:InvokeFunction", arn, source, None)


def values_of(statement: dict[str, Any], name: str) -> list[str]:
    """Return the values of a key in the conditions of a statement that are not negated."""
    condition = statement.get("Condition")
    return [
        str(value)
        for operator, keys in (condition.items() if isinstance(condition, dict) else ())
        if isinstance(keys, dict) and "not" not in operator.lower()
        for key, values in keys.items()
        if key.lower() == name
        for value in listed(values)
    ]


def own_buckets(case: dict[str, Any]) -> set[str]:
    """Return the ARNs of this account's buckets."""
    sources = case.get("inventories", {}).get("s3", {}).get("sources", [])
    return set(sources) if isinstance(sources, list) else set()


def is_about(verdict: Verdict, call: Call, owner: str) -> bool:
    """Return whether a finding says that the call's source is deleted, never sent or not trusted."""
    evidence = verdict.evidence
    return (
        call.source.startswith(tuple(evidence.get("sources", ())))
        or (verdict.rule_id == "PG105" and call.service in evidence["principals"])
        or (verdict.rule_id == "PG106" and owner in evidence["accounts"])
    )


@pytest.mark.parametrize("path", INVOKE_FAILING, ids=name_of)
def test_certain_sources_stay_allowed(path: Path) -> None:
    """Whatever the person decides."""
    case, own, _ = case_of(path)
    calls = [call for call in dict.fromkeys(certain_calls(case)) if call.is_allowed(case)]
    for verdict in own.values():
        for texts in ways(of_kind(verdict, "aws-cli")):
            after = applied(case, texts).case
            assert [call for call in calls if not call.is_allowed(after)] == [], texts


def test_many_cases_have_certain_sources() -> None:
    """Otherwise the test above would prove nothing."""
    cases = [case_of(path)[0] for path in INVOKE_FAILING]
    allowed = [case for case in cases if any(call.is_allowed(case) for call in certain_calls(case))]
    assert len(allowed) >= 15


@pytest.mark.parametrize("path", INVOKE_FAILING, ids=name_of)
def test_the_other_statements_stay_as_they_are(path: Path) -> None:
    """Only PG107 changes several statements: all that make a URL public."""
    case, own, _ = case_of(path)
    for verdict in own.values():
        if "statement" not in verdict.evidence or verdict.rule_id == "PG107":
            continue
        raw = verdict.evidence["statement"]
        others = [(arn, each) for arn, each in statements_in(case) if (arn, each) != (verdict.function_arn, raw)]
        for texts in ways(of_kind(verdict, "aws-cli")):
            after = list(statements_in(applied(case, texts).case))
            assert [each for each in others if each not in after] == [], texts


def statements_in(case: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each statement, with the ARN of what its policy is for."""
    for arn, document in policies_of(case):
        for statement in listed(document.get("Statement", [])) if isinstance(document, dict) else ():
            yield arn, statement


@pytest.mark.parametrize("path", [path for path in INVOKE_FAILING if path.parent.name in TAKES_RIGHTS], ids=name_of)
def test_rights_are_taken_away_in_two_steps_with_a_way_back(path: Path) -> None:
    """The first step only reads. The way back, pasted at the end, allows everything again."""
    case, own, _ = case_of(path)
    before = dict(policies_of(case))
    for verdict in own.values():
        save, take = of_kind(verdict, "aws-cli")
        assert (save.step[:11], take.step[:11]) == ("step 1 of 2", "step 2 of 2")
        account = Account(case, REGION, ACCOUNT)
        account.paste(save.text)
        assert dict(policies_of(account.case)) == before
        account.paste(take.text)
        assert dict(policies_of(account.case)) != before
        (back,) = _BACK.findall(take.text)
        account.paste(uncommented(back))
        assert own.keys() <= findings(account.case, path.parent.name).keys()
        taken = {key: value for key, value in verdict.evidence["statement"].items() if key != "Sid"}
        others = [statement for statement in written_statements(case) if statement != taken]
        assert all(statement in written_statements(account.case) for statement in others)


@pytest.mark.parametrize("rule_id", sorted({path.parent.name for path in INVOKE_FAILING}))
def test_no_remedy_requires_the_account_of_a_rule_of_eventbridge(rule_id: str) -> None:
    """AWS's guide says that the condition prevents EventBridge from invoking. The ARN of the rule restricts it."""
    for path in (path for path in INVOKE_FAILING if path.parent.name == rule_id):
        case, own, _ = case_of(path)
        before = by_eventbridge(case)
        for texts in (texts for verdict in own.values() for texts in ways(of_kind(verdict, "aws-cli"))):
            for statement in by_eventbridge(applied(case, texts).case):
                assert statement in before or not values_of(statement, "aws:sourceaccount"), (name_of(path), texts)


def by_eventbridge(case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements for EventBridge alone, without their Sids."""
    wanted = ({"Service": "events.amazonaws.com"}, {"Service": ["events.amazonaws.com"]})
    return [statement for statement in written_statements(case) if statement.get("Principal") in wanted]
