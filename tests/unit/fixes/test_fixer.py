"""The fixer: it applies what the mode allows once, verifies and records it; in doubt it refuses with the reason."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from permission_guard.config.document import ExceptionEntry, Exclusion, GuardConfig, RuleConfig
from permission_guard.config.settings import AutoFix, FixMode
from permission_guard.errors import (
    ConflictError,
    FixInProgressError,
    FixNotVisibleError,
    RequestRefusedError,
    RetryableError,
    WriteFailedError,
)
from permission_guard.fixes.afterwards import Afterwards
from permission_guard.fixes.decisions import Decision, DecisionKind, DecisionRequest, decide
from permission_guard.fixes.fixer import IN_PROGRESS_SECONDS, VERIFY_AFTER_SECONDS, Fixer
from permission_guard.fixes.own_undo import OwnUndo
from permission_guard.fixes.recorder import LEASE, FixOutcome
from permission_guard.iam import TrustSet
from permission_guard.model.findings import Finding, FixRecord, FixResult, Status, Transition
from permission_guard.model.state import Snapshot
from permission_guard.rules import RULES
from tests.fake_mappings import InMemoryMappings, InMemorySimulator
from tests.fake_metrics import InMemoryMetrics, InMemoryOwnFixes
from tests.fakes import (
    DENIED,
    FINDING_ID,
    FUNCTION_ARN,
    NOW,
    ROLE_ARN,
    SQS_POLICY,
    SQS_POLICY_ARN,
    TARGET,
    THROTTLED,
    Clock,
    InMemoryFindings,
    InMemoryState,
    InMemoryStop,
    a_finding,
    a_mapping,
    a_policy,
    a_role,
    allow,
    polling,
    statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.findings.lifecycle import Change
    from permission_guard.model.state import Role

JANE = "arn:aws:sts::123456789012:assumed-role/platform/jane"
DECIDE_FIX = "arn:aws:lambda:us-east-1:123456789012:function:decide-fix"
BROKEN = polling(a_role(allow("logs:*")))
STREAM_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
TRUST = TrustSet(frozenset())
RULE_OBJECTS = {rule.id: rule(TRUST) for rule in RULES}


@dataclass
class Setup:
    """A fixer with its environment: an open finding, and a role that may not read its queue."""

    mode: FixMode = FixMode.AUTO
    auto_fix: AutoFix = AutoFix.GRANT
    config: GuardConfig = field(default_factory=GuardConfig)
    limit: int = 20
    state: InMemoryState = field(default_factory=lambda: InMemoryState(BROKEN))
    store: InMemoryFindings = field(default_factory=InMemoryFindings)
    stop: InMemoryStop = field(default_factory=InMemoryStop)
    waited: list[float] = field(default_factory=list)
    metrics: InMemoryMetrics = field(default_factory=InMemoryMetrics)
    own_fixes: InMemoryOwnFixes = field(default_factory=InMemoryOwnFixes)
    simulator: InMemorySimulator = field(default_factory=InMemorySimulator)
    is_open: bool = True

    def __post_init__(self) -> None:
        self.mappings = InMemoryMappings(self.state)
        if self.is_open and not self.store.documents:
            self.store.put(a_finding())

    def handle(self, *, finding_id: str = FINDING_ID, **more: Any) -> FixOutcome:
        """Handle the finding."""
        return self.fixer(**more).handle(TARGET, finding_id)

    def decide(self, kind: DecisionKind = DecisionKind.APPROVE, **more: Any) -> Decision:
        """Decide about the current proposal."""
        finding = self.store.one()
        values = {
            "kind": kind,
            "finding_id": finding.id,
            "function_arn": finding.function_arn,
            "revision": finding.revision,
            "plan_hash": fix_of(finding).plan_hash,
            "nonce": "0" * 32,
        }
        return decide(
            DecisionRequest(**{**values, **more}),
            caller=JANE,
            mode=self.mode,
            config=self.config,
            findings=self.store,
            decisions=self.store,
            stop=self.stop,
            now=NOW,
        )

    def fixer(self, **more: Any) -> Fixer:
        """Return the fixer."""
        clock = Clock()
        afterwards = Afterwards(
            config=self.config.fixes,
            mappings=self.mappings,
            writers=self.mappings,
            simulator=self.simulator,
            stop=self.stop,
            clock=clock,
            wait=self.waited.append,
            verify_after=VERIFY_AFTER_SECONDS,
        )
        values: dict[str, Any] = {
            "mode": self.mode,
            "auto_fix": self.auto_fix,
            "max_fixes_an_hour": self.limit,
            "decide_fix_arn": DECIDE_FIX,
            "rules": RULE_OBJECTS,
            "config": self.config,
            "source": self.state,
            "fix_state": self.state,
            "store": self.store,
            "decisions": self.store,
            "quota": self.store,
            "stop": self.stop,
            "writers": self.state,
            "afterwards": afterwards,
            "own_undo": OwnUndo(self.config.fixes.watch_hours, self.metrics, self.own_fixes, more.get("clock", clock)),
            "clock": clock,
            "wait": self.waited.append,
            "token": lambda: uuid4().hex,
        }
        return Fixer(**{**values, **more})

    @property
    def transitions(self) -> list[tuple[str, int]]:
        """Return the published transitions with their revisions, each once."""
        return list(dict.fromkeys((str(finding.transition), finding.revision) for finding in self.store.history))


def fix_of(finding: Finding) -> FixRecord:
    """Return the record of the finding's fix."""
    assert finding.fix is not None
    return finding.fix


