"""Attaching the stack's own policies: which of them, when AWS's are preferred, and what their shape leaves unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from permission_guard.checks.engine import evaluate
from permission_guard.config.document import Policies
from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes.attach_managed_policy import AttachManagedPolicy
from permission_guard.fixes.policy_lists import PolicyLists
from permission_guard.model.state import Role
from permission_guard.needs.resource_tags import lists_tags
from tests.fakes import DENIED, THROTTLED, InMemoryState, a_finding, a_policy, a_role, polling
from tests.owned_policies import PREFIX, TAG, arn_of, owned_documents
from tests.unit.fixes.test_attach_every_rule import FAILING, case_of, missing, name_of, published, violations
from tests.unit.fixes.test_attach_managed_policy import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from permission_guard.fixes.base import Plan
    from permission_guard.iam import Policy
    from permission_guard.model.state import Snapshot, Unread
    from permission_guard.model.verdicts import Verdict
    from permission_guard.rules.base import Rule

FIX: Final = AttachManagedPolicy()
OF_SOURCES: Final = ("PG201", "PG202", "PG203", "PG205")
QUEUE: Final = "arn:aws:sqs:us-east-1:123456789012:incoming-orders"
READ_QUEUES: Final = arn_of("read-queues")
SQS: Final = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"

OWN: Final = {
    "read-queues": (
        "PG201-alias-of-version-with-own-role",
        "PG201-disabled-by-aws",
        "PG201-function-failed",
        "PG201-not-action-excludes",
        "PG201-not-resource",
        "PG201-nothing",
        "PG201-other-queue",
        "PG201-queue-policy-allows-account-root",
        "PG201-queue-policy-allows-in-part",
        "PG201-queue-policy-for-another",
        "PG201-queue-without-policy",
        "PG201-source-function-condition",
        "PG201-sqs-without-delete",
    ),
    "read-documentdb-clusters": ("PG201-documentdb-other-group",),
    "read-data-streams": (
        "PG201-kinesis-without-list-shards",
        "PG201-two-mappings",
    ),
    "read-brokers": (
        "PG201-mq-disabled-by-aws",
        "PG201-mq-source-function-condition",
        "PG201-mq-without-describe",
    ),
    "read-msk-clusters": (
        "PG201-msk-nothing",
        "PG201-msk-older-action-serverless",
        "PG201-msk-other-cluster",
        "PG201-msk-without-brokers",
    ),
    "read-secrets": (
        "PG202-alias-with-own-role",
        "PG202-for-code-alone",
        "PG202-function-lacks-permissions-too",
        "PG202-mq-secret-missing",
        "PG202-mq-secret-of-another-name",
        "PG202-msk-mutual-tls",
        "PG202-msk-scram-without-secret",
        "PG202-self-managed-confluent",
        "PG202-two-mappings",
    ),
    "use-network-interfaces": (
        "PG202-documentdb-one-action-short",
        "PG202-mq-as-sam-writes-it",
        "PG202-self-managed-vpc",
        "PG205-condition-on-source-function",
        "PG205-creation-denied",
        "PG205-describe-narrowed",
        "PG205-nothing",
        "PG205-version-in-a-vpc",
        "PG205-without-delete",
    ),
    "use-network-interfaces+read-secrets": ("PG202-mq-nothing",),
    "decrypt-sources": (
        "PG202-queue-key-missing",
        "PG202-secret-key-missing",
        "PG202-stream-key-missing",
    ),
    "send-to-queues": (
        "PG203-alias-with-own-role",
        "PG203-dead-letter-fifo-queue",
        "PG203-dead-letter-queue",
        "PG203-on-failure-queue",
        "PG203-stream-to-queue",
        "PG203-version-like-the-function",
        "PG203-version-with-own-role",
    ),
    "send-to-topics": (
        "PG203-both-destinations",
        "PG203-dead-letter-topic",
    ),
    "encrypt-destinations": (
        "PG203-on-failure-bucket-with-key",
        "PG203-table-to-topic-with-key",
    ),
    "send-to-event-buses": ("PG203-on-success-bus",),
}
"""With `fixes.policies: own`, and the tag on every resource: the policies of the stack that each case gets."""

ANY: Final = {
    "read-documentdb-clusters": ("PG201-documentdb-other-group",),
    "read-brokers": (
        "PG201-mq-disabled-by-aws",
        "PG201-mq-source-function-condition",
        "PG201-mq-without-describe",
    ),
    "read-secrets": (
        "PG202-alias-with-own-role",
        "PG202-for-code-alone",
        "PG202-function-lacks-permissions-too",
        "PG202-mq-secret-missing",
        "PG202-mq-secret-of-another-name",
        "PG202-msk-mutual-tls",
        "PG202-msk-scram-without-secret",
        "PG202-self-managed-confluent",
        "PG202-two-mappings",
    ),
    "use-network-interfaces": (
        "PG202-mq-as-sam-writes-it",
        "PG202-self-managed-vpc",
    ),
    "use-network-interfaces+read-secrets": ("PG202-mq-nothing",),
    "decrypt-sources": (
        "PG202-queue-key-missing",
        "PG202-secret-key-missing",
        "PG202-stream-key-missing",
    ),
    "send-to-queues": (
        "PG203-alias-with-own-role",
        "PG203-dead-letter-fifo-queue",
        "PG203-dead-letter-queue",
        "PG203-on-failure-queue",
        "PG203-stream-to-queue",
        "PG203-version-like-the-function",
        "PG203-version-with-own-role",
    ),
    "send-to-topics": (
        "PG203-both-destinations",
        "PG203-dead-letter-topic",
    ),
    "encrypt-destinations": (
        "PG203-on-failure-bucket-with-key",
        "PG203-table-to-topic-with-key",
    ),
    "send-to-event-buses": ("PG203-on-success-bus",),
}
"""With the default, `any`: the cases that AWS's policies do not solve."""

