"""What a tool outside CloudFormation manages is not fixed: the refusal shows that tool's remedy first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from permission_guard.config.document import Fixes, GuardConfig, ManagedElsewhere, ManagingTool
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.formats.plain import text
from permission_guard.findings.callers import Caller
from permission_guard.findings.checkpoint import Checkpoint
from permission_guard.model.findings import FixResult
from permission_guard.model.state import ManagedBy
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Remedy
from tests.fakes import ROLE_ARN, TARGET, InMemoryFindings, InMemoryState, a_finding, a_role, allow, polling
from tests.unit.fixes.test_fixer import BROKEN, Setup

REMEDIES = tuple(Remedy(kind, f"the {kind} remedy") for kind in ("aws-cli", "sam", "cdk", "terraform"))
ROLES = GuardConfig(
    fixes=Fixes(managed_elsewhere=(ManagedElsewhere(tool=ManagingTool.TERRAFORM, roles=("orders-*",)),))
)
TAGS = GuardConfig(
    fixes=Fixes(managed_elsewhere=(ManagedElsewhere(tool=ManagingTool.CDK, tags={"managed-by": "cdk"}),))
)


def a_setup(
    config: GuardConfig | None = None, callers: tuple[Caller, ...] = (), state: InMemoryState | None = None
) -> Setup:
    """Return a fixer in the mode `auto`, and an open finding with remedies of every kind."""
    store = InMemoryFindings()
    store.put(a_finding(remedies=REMEDIES))
    store.checkpoints[TARGET.arn, Direction.EXECUTION_ROLE] = Checkpoint(callers=callers).to_json()
    return Setup(
        mode=FixMode.AUTO,
        auto_fix=AutoFix.GRANT,
        config=config or GuardConfig(),
        store=store,
        state=state or InMemoryState(BROKEN),
    )


def test_a_role_that_a_pattern_names_is_refused_with_the_remedy_of_its_tool_first() -> None:
    """The message says which tool manages the role, and what to change there."""
    setup = a_setup(ROLES)
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert outcome.summary == (
        f"{ROLE_ARN} is managed by Terraform, as fixes.managed_elsewhere[0] says: change its configuration."
    )
    assert not setup.state.attached
    finding = setup.store.one()
    assert finding.managed_by == ManagedBy("terraform", role="orders-role", is_configured=True)
    assert [remedy.kind for remedy in finding.remedies] == ["terraform", "aws-cli", "sam", "cdk"]
    assert "Terraform manages the role orders-role. Make the fix there" in text(compose(finding))


def test_default_tags_of_a_role_are_recognized() -> None:
    """A tag that the configuration names, on the role alone."""
    tagged = polling(a_role(allow("logs:*"), tags={"managed-by": "cdk"}))
    setup = a_setup(TAGS, state=InMemoryState(tagged))
    assert setup.handle().result is FixResult.REFUSED
    assert setup.store.one().remedies[0].kind == "cdk"


@pytest.mark.parametrize("mode", [FixMode.PLAN, FixMode.APPROVE, FixMode.AUTO])
def test_a_role_that_terraform_changed_is_refused_in_every_mode(mode: FixMode) -> None:
    """The caller of a change of the role is remembered by the checks of its function."""
    setup = replace(a_setup(callers=(Caller("", "terraform", "2026-11-19"),)), mode=mode)
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert "Terraform changed" in outcome.summary
    assert "on 2026-11-19" in outcome.summary
    assert setup.store.one().remedies[0].kind == "terraform"


def test_a_checkpoint_that_cannot_be_read_refuses() -> None:
    """Who changes the role is then unknown."""
    setup = a_setup()
    setup.store.checkpoints[TARGET.arn, Direction.EXECUTION_ROLE] = "{"
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert "Unknown who changes" in outcome.summary


def test_without_any_sign_of_a_tool_the_fix_is_applied() -> None:
    """People at the console have no tool, and other roles match no pattern."""
    setup = a_setup(TAGS, callers=(Caller("arn:aws:iam::123456789012:user/jane", "", "2026-11-19"),))
    assert setup.handle().result is FixResult.APPLIED