# ── Fixing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


EXCEPTION = ExceptionEntry(
    id="known",
    rules=("PG201",),
    functions=("orders",),
    reason="Known.",
    owner="team web",
    expires=datetime.fromisoformat("2026-12-31T00:00:00+00:00"),
)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (GuardConfig(exceptions=(EXCEPTION,)), "the finding is to be suppressed: Known."),
        (
            GuardConfig(exceptions=(replace(EXCEPTION, functions=(), tags={"stage": "dev"}),)),
            "the finding is to be suppressed: Known.",
        ),
        (
            GuardConfig(exclusions=(Exclusion(reason="A test.", functions=("ord*",)),)),
            "the configuration excludes the function: A test.",
        ),
    ],
)
def test_what_the_configuration_exempts_is_not_fixed(config: GuardConfig, reason: str) -> None:
    """Also in the minutes in which the finding is still open."""
    setup = Setup()
    setup.state.state = replace(setup.state.state, tags={"stage": "dev"})
    outcome = setup.handle(config=config)
    assert (outcome.result, outcome.summary) == (None, reason)
    assert setup.state.attached == []
    assert setup.store.one() == a_finding()


def test_in_auto_mode_the_policy_is_attached_verified_and_recorded() -> None:
    """The record has the state before, the state after and the undo command."""
    setup = Setup()
    outcome = setup.handle()
    assert outcome.result is FixResult.APPLIED
    assert setup.state.attached == [("orders-role", SQS_POLICY_ARN)]
    finding = setup.store.one()
    assert finding.fix == outcome.fix_record
    assert fix_of(finding).name == "attach-managed-policy"
    assert fix_of(finding).summary == f"attach {SQS_POLICY_ARN} to {ROLE_ARN}"
    assert fix_of(finding).before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert fix_of(finding).after == {"role_arn": ROLE_ARN, "attached_policies": [SQS_POLICY_ARN]}
    assert fix_of(finding).undo == (
        f"aws iam detach-role-policy --region us-east-1 --role-name orders-role --policy-arn {SQS_POLICY_ARN}"
    )
    assert fix_of(finding).attempts == 1
    assert fix_of(finding).at > NOW
    assert setup.transitions == [("Finding Opened", 1), ("Fix Applied", 2)]


def test_a_fix_does_not_change_the_status() -> None:
    """Only a check resolves a finding."""
    setup = Setup()
    setup.handle()
    assert setup.store.one().status is Status.OPEN


def test_the_change_is_recorded_before_it_is_applied() -> None:
    """The state to restore is known after a crash."""
    setup = Setup()
    seen: list[FixRecord] = []
    attach = setup.state.attach_role_policy

    def attach_role_policy(role_name: str, policy_arn: str) -> None:
        seen.append(fix_of(setup.store.one()))
        attach(role_name, policy_arn)

    setup.state.attach_role_policy = attach_role_policy  # type: ignore[method-assign]
    setup.handle()
    (intent,) = seen
    assert intent.result is FixResult.APPLYING
    assert intent.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert intent.undo.startswith("aws iam detach-role-policy")


def test_the_intent_is_not_published() -> None:
    """The revision does not change, so no event is published before the change is applied."""
    setup = Setup()
    setup.handle()
    assert [finding.revision for finding in setup.store.history] == [1, 1, 2]


def test_policies_that_were_attached_before_are_in_the_record() -> None:
    """`before` and `after` differ in one policy."""
    held = "arn:aws:iam::123456789012:policy/orders"
    setup = Setup(state=InMemoryState(polling(a_role(attached={held: a_policy(allow("logs:*"))}))))
    setup.handle()
    fix = fix_of(setup.store.one())
    assert fix.before["attached_policies"] == [held]
    assert fix.after["attached_policies"] == [held, SQS_POLICY_ARN]


def test_the_policy_has_the_partition_of_the_role() -> None:
    """In China and GovCloud the same policy has another ARN; it is not taken from the finding's evidence."""
    arn = "arn:aws-cn:iam::123456789012:role/orders-role"
    china = BROKEN.function
    assert china is not None
    function = replace(BROKEN.versions[FUNCTION_ARN], role_arn=arn)  # type: ignore[type-var]
    state = InMemoryState(replace(BROKEN, versions={FUNCTION_ARN: function}, roles={arn: a_role(arn=arn)}))
    attached = SQS_POLICY_ARN.replace("arn:aws:", "arn:aws-cn:")
    state.managed[attached] = a_policy(SQS_POLICY)
    setup = Setup(FixMode.PLAN, state=state)
    setup.store.put(a_finding(evidence={**a_finding().evidence, "role_arn": arn}))
    assert setup.handle().summary == f"attach {attached} to {arn}"


# ── Modes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_in_mode_off_nothing_is_done() -> None:
    """Nothing is read from AWS either."""
    setup = Setup(FixMode.OFF)
    assert setup.handle().summary == "FixMode is off"
    assert setup.state.reads == 0
    assert setup.transitions == [("Finding Opened", 1)]


def test_in_mode_plan_the_fix_is_proposed() -> None:
    """The proposal has the state to change; nothing is attached, and there is no approve command."""
    setup = Setup(FixMode.PLAN)
    outcome = setup.handle()
    assert outcome.result is FixResult.PROPOSED
    assert outcome.summary == f"attach {SQS_POLICY_ARN} to {ROLE_ARN}"
    assert setup.state.attached == []
    fix = fix_of(setup.store.one())
    assert (fix.result, fix.attempts, fix.approve) == (FixResult.PROPOSED, 0, "")
    assert fix.before["attached_policies"] == []
    assert setup.transitions == [("Finding Opened", 1), ("Fix Proposed", 2)]