TAGS_UNKNOWN: Final = (
    "PG201-consumer-without-subscription",
    "PG201-documentdb-cluster-alone",
    "PG201-stream-policy-without-its-consumer",
    "PG203-on-success-function-qualified",
)
"""Cases about a resource whose tags AWS does not list: a consumer, a group without a name, an alias."""


class Tagged(dict[str, "Mapping[str, str]"]):
    """The tag on every resource whose tags AWS lists."""

    def get(self, arn: str, default: object = None) -> Any:
        return {"team": "orders"} if lists_tags(arn, "us-east-1", "123456789012") else None


def documents(tag: str, prefix: str) -> dict[str, Policy]:
    """Return the policies of the stack."""
    return {arn: a_policy(document, arn) for arn, document in owned_documents(tag, prefix).items()}


def state_of(
    snapshot: Snapshot,
    tags: Mapping[str, Mapping[str, str] | Unread],
    chosen: Policies = Policies.OWN,
    tag: str = TAG,
    prefix: str = PREFIX,
) -> InMemoryState:
    """Return what AWS says of a stack with these parameters."""
    own = documents(tag, prefix)
    return InMemoryState(snapshot, managed={**published(), **own}, lists=PolicyLists(tuple(own), chosen), tags_of=tags)


def plan_for(problem: Verdict, state: InMemoryState, rule: Rule) -> Plan:
    """Plan the fix of a problem."""
    finding = a_finding(
        id=problem.finding_id,
        rule_id=rule.id,
        function_arn=problem.function_arn,
        subject=problem.subject,
        evidence=problem.evidence,
    )
    return FIX.plan(finding, state.state, state, lambda one: evaluate(one, [rule]).verdicts)


def plan_of_queue(tags: Mapping[str, Mapping[str, str] | Unread], **more: Any) -> Plan:
    """Plan the fix of a role that lacks the permissions for its queue."""
    broken = polling(a_role())
    return FIX.plan(a_finding(), broken, state_of(broken, tags, **more), check)


def refused(tags: Mapping[str, Mapping[str, str] | Unread], **more: Any) -> str:
    """Return why the same fix is refused."""
    with pytest.raises(FixRefusedError) as error:
        plan_of_queue(tags, **more)
    return str(error.value)


