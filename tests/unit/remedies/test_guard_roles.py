"""The guard of the remedies for execution roles: code declares what commands write, and no remedy undoes another."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import hcl2
import pytest

from tests.fakes import ACCOUNT, REGION
from tests.unit.remedies import role_snippets
from tests.unit.remedies.account import Account
from tests.unit.remedies.snippets import decided, uncommented
from tests.unit.remedies.test_guard import FAILING, applied, case_of, findings, name_of, of_kind, ways

if TYPE_CHECKING:
    from pathlib import Path

    from permission_guard.model.verdicts import Verdict

ROLES = [path for path in FAILING if path.parent.name.startswith("PG2")]
WAY_BACK = "# The way back:\n"


def written(case: dict[str, Any], verdict: Verdict) -> set[role_snippets.Fact]:
    """Return what the commands of a finding add to the roles."""
    (texts,) = ways(of_kind(verdict, "aws-cli"))
    return role_snippets.written(case.get("roles", []), applied(case, texts).case["roles"])


@pytest.mark.parametrize("path", ROLES, ids=name_of)
def test_infrastructure_code_declares_what_the_commands_write_to_roles(path: Path) -> None:
    """Terraform the same policies, and the AWS CDK the same or the grants that include them."""
    case, own, _ = case_of(path)
    for verdict in own.values():
        for remedy in of_kind(verdict, "terraform"):
            (text,) = decided(remedy)
            hcl2.loads(f"{text}\n")
            assert role_snippets.in_terraform(text) == written(case, verdict)
        for remedy in of_kind(verdict, "cdk"):
            (text,) = decided(remedy)
            facts = written(case, verdict)
            assert role_snippets.attached_in_cdk(text) == {fact for fact in facts if fact[0] == "attached"}
            if "new iam.Role(" in text:
                assert role_snippets.new_in_cdk(text) == {fact for fact in facts if fact[0] != "attached"}
                continue
            stated, granted = role_snippets.granted_in_cdk(text)
            wanted = set(role_snippets.pairs(facts))
            assert stated <= wanted <= stated | granted
            assert {arn for _, arn in granted} <= {arn for _, arn in wanted}


@pytest.mark.parametrize("path", ROLES, ids=name_of)
def test_each_way_to_write_a_role_has_its_form_in_infrastructure_code(path: Path) -> None:
    """A command without it would be undone by the next deployment."""
    case, own, _ = case_of(path)
    for verdict in own.values():
        commands = of_kind(verdict, "aws-cli")
        if any(map(decided, commands)) and written(case, verdict):
            assert of_kind(verdict, "terraform")


@pytest.mark.parametrize("path", ROLES, ids=name_of)
def test_the_remedies_of_several_findings_do_not_undo_each_other(path: Path) -> None:
    """In any order. What needs a decision or several steps is not pasted together with others."""
    case, _, _ = case_of(path)
    found = {
        finding: remedies[0].text
        for finding, verdict in findings(case).items()
        if finding[0].startswith("PG2") and len(remedies := of_kind(verdict, "aws-cli")) == 1
        if not remedies[0].needs_decision
    }
    for order in list(permutations(found))[:6]:
        account = Account(case, REGION, ACCOUNT)
        for text in dict.fromkeys(found[finding] for finding in order):  # two findings can have one remedy
            account.paste(text)
        assert found.keys() & findings(account.case).keys() == set(), order


@pytest.mark.parametrize("path", [path for path in ROLES if path.parent.name == "PG210"], ids=name_of)
def test_the_way_back_restores_all_policies(path: Path) -> None:
    """What was allowed before it stays."""
    case, own, _ = case_of(path)
    for verdict in own.values():
        _, allow, remove = of_kind(verdict, "aws-cli")
        account = applied(case, [*decided(allow), remove.text])
        account.paste(uncommented(remove.text.partition(WAY_BACK)[2]))
        for before, after in zip(case["roles"], account.case["roles"], strict=True):
            assert before.get("AttachedPolicies", {}).keys() == after.get("AttachedPolicies", {}).keys()
            assert before.get("RolePolicies", {}).items() <= after.get("RolePolicies", {}).items()


def test_each_remedy_says_what_else_changes() -> None:
    """A statement to paste changes only the policy that a person pastes it into."""
    for path in ROLES:
        for verdict in case_of(path)[1].values():
            silent = [remedy.kind for remedy in verdict.remedies if not remedy.changes]
            assert set(silent) <= {"policy-statement"}, name_of(path)