def test_in_mode_approve_the_proposal_has_the_approve_command() -> None:
    """The command can be pasted: it names this proposal, its plan and who takes the decision."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    proposed = setup.store.one()
    assert shlex.split(fix_of(proposed).approve) == [
        *("permission-guard", "fixes", "approve", FINDING_ID),
        *("--function-arn", FUNCTION_ARN, "--revision", "2"),
        *("--plan", fix_of(proposed).plan_hash, "--decide-fix", DECIDE_FIX),
    ]
    assert proposed.revision == 2
    assert setup.state.attached == []


@pytest.mark.parametrize("mode", [FixMode.APPROVE, FixMode.AUTO])
def test_a_fix_is_applied_after_the_approval(mode: FixMode) -> None:
    """It is applied once, even if the event is repeated. The record says who approved it."""
    setup = Setup(mode, auto_fix=AutoFix.RESTORE)
    setup.handle()
    assert setup.handle().summary == "the proposal waits for an approval"
    setup.decide()
    assert setup.handle().result is FixResult.APPLIED
    assert setup.handle().summary == "already handled: Fix Applied"
    assert setup.state.attached == [("orders-role", SQS_POLICY_ARN)]
    assert fix_of(setup.store.one()).decided_by == JANE
    assert setup.transitions == [
        ("Finding Opened", 1),
        ("Fix Proposed", 2),
        ("Fix Approved", 3),
        ("Fix Applied", 4),
    ]


def test_a_rejected_fix_is_not_applied_and_not_proposed_again() -> None:
    """Unless the problem comes back."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    setup.decide(DecisionKind.REJECT)
    assert setup.handle().summary == "already handled: Fix Rejected"
    assert setup.state.attached == []
    rejected = setup.store.one()
    setup.store.put(replace(rejected, transition=Transition.REOPENED, revision=rejected.revision + 1))
    assert setup.handle().result is FixResult.PROPOSED


def test_an_approval_that_is_not_in_the_table_of_decisions_does_not_count() -> None:
    """Whoever can write findings could set the transition."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    proposed = setup.store.one()
    setup.store.put(replace(proposed, transition=Transition.FIX_APPROVED, revision=proposed.revision + 1))
    assert setup.handle().result is FixResult.PROPOSED
    assert setup.state.attached == []


def test_an_approval_is_valid_for_24_hours() -> None:
    """After that the fix is proposed again."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    decision = setup.decide()
    setup.store.decisions[decision.finding_id, decision.revision] = replace(decision, at="2026-11-19T09:29:59+00:00")
    assert setup.handle().result is FixResult.PROPOSED
    assert setup.state.attached == []


def test_approvals_are_not_accepted_in_mode_plan() -> None:
    """The mode was changed after the approval."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    setup.decide()
    setup.mode = FixMode.PLAN
    assert setup.handle().summary == "FixMode is plan: approvals are not accepted"
    assert setup.state.attached == []


PLANNED = GuardConfig(rules={"PG201": RuleConfig(fix=FixMode.PLAN)})


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(FixMode.OFF, "rules.PG201.fix is off"), (FixMode.APPROVE, "the proposal waits for an approval")],
)
def test_a_rule_has_a_mode_of_its_own_under_the_ceiling(mode: FixMode, reason: str) -> None:
    """In `auto`, this rule alone is off, or waits for approvals."""
    setup = Setup(FixMode.AUTO, config=GuardConfig(rules={"PG201": RuleConfig(fix=mode)}))
    setup.handle()
    assert setup.handle().summary == reason
    assert setup.state.attached == []


def test_a_rule_that_is_only_planned_takes_no_approval() -> None:
    """Its proposal has no command, and no decision about it is recorded. When the rule is set higher, it has one."""
    setup = Setup(FixMode.AUTO, config=PLANNED)
    assert setup.handle().result is FixResult.PROPOSED
    assert fix_of(setup.store.one()).approve == ""
    with pytest.raises(RequestRefusedError, match=r"rules\.PG201\.fix is plan: no fix of PG201 is applied"):
        setup.decide()
    setup.config = GuardConfig(rules={"PG201": RuleConfig(fix=FixMode.APPROVE)})
    setup.handle()
    assert fix_of(setup.store.one()).approve
    setup.decide()
    assert setup.handle().result is FixResult.APPLIED


def test_no_document_sets_a_mode_above_the_ceiling() -> None:
    """Whoever may deploy a configuration must not be able to have roles changed."""
    setup = Setup(FixMode.PLAN, config=GuardConfig(rules={"PG201": RuleConfig(fix=FixMode.AUTO)}))
    assert setup.handle().result is FixResult.PROPOSED
    assert (fix_of(setup.store.one()).approve, setup.state.attached) == ("", [])


def test_an_approval_is_not_accepted_after_the_rule_was_set_lower() -> None:
    """The document was changed between the approval and the fix."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    setup.decide()
    setup.config = PLANNED
    assert setup.handle().summary == "rules.PG201.fix is plan: approvals are not accepted"
    assert setup.state.attached == []


# ── The plan ────────────────────────────────────────────────────────────────────────────────────────────────────────

HELD = "arn:aws:iam::123456789012:policy/orders"
WIDER = {**SQS_POLICY, "Statement": [*SQS_POLICY["Statement"], statement("s3:GetObject")]}