def with_policies(snapshot: Snapshot, role_arn: str, arns: Iterable[str]) -> Snapshot:
    """Return the state after policies of the stack were attached, with the tags of every resource."""
    role = snapshot.roles[role_arn]
    assert isinstance(role, Role)
    all_documents = {**published(), **documents(TAG, PREFIX)}
    fixed = replace(role, attached={**role.attached, **{arn: all_documents[arn] for arn in arns}})
    needs = (need for each in evaluate(snapshot, OF_RULES).verdicts for need in each.evidence.get("missing", ()))
    tags = {need["resource"]: found for need in needs if (found := Tagged().get(need["resource"]))}
    return replace(snapshot, roles={**snapshot.roles, role_arn: fixed}, resource_tags=tags)


OF_RULES: Final = [case_of(path)[1] for path in {path.parent.name: path for path in FAILING}.values()]
CASES: Final = [path for path in FAILING if path.parent.name in OF_SOURCES]


def short(arns: Iterable[str]) -> str:
    """Return the ends of the names of policies."""
    return "+".join(arn.rpartition("/")[2].removeprefix("permission-guard-us-east-1-") for arn in arns)


@pytest.mark.parametrize("path", CASES, ids=name_of)
@pytest.mark.parametrize(("chosen", "table"), [(Policies.OWN, OWN), (Policies.ANY, ANY)], ids=["own", "any"])
def test_each_case_gets_the_fewest_policies_of_the_chosen_lists(
    path: Path, chosen: Policies, table: dict[str, tuple[str, ...]]
) -> None:
    """Each policy is necessary, and with all of them nothing is missing."""
    snapshot, rule = case_of(path)
    attached: set[str] = set()
    for problem in violations(snapshot, rule):
        try:
            plan = plan_for(problem, state_of(snapshot, Tagged(), chosen), rule)
        except FixRefusedError:
            continue
        role_arn, arns = problem.evidence["role_arn"], plan.change["policy_arns"]
        assert missing(with_policies(snapshot, role_arn, arns), rule, problem) == []
        for dropped in arns:
            fewer = [arn for arn in arns if arn != dropped]
            assert missing(with_policies(snapshot, role_arn, fewer), rule, problem)
        if any("permission-guard" in arn for arn in arns):
            attached.add(short(arns))
        else:
            assert chosen is Policies.ANY, "with own, AWS's policies for these services are not attached"
    assert attached == {policy for policy, cases in table.items() if name_of(path) in cases}


@pytest.mark.parametrize("name", TAGS_UNKNOWN)
def test_a_resource_whose_tags_aws_does_not_list_is_refused(name: str) -> None:
    """The fix says which key is unknown, and of which resource."""
    (path,) = (path for path in CASES if name_of(path) == name)
    snapshot, rule = case_of(path)
    (problem,) = violations(snapshot, rule)
    with pytest.raises(FixRefusedError) as error:
        plan_for(problem, state_of(snapshot, Tagged()), rule)
    assert "unknown condition key aws:ResourceTag/team" in str(error.value)
    assert " are unknown: AWS lists none." in str(error.value)


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_without_tags_no_policy_that_depends_on_them_is_attached(path: Path) -> None:
    """The condition is not assumed to hold."""
    snapshot, rule = case_of(path)
    own = documents(TAG, "")
    for problem in violations(snapshot, rule):
        try:
            plan = plan_for(problem, state_of(snapshot, {}, prefix=""), rule)
        except FixRefusedError:
            continue
        statements = [one for arn in plan.change["policy_arns"] if arn in own for one in own[arn].statements]
        unconditional = {action for one in statements if not one.conditions for action in one.action_texts}
        assert not statements or {each.action for each in plan.missing} <= unconditional


# ── One queue ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("chosen", "policy"), [(Policies.AWS, SQS), (Policies.ANY, SQS), (Policies.OWN, READ_QUEUES)], ids=str
)
def test_guard_yaml_chooses_between_the_lists(chosen: Policies, policy: str) -> None:
    """AWS's policy suffices, so `any` attaches it; `own` does not."""
    assert plan_of_queue({QUEUE: {"team": "orders"}}, chosen=chosen).change["policy_arns"] == [policy]