def test_a_proposal_is_the_whole_plan() -> None:
    """The calls, the state before and after, what it rests on and what is unknown, and when it was made."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    fix = fix_of(setup.store.one())
    assert [(call.operation, dict(call.parameters)) for call in fix.calls] == [
        ("iam:AttachRolePolicy", {"RoleName": "orders-role", "PolicyArn": SQS_POLICY_ARN})
    ]
    assert fix.expected == {"role_arn": ROLE_ARN, "attached_policies": [SQS_POLICY_ARN]}
    assert list(fix.rests_on["policy_sha256"]) == [SQS_POLICY_ARN]
    assert fix.unknowns
    assert fix.planned_at > NOW
    setup.decide()
    setup.handle()
    applied = fix_of(setup.store.one())
    assert (applied.plan_hash, applied.after) == (fix.plan_hash, fix.expected)


@pytest.mark.parametrize(
    ("role", "managed", "changed"),
    [
        (a_role(attached={HELD: a_policy(allow("logs:*"))}), SQS_POLICY, "before.attached_policies"),
        (a_role(allow("sqs:ReceiveMessage")), SQS_POLICY, "rests_on.missing"),
        (a_role(allow("logs:*")), WIDER, "rests_on.policy_sha256"),
    ],
    ids=["another policy was attached", "a permission was added", "AWS changed its policy"],
)
def test_a_plan_that_no_longer_fits_is_not_applied_and_proposed_anew(role: Role, managed: Any, changed: str) -> None:
    """Each delivery of the event proposes the same new plan, once. Its own approval applies it."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    first = fix_of(setup.store.one())
    setup.decide()
    setup.state.state, setup.state.managed = polling(role), {SQS_POLICY_ARN: a_policy(managed)}
    outcome = setup.handle()
    assert (outcome.result, setup.state.attached) == (FixResult.PROPOSED, [])
    assert f"{JANE} approved another plan. Since then has changed: {changed}" in outcome.summary
    second = setup.store.one()
    assert fix_of(second).plan_hash != first.plan_hash
    assert fix_of(second).plan_hash in fix_of(second).approve
    assert fix_of(second).decided_by == ""
    assert setup.handle().summary == "the proposal waits for an approval"
    assert setup.store.one() == second
    with pytest.raises(RequestRefusedError, match="the proposal has changed"):
        setup.decide(plan_hash=first.plan_hash)
    setup.decide()
    assert setup.handle().result is FixResult.APPLIED


def test_a_proposal_of_an_earlier_version_is_made_anew() -> None:
    """It waited for an approval before the update, and did not show its whole plan."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    setup.store.put(as_earlier_version(setup.store.one()))
    outcome = setup.handle()
    assert (outcome.result, setup.state.attached) == (FixResult.PROPOSED, [])
    assert fix_of(setup.store.one()).calls
    assert setup.handle().summary == "the proposal waits for an approval"


def test_an_approval_of_an_earlier_version_s_plan_applies_nothing() -> None:
    """Its command still works after the update, and leads to a proposal that shows everything."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    setup.store.put(as_earlier_version(setup.store.one()))
    setup.decide()
    outcome = setup.handle()
    assert (outcome.result, setup.state.attached) == (FixResult.PROPOSED, [])
    assert f"{JANE} approved another plan." in outcome.summary
    setup.decide()
    assert setup.handle().result is FixResult.APPLIED


def as_earlier_version(finding: Finding) -> Finding:
    """Return a finding as an earlier version recorded its proposal."""
    old = replace(fix_of(finding), calls=(), expected={}, rests_on={}, unknowns=(), planned_at="")
    return replace(finding, fix=old)


# ── Nothing to do ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_that_is_not_recorded_is_ignored() -> None:
    """An event alone causes no change."""
    setup = Setup()
    assert setup.handle(finding_id="invented").summary == "the finding does not exist"
    assert setup.state.reads == 0


def test_a_finding_of_a_rule_without_a_fix_is_ignored() -> None:
    """Only some rules have a fix."""
    store = InMemoryFindings()
    store.put(a_finding(rule_id="PG106"))
    assert Setup(store=store).handle().summary == "there is no fix for PG106"


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.SUPPRESSED])
def test_only_open_findings_are_fixed(status: Status) -> None:
    """A person decided not to fix a suppressed finding."""
    store = InMemoryFindings()
    store.put(a_finding(status=status))
    setup = Setup(store=store)
    assert setup.handle().summary == f"the finding is {status}"
    assert setup.state.reads == 0


def test_a_repeated_event_applies_one_fix() -> None:
    """Queues deliver at least once."""
    setup = Setup()
    setup.handle()
    assert setup.handle().summary == "already handled: Fix Applied"
    assert len(setup.state.attached) == 1
    assert setup.transitions == [("Finding Opened", 1), ("Fix Applied", 2)]


@pytest.mark.parametrize(
    "now",
    [polling(a_role(SQS_POLICY)), replace(BROKEN, mappings=()), Snapshot(TARGET, None, tags={})],
    ids=["fixed by a person", "mapping deleted", "function deleted"],
)
def test_a_problem_that_no_longer_exists_is_not_fixed_and_not_published(now: Snapshot) -> None:
    """The next check resolves the finding."""
    setup = Setup(state=InMemoryState(now))
    assert setup.handle() == FixOutcome(FINDING_ID, None, "the problem no longer exists")
    assert setup.state.attached == []
    assert setup.transitions == [("Finding Opened", 1)]


def test_only_the_mapping_of_the_finding_is_evaluated() -> None:
    """Another mapping of the function passes, and comes first."""
    stream = a_mapping(STREAM_ARN, uuid="1b2c3d4e-0000-4000-8000-000000000000")
    state = InMemoryState(polling(a_role(allow("kinesis:*")), mappings=(stream, a_mapping())))
    setup = Setup(state=state)
    assert setup.handle().result is FixResult.APPLIED
    assert setup.state.attached == [("orders-role", SQS_POLICY_ARN)]


# ── Limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_number_of_fixes_per_hour_is_limited() -> None:
    """The limit is per account. The fix is not refused: the sweep hands the finding over again, for a retry."""
    store = InMemoryFindings(fixes={"2026-11-20T09": {"one#1", "two#1"}})
    setup = Setup(store=store, limit=2)
    outcome = setup.handle()
    assert (outcome.result, outcome.summary) == (None, "the limit of 2 fixes per hour is reached")
    assert setup.state.attached == []
    assert setup.transitions == [("Finding Opened", 1)]
    store.fixes.clear()
    assert setup.handle().result is FixResult.APPLIED


def test_an_interrupted_fix_waits_for_the_next_hour() -> None:
    """It is not refused for good."""
    setup = Setup(limit=1)
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    setup.state.error = None
    with pytest.raises(RetryableError, match="the limit of 1 fixes per hour is reached"):
        setup.handle()
    setup.store.fixes.clear()
    assert setup.handle().result is FixResult.APPLIED


def test_each_hour_has_its_own_limit_and_proposals_do_not_count() -> None:
    """Only changes count."""
    setup = Setup(store=InMemoryFindings(fixes={"2026-11-20T08": {"one#1", "two#1"}}), limit=2)
    assert setup.handle().result is FixResult.APPLIED
    assert setup.store.fixes == {"2026-11-20T08": {"one#1", "two#1"}, "2026-11-20T09": {f"{FINDING_ID}#1"}}
    planning = Setup(FixMode.PLAN)
    planning.handle()
    assert planning.store.fixes == {}


# ── Guards ──────────────────────────────────────────────────────────────────────────────────────────────────────────

DENY = {"Version": "2012-10-17", "Statement": [statement("sqs:ReceiveMessage", effect="Deny", Sid="NoReceiving")]}
STACK = {"aws:cloudformation:stack-name": "shop"}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(BROKEN, tags={"permission-guard:fix": "never"}), "is tagged permission-guard:fix=never"),
        (replace(BROKEN, tags={"permission-guard:fix": " Never "}), "is tagged permission-guard:fix=never"),
        (replace(BROKEN, tags=STACK), "belongs to the CloudFormation stack shop: change its template"),
        (replace(BROKEN, tags=DENIED), "The tags of arn:aws:lambda:us-east-1:123456789012:function:orders could not"),
        (replace(BROKEN, tags=None), "could not be read"),
        (polling(a_role(tags={"permission-guard:fix": "never"})), "orders-role is tagged permission-guard:fix=never"),
        (polling(a_role(tags=STACK)), "orders-role belongs to the CloudFormation stack shop"),
        (polling(a_role(DENY)), "Explicitly denied by statement 'NoReceiving'"),
        (
            polling(a_role(boundary=a_policy(allow("logs:*")))),
            "Implicitly denied: the permissions boundary does not allow it",
        ),
        (polling(DENIED), "Unknown whether the problem still exists: iam:GetRole failed with AccessDenied"),
        (polling(a_role(attached={"arn:aws:iam::123456789012:policy/orders": DENIED})), "Unknown whether the problem"),
        (replace(BROKEN, mappings=DENIED), "Unknown whether the problem"),
        (replace(BROKEN, function=DENIED), "Unknown whether the problem"),
        (polling(None), "does not exist"),
    ],
)
def test_the_fixer_refuses_what_it_must_not_change_with_the_reason(now: Snapshot, reason: str) -> None:
    """Nothing is attached; the finding has the reason, and the refused fix is published once."""
    setup = Setup(state=InMemoryState(now))
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert reason in outcome.summary
    assert fix_of(setup.store.one()).summary == outcome.summary
    assert setup.state.attached == []
    assert setup.store.fixes == {}
    assert setup.transitions == [("Finding Opened", 1), ("Fix Refused", 2)]
    assert setup.handle().summary == "already handled: Fix Refused"


def test_a_refused_fix_does_not_count_as_an_attempt() -> None:
    """If the tag is removed and the finding reopens, all attempts are left."""
    setup = Setup(state=InMemoryState(replace(BROKEN, tags=STACK)))
    setup.handle()
    assert fix_of(setup.store.one()).attempts == 0


def test_a_fix_is_refused_if_the_boundary_could_not_be_read() -> None:
    """The boundary can make the fix useless."""
    setup = Setup(state=InMemoryState(polling(a_role(allow("logs:*"), boundary=DENIED))))
    assert setup.handle().result is FixResult.REFUSED
    assert setup.state.attached == []


@pytest.mark.parametrize(
    "now", [polling(THROTTLED), replace(BROKEN, tags=THROTTLED)], ids=["the role", "the function's tags"]
)
def test_a_throttled_read_is_retried_and_not_refused(now: Snapshot) -> None:
    """A refused fix is final, and throttling is temporary: the message is delivered again."""
    setup = Setup(state=InMemoryState(now))
    with pytest.raises(RetryableError, match="Rate exceeded"):
        setup.handle()
    assert setup.transitions == [("Finding Opened", 1)]
    setup.state.state = BROKEN
    assert setup.handle().result is FixResult.APPLIED