def test_own_never_falls_back_to_the_policy_of_aws() -> None:
    """AWS's policy for queues would allow every queue of the account."""
    reason = refused({QUEUE: {"team": "billing"}})
    assert reason.startswith(f"Attaching {READ_QUEUES} would not help: ")
    assert "is not allowed sqs:ReceiveMessage" in reason


def test_own_refuses_a_stack_without_parameters() -> None:
    """It says what to set."""
    assert refused({}, tag="", prefix="") == (
        "fixes.policies is own. This stack owns no policy for sqs: see its parameters FixResourceTag and FixNamePrefix."
    )


def test_own_attaches_policies_of_aws_for_services_that_the_stack_has_none_for() -> None:
    """Logs and traces have no resources of a team."""
    (path,) = (path for path in FAILING if name_of(path) == "PG206-nothing")
    snapshot, rule = case_of(path)
    (problem,) = violations(snapshot, rule)
    plan = plan_for(problem, state_of(snapshot, {}), rule)
    assert plan.change["policy_arns"] == ["arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"]


@pytest.mark.parametrize(
    "tags",
    [{QUEUE: {"team": "orders"}}, {QUEUE: {"team": "orders", "stage": "live"}}],
    ids=["one", "two"],
)
def test_a_queue_with_the_tag_is_read_with_the_policy_of_the_stack(
    tags: Mapping[str, Mapping[str, str] | Unread],
) -> None:
    """The plan says who else decides what the role may read."""
    plan = plan_of_queue(tags)
    assert plan.change["policy_arns"] == [READ_QUEUES]
    assert plan.unknowns[0] == (
        "Whoever may tag a queue with team=orders lets the role use it: "
        "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes."
    )


@pytest.mark.parametrize("tags", [{}, {"team": "Orders"}, {"Team": "billing"}, {"stage": "orders"}], ids=str)
def test_a_queue_without_the_tag_is_refused(tags: dict[str, str]) -> None:
    """AWS compares the values of tags with their case."""
    assert "Implicitly denied" in refused({QUEUE: tags})


def test_a_queue_whose_tags_aws_does_not_list_is_refused() -> None:
    """It may have none, or be new."""
    assert refused({}).endswith(f"The tags of {QUEUE} are unknown: AWS lists none.")


def test_tags_that_may_not_be_read_are_named() -> None:
    """The reason is a missing permission of the bot."""
    assert refused({QUEUE: DENIED}).endswith(f"The tags of {QUEUE} are unknown: {DENIED}.")


def test_tags_that_cannot_be_read_for_now_are_read_again() -> None:
    """A refusal would be final."""
    with pytest.raises(RetryableError, match="could not be read"):
        plan_of_queue({QUEUE: THROTTLED})


def test_the_policy_of_aws_needs_no_tags() -> None:
    """Nothing of it depends on them."""
    assert plan_of_queue({}, chosen=Policies.AWS).change["policy_arns"] == [SQS]
    assert not any("tag" in unknown for unknown in plan_of_queue({}, chosen=Policies.AWS).unknowns)


def test_a_name_with_the_prefix_is_allowed_without_tags() -> None:
    """The plan says who else decides what the role may read."""
    plan = plan_of_queue({}, tag="", prefix="incoming-")
    assert plan.change["policy_arns"] == [READ_QUEUES]
    assert plan.unknowns[0] == (
        "Whoever may create a resource that matches arn:aws:sqs:us-east-1:123456789012:incoming-* lets the role use "
        "it: sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes."
    )


def test_a_name_without_the_prefix_is_refused() -> None:
    """`incoming-orders` does not begin with `orders-`."""
    assert "Implicitly denied" in refused({QUEUE: {"team": "orders"}}, tag="", prefix="orders-")


def test_another_tag_that_is_attached_later_is_another_plan() -> None:
    """The hash of a plan covers the documents, and so the parameters of the stack."""
    one, other = (plan_of_queue({QUEUE: {"team": "orders", "stage": "a"}}, tag=tag) for tag in (TAG, "stage=a"))
    assert one.change == other.change
    assert one.rests_on["policy_sha256"] != other.rests_on["policy_sha256"]