# ── Failures ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_write_that_aws_denies_is_recorded_with_its_message() -> None:
    """The record keeps the state before."""
    setup = Setup()
    setup.state.error = WriteFailedError("iam:AttachRolePolicy failed with LimitExceeded: Cannot exceed quota")
    outcome = setup.handle()
    assert outcome.result is FixResult.FAILED
    fix = fix_of(setup.store.one())
    assert fix.summary == "iam:AttachRolePolicy failed with LimitExceeded: Cannot exceed quota"
    assert fix.before == {"role_arn": ROLE_ARN, "attached_policies": []}
    assert fix.attempts == 1
    assert setup.transitions == [("Finding Opened", 1), ("Fix Failed", 2)]


def test_the_fixer_waits_until_the_change_is_visible() -> None:
    """IAM changes take time to propagate."""
    setup = Setup()
    setup.state.visible_after = 2
    assert setup.handle(verify_after=(0.0, 1.0, 2.0)).result is FixResult.APPLIED
    assert setup.waited == [0.0, 1.0, 2.0]


def test_a_change_that_is_not_visible_is_verified_later_and_published_once() -> None:
    """The message is delivered again; the fix was started, and only needs to be verified."""
    setup = Setup()
    setup.state.visible_after = 2
    with pytest.raises(FixNotVisibleError, match=f"Undo: aws iam detach-role-policy .*{SQS_POLICY_ARN}"):
        setup.handle(verify_after=(0.0, 1.0))
    assert fix_of(setup.store.one()).result is FixResult.APPLYING
    assert setup.transitions == [("Finding Opened", 1)]
    assert setup.handle().result is FixResult.APPLIED
    assert len(setup.state.attached) == 1
    assert fix_of(setup.store.one()).attempts == 1
    assert setup.transitions == [("Finding Opened", 1), ("Fix Applied", 2)]


class Killed(BaseException):
    """Lambda ends the process."""


def test_a_crash_between_recording_and_attaching_is_recovered() -> None:
    """The retry finds that nothing was changed, and starts again; both count as attempts."""
    setup = Setup()
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    assert setup.state.attached == []
    setup.state.error = None
    assert setup.handle().result is FixResult.APPLIED
    assert len(setup.state.attached) == 1
    assert fix_of(setup.store.one()).attempts == 2
    assert fix_of(setup.store.one()).before["attached_policies"] == []


def test_a_crash_between_attaching_and_verifying_is_recovered() -> None:
    """The retry finds the policy attached, attaches nothing, and keeps the state before."""
    setup = Setup()

    def killed(delay: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        setup.handle(wait=killed)
    assert len(setup.state.attached) == 1
    outcome = setup.handle()
    assert outcome.result is FixResult.APPLIED
    assert len(setup.state.attached) == 1
    fix = fix_of(setup.store.one())
    assert fix.before["attached_policies"] == []
    assert fix.after["attached_policies"] == [SQS_POLICY_ARN]


def test_a_started_fix_is_recorded_even_if_the_finding_is_resolved_meanwhile() -> None:
    """A check read the change first: the fix is still published, and the finding stays resolved."""
    setup = Setup()
    setup.state.visible_after = 5
    with pytest.raises(FixNotVisibleError):
        setup.handle()
    finding = setup.store.one()
    setup.store.put(replace(finding, status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2))
    setup.state.visible_after = 0
    assert setup.handle().result is FixResult.APPLIED
    assert setup.store.one().status is Status.RESOLVED
    assert setup.transitions == [("Finding Opened", 1), ("Finding Resolved", 2), ("Fix Applied", 3)]


def test_a_started_fix_is_not_applied_if_the_mode_is_off() -> None:
    """It is recorded as refused; the record keeps the state before and the undo command."""
    setup = Setup()
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    setup.mode, setup.state.error = FixMode.OFF, None
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert outcome.summary == "The fix was started, but nothing of it is in effect: FixMode is off."
    assert setup.state.attached == []
    assert fix_of(setup.store.one()).undo.startswith("aws iam detach-role-policy")


@pytest.mark.parametrize("mode", [FixMode.PLAN, FixMode.APPROVE])
def test_a_started_fix_is_proposed_if_the_mode_requires_it(mode: FixMode) -> None:
    """Nothing is attached without an approval, even if the fix was started before the mode changed."""
    setup = Setup()
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    setup.mode, setup.state.error = mode, None
    assert setup.handle().result is FixResult.PROPOSED
    assert setup.state.attached == []


def test_a_started_fix_of_a_reopened_finding_requires_an_approval() -> None:
    """The finding was resolved by hand and reopened, and the mode is now approve: the intent is no approval."""
    setup = Setup()
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    setup.mode, setup.state.error = FixMode.APPROVE, None
    finding = setup.store.one()
    setup.store.put(replace(finding, revision=3, transition=Transition.REOPENED))
    assert setup.handle().result is FixResult.PROPOSED
    assert setup.state.attached == []


def test_an_approval_is_valid_for_the_proposed_change_only() -> None:
    """If the plan has changed since, the new one is proposed."""
    setup = Setup(FixMode.APPROVE)
    setup.handle()
    proposed = setup.store.one()
    other = replace(fix_of(proposed), change={**fix_of(proposed).change, "policy_arn": "arn:aws:iam::aws:policy/Other"})
    setup.store.put(replace(proposed, fix=other))
    setup.decide()
    assert setup.handle().result is FixResult.PROPOSED
    assert setup.state.attached == []


def test_a_role_that_is_not_in_the_finding_is_not_changed() -> None:
    """The function has another role now: the next check reports that one, and the message is delivered again."""
    setup = Setup()
    setup.store.put(a_finding(evidence={**a_finding().evidence, "role_arn": "arn:aws:iam::123456789012:role/former"}))
    with pytest.raises(RetryableError, match="about another role"):
        setup.handle()
    assert setup.state.attached == []


def test_a_proposal_of_mode_plan_is_applied_in_mode_auto() -> None:
    """The sweep hands the finding over again, and the mode allows the fix now."""
    setup = Setup(FixMode.PLAN)
    setup.handle()
    assert setup.handle().summary == "already handled: Fix Proposed"
    setup.mode = FixMode.AUTO
    assert setup.handle().result is FixResult.APPLIED


def test_a_proposal_of_mode_plan_gets_the_approve_command_in_mode_approve() -> None:
    """It is proposed once; after that it waits for an approval."""
    setup = Setup(FixMode.PLAN)
    setup.handle()
    assert fix_of(setup.store.one()).approve == ""
    setup.mode = FixMode.APPROVE
    assert setup.handle().result is FixResult.PROPOSED
    assert "fixes approve" in fix_of(setup.store.one()).approve
    assert setup.handle().summary == "the proposal waits for an approval"


def test_an_applied_fix_says_if_the_check_does_not_pass() -> None:
    """The policy is attached, and the problem has another cause too: the summary has both."""
    setup = Setup()
    attach = setup.state.attach_role_policy

    def attach_and_deny(role_name: str, policy_arn: str) -> None:
        attach(role_name, policy_arn)
        role = setup.state.state.roles[ROLE_ARN]
        deny = a_policy({"Version": "2012-10-17", "Statement": [statement("sqs:ReceiveMessage", effect="Deny")]})
        denied = replace(role, inline={"deny": deny})  # type: ignore[type-var]
        setup.state.state = replace(setup.state.state, roles={ROLE_ARN: denied})

    setup.state.attach_role_policy = attach_and_deny  # type: ignore[method-assign]
    outcome = setup.handle()
    assert outcome.result is FixResult.APPLIED
    assert "The check does not pass yet: " in outcome.summary


def test_a_started_fix_for_a_deleted_mapping_is_refused_if_it_was_not_applied() -> None:
    """The mapping was deleted before the policy was attached."""
    setup = Setup()
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    setup.state.error = None
    setup.state.state = replace(BROKEN, mappings=())
    outcome = setup.handle()
    assert outcome.result is FixResult.REFUSED
    assert outcome.summary == "The fix was started, but nothing of it is in effect: the problem no longer exists."
    assert setup.state.attached == []


def test_a_started_fix_for_a_deleted_mapping_is_recorded_if_it_was_applied() -> None:
    """The mapping was deleted after the policy was attached: the record has the undo command."""
    setup = Setup()
    setup.state.visible_after = 5
    with pytest.raises(FixNotVisibleError):
        setup.handle()
    setup.state.visible_after = 0
    setup.state.state = replace(setup.state.state, mappings=())
    assert setup.handle().result is FixResult.APPLIED
    assert fix_of(setup.store.one()).after["attached_policies"] == [SQS_POLICY_ARN]


def test_a_started_fix_is_refused_if_a_guard_refuses_now() -> None:
    """Someone tagged the role in between; the record keeps the state before."""
    setup = Setup()
    setup.state.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        setup.handle()
    setup.state.error = None
    setup.state.state = polling(a_role(tags={"permission-guard:fix": "never"}))
    assert setup.handle().result is FixResult.REFUSED
    fix = fix_of(setup.store.one())
    assert "is tagged permission-guard:fix=never" in fix.summary
    assert fix.before["attached_policies"] == []
    assert fix.attempts == 1


def test_a_finding_that_a_check_changed_meanwhile_is_fixed_at_once() -> None:
    """It is read again. Delivered again, its message would wait for six minutes."""
    setup = Setup()
    writes: list[int] = []

    def write_first_once() -> None:
        writes.append(1)
        if len(writes) == 1:
            found = setup.store.one()
            setup.store.put(replace(found, revision=found.revision + 1))

    setup.store.before_write = write_first_once
    assert setup.handle().result is FixResult.APPLIED
    assert (len(setup.state.attached), fix_of(setup.store.one()).attempts) == (1, 1)


def test_a_conflict_before_each_try_is_retried_later() -> None:
    """The intent could not be written: nothing is attached."""
    setup = Setup()

    def write_first() -> None:
        found = setup.store.one()
        setup.store.put(replace(found, revision=found.revision + 1))

    setup.store.before_write = write_first
    with pytest.raises(ConflictError):
        setup.handle()
    assert setup.state.attached == []


def test_a_finding_that_is_resolved_while_it_is_fixed_stays_resolved() -> None:
    """A check resolved it first: the record of the fix is added to the resolved finding."""
    setup = Setup()
    writes: list[int] = []

    def resolve_before_the_last() -> None:
        writes.append(1)
        if len(writes) == 2:
            found = setup.store.one()
            setup.store.put(replace(found, status=Status.RESOLVED, transition=Transition.RESOLVED, revision=2))

    setup.store.before_write = resolve_before_the_last
    assert setup.handle().result is FixResult.APPLIED
    finding = setup.store.one()
    assert (finding.status, finding.transition, finding.revision) == (Status.RESOLVED, Transition.FIX_APPLIED, 3)
    assert fix_of(finding).after["attached_policies"] == [SQS_POLICY_ARN]


def test_the_result_of_a_fix_is_not_lost_after_repeated_conflicts() -> None:
    """The intent is recorded, so the retry records and publishes the result."""
    setup = Setup()
    writes: list[int] = []

    def always_write_first() -> None:
        writes.append(1)
        if len(writes) > 1:
            found = setup.store.one()
            setup.store.put(replace(found, revision=found.revision + 1))

    setup.store.before_write = always_write_first
    with pytest.raises(FixInProgressError):  # its own lease
        setup.handle()
    assert len(writes) == 7
    setup.store.before_write = lambda: None
    with pytest.raises(FixInProgressError):  # the lease could not be ended either
        setup.handle()
    later = (datetime.fromisoformat(NOW) + LEASE + timedelta(minutes=1)).isoformat()
    assert setup.handle(clock=lambda: later).result is FixResult.APPLIED
    assert len(setup.state.attached) == 1


# ── Two workers, one fix ────────────────────────────────────────────────────────────────────────────────────────────


class Interrupted:
    """Stands for a part of the fixer, and runs something else before its n-th call, over all parts that share it."""

    def __init__(self, part: Any, counter: list[int], at: int, run: Callable[[], object]) -> None:
        self._part, self._counter, self._at, self._run = part, counter, at, run

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **more: Any) -> Any:
            self._counter[0] += 1
            if self._counter[0] == self._at:
                self._run()
            return value(*arguments, **more)

        return call


@pytest.mark.parametrize("mode", [FixMode.AUTO, FixMode.APPROVE])
@pytest.mark.parametrize("at", range(1, 24))
def test_one_event_at_two_workers_is_one_fix(mode: FixMode, at: int) -> None:
    """The second worker gets the event at any moment of the first: one transition, one write, one place of the hour."""
    setup = Setup(mode)
    others: list[str] = []

    def second_worker() -> None:
        try:
            others.append(str(setup.handle().result))
        except RetryableError as error:
            others.append(type(error).__name__)

    if mode is FixMode.APPROVE:
        setup.handle()
        setup.decide()
    counter = [0]
    shared: dict[str, Any] = {
        name: Interrupted(part, counter, at, second_worker)
        for name, part in {
            "store": setup.store,
            "source": setup.state,
            "fix_state": setup.state,
            "stop": setup.stop,
        }.items()
    }
    with suppress(RetryableError):
        setup.handle(**shared, quota=shared["store"], writers=shared["source"], decisions=shared["store"])
    if setup.store.one().transition is not Transition.FIX_APPLIED:
        setup.handle()  # SQS delivers what failed again
    assert [name for name, _ in setup.transitions].count("Fix Applied") == 1, others
    assert len(setup.state.attached) == 1
    assert setup.store.fixes == {"2026-11-20T09": {f"{FINDING_ID}#1"}}
    assert len(others) == (counter[0] >= at)


def test_the_same_event_at_two_workers_is_one_proposal() -> None:
    """The second worker proposes while the first one plans."""
    setup = Setup(FixMode.APPROVE)
    counter = [0]
    state = Interrupted(setup.state, counter, 1, setup.handle)
    assert setup.handle(source=state).summary == "changed meanwhile: Fix Proposed"
    assert setup.transitions == [("Finding Opened", 1), ("Fix Proposed", 2)]


def test_a_fix_that_another_invocation_applies_is_left_to_it() -> None:
    """After its lease the invocation is dead, and the fix is continued."""
    setup = Setup()
    record = FixRecord(
        name="attach-managed-policy",
        result=FixResult.APPLYING,
        summary="attach it",
        at=NOW,
        attempts=1,
        change={"action": "iam:AttachRolePolicy", "role_arn": ROLE_ARN, "policy_arn": SQS_POLICY_ARN},
        owner="another",
        lease_until=(datetime.fromisoformat(NOW) + LEASE).isoformat(),
    )
    setup.store.put(a_finding(fix=record))
    with pytest.raises(FixInProgressError):
        setup.handle()
    assert setup.state.attached == []
    setup.store.put(a_finding(fix=replace(record, lease_until=NOW)))
    assert setup.handle().result is FixResult.APPLIED
    assert setup.transitions == [("Finding Opened", 1), ("Fix Applied", 2)]


def test_a_second_message_about_a_fix_waits_for_its_end() -> None:
    """Most take seconds. Delivered again, it would stay in the queue for six minutes."""
    setup = Setup()
    setup.handle()
    applied = setup.store.one()
    lease = (datetime.fromisoformat(NOW) + LEASE).isoformat()
    in_progress = replace(fix_of(applied), result=FixResult.APPLYING, owner="another", lease_until=lease)
    setup.store.put(a_finding(fix=in_progress))
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            setup.store.put(applied)

    outcome = setup.handle(wait=wait)
    assert (outcome.result, outcome.summary) == (None, "already handled: Fix Applied")
    assert waited == list(IN_PROGRESS_SECONDS[:2])
    assert len(setup.state.attached) == 1


def test_a_lost_reply_of_the_start_does_not_stop_the_fix() -> None:
    """The write succeeded, and the SDK's retry found it: the owner is this invocation."""
    setup = Setup()
    put = setup.store.put_finding

    def put_twice(change: Change) -> None:
        put(change)
        if fix_of(change.finding).result is FixResult.APPLYING:
            put(change)

    setup.store.put_finding = put_twice  # type: ignore[method-assign]
    assert setup.handle().result is FixResult.APPLIED
    assert fix_of(setup.store.one()).attempts == 1
