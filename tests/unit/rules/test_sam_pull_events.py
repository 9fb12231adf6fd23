"""What AWS SAM itself gives a role for each kind of event that Lambda polls, judged: its translator runs here."""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data
from samtranslator.model import sam_resources  # type: ignore[import-untyped] # it ships no types
from samtranslator.model.eventsources.pull import (  # type: ignore[import-untyped] # the same
    PullEventSource,
    SelfManagedKafka,
)

from permission_guard.errors import InputError
from permission_guard.iam import TrustSet
from permission_guard.model.state import Role, Unread
from permission_guard.model.verdicts import Outcome
from permission_guard.needs.decision import decide
from permission_guard.needs.event_sources import event_source_of
from permission_guard.offline.documents import contents
from permission_guard.offline.physical_names import Place
from permission_guard.offline.sam import TRANSFORM
from permission_guard.offline.scenarios import judge
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.fakes import ACCOUNT, REGION, a_policy, allow
from tests.unit.needs.event_sources.needs_table import KEY
from tests.unit.rules.sam_events import PULLED
from tests.unit.rules.sam_kafka_events import KAFKA_CASES
from tests.unit.rules.sam_pull_events import OTHER_CASES, READ, TAKE_NOTHING, Case, Lack

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping
    from permission_guard.needs.base import NeedKind
    from permission_guard.offline.scenarios import OfflineCheck

CASES: Final = (*OTHER_CASES, *KAFKA_CASES)
TRUST: Final = TrustSet(frozenset())
KEY_POLICY: Final = a_policy(allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), "key policy")
"""What the console writes: the account's own policies decide."""
STRANGER: Final = "111122223333"
QUOTED: Final = re.compile(r"'(\w+)'")


def offline_check(event: str, properties: dict[str, Any], resources: dict[str, Any] | None = None) -> OfflineCheck:
    """Return what `permission-guard check` asks of the mapping that SAM makes of an event."""
    about = {
        "InlineCode": "#",
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "Events": {"On": {"Type": event, "Properties": copy.deepcopy(properties)}},
    }
    function = {"Type": "AWS::Serverless::Function", "Properties": about}
    template = {"Transform": TRANSFORM, "Resources": {"Bill": function, **copy.deepcopy(resources or {})}}
    asked = contents(template, Place(ACCOUNT, REGION, "aws"), TRUST, {}).offline_checks
    (found,) = [one for one in asked if one.source_id == "BillOn"]
    return found


@cache
def published() -> dict[str, Any]:
    """Return AWS's managed policies by their names."""
    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return found


def made(case: Case) -> tuple[EventSourceMapping, Role]:
    """Return the mapping and the role that SAM makes, with AWS's managed policies as they are."""
    (world,) = offline_check(case.event, case.properties, case.resources).scenarios
    assert not isinstance(world.snapshot.mappings, Unread)
    (mapping,) = world.snapshot.mappings
    (role,) = world.snapshot.roles.values()
    assert isinstance(role, Role)
    documents = {arn: published()[arn.rpartition("/")[2]]["Document"] for arn in role.attached}
    return mapping, replace(role, attached={arn: a_policy(document, arn) for arn, document in documents.items()})


def judged(case: Case) -> tuple[Lack, Lack]:
    """Return what SAM's role lacks of what SAM's mapping needs, and of what nobody can tell.

    Keys apart, nothing in the own account has a policy that lets the role in; what others have is not known.
    """
    mapping, role = made(case)
    source = event_source_of(mapping)
    assert source is not None
    missing: defaultdict[NeedKind, set[str]] = defaultdict(set)
    unsure: defaultdict[NeedKind, set[str]] = defaultdict(set)
    for need in source.needs(mapping, case.sources):
        own = {} if STRANGER in need.resource else {need.resource: None}
        decision = decide(need, role, mapping.function_arn, {**own, KEY: KEY_POLICY})
        if not decision.allowed and not need.recommended:
            (missing if decision.denied else unsure)[need.kind].add(need.action)
    return (
        {kind: frozenset(actions) for kind, actions in missing.items()},
        {kind: frozenset(actions) for kind, actions in unsure.items()},
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_role_that_sam_makes_lacks_what_the_table_says(case: Case) -> None:
    """Most lack nothing; where one does, the table says who is right."""
    assert judged(case) == (case.lacks, case.unsure), case.why


@pytest.mark.parametrize("case", [case for case in CASES if READ not in case.lacks], ids=lambda case: case.name)
def test_the_command_finds_no_fault_with_reading(case: Case) -> None:
    """Whoever checks a template of SAM's is not told of anything that is as it should be."""
    verdicts = list(judge(offline_check(case.event, case.properties, case.resources), [EventSourceReadMissing(TRUST)]))
    assert verdicts
    assert [verdict.reason for verdict in verdicts if verdict.outcome is Outcome.VIOLATION] == []


# ── That nothing of SAM's is forgotten ──────────────────────────────────────────────────────────────────────────────


def subclasses(kind: type[Any]) -> set[type[Any]]:
    """Return a class's heirs, and theirs."""
    return {heir for one in kind.__subclasses__() for heir in (one, *subclasses(one))}


def test_there_is_a_case_for_each_event_type_that_lambda_polls() -> None:
    """When SAM has a new one, it is to be judged here."""
    known = sam_resources.SamFunction.event_resolver.resource_types
    resolved = {name for name, kind in known.items() if name and issubclass(kind, PullEventSource)}
    assert {kind.resource_type for kind in subclasses(PullEventSource)} == resolved
    assert {case.event for case in CASES} == resolved == PULLED


def test_there_is_a_case_for_each_property_on_which_a_role_may_hang() -> None:
    """When SAM has a new one, somebody is to look what it takes."""
    properties = {name for kind in subclasses(PullEventSource) for name in kind.property_types}
    used = {name for case in CASES for name in case.properties}
    assert used <= properties
    assert properties - used == TAKE_NOTHING.keys()


def types_of(event: str) -> set[str]:
    """Return the types of SourceAccessConfigurations that the cases of an event have."""
    cases = (case for case in CASES if case.event == event)
    return {entry["Type"] for case in cases for entry in case.properties.get("SourceAccessConfigurations", ())}


def test_there_is_a_case_for_each_way_to_sign_in_to_a_cluster_of_ones_own() -> None:
    """As SAM lists them; it knows three more in other places."""
    listed = {*SelfManagedKafka.AUTH_MECHANISM, *SelfManagedKafka.OAUTH_METADATA_TYPES}
    assert types_of("SelfManagedKafka") - listed == {"SERVER_ROOT_CA_CERTIFICATE", "VPC_SECURITY_GROUP", "VPC_SUBNET"}
    assert listed <= types_of("SelfManagedKafka")


@pytest.mark.parametrize("event", ["MQ", "DocumentDB"])
def test_there_is_a_case_for_each_way_to_sign_in_that_sam_supports(event: str) -> None:
    """Asked for one that there is not, SAM lists them."""
    (case, *_) = [case for case in CASES if case.event == event]
    odd = {**case.properties, "SourceAccessConfigurations": [{"Type": "PALM_READING", "URI": "hand"}]}
    with pytest.raises(InputError, match="The supported values are") as refused:
        offline_check(event, odd)
    assert set(QUOTED.findall(str(refused.value))) == types_of(event)


def test_there_is_a_case_for_each_type_of_destination() -> None:
    """Asked for one that there is not, SAM lists them."""
    (case, *_) = [case for case in CASES if case.event == "Kinesis"]
    odd = {"OnFailure": {"Type": "Bottle", "Destination": "sea"}}
    with pytest.raises(InputError, match="only valid values for 'Type'") as refused:
        offline_check("Kinesis", {**case.properties, "DestinationConfig": odd})
    configs = [case.properties.get("DestinationConfig", {}) for case in CASES]
    types = {config["OnFailure"]["Type"] for config in configs if "Type" in config.get("OnFailure", {})}
    assert set(QUOTED.findall(str(refused.value))) - {"Type"} == types


def test_cases_have_names_of_their_own_and_a_reason() -> None:
    """A name that comes twice would hide a case."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.why.endswith(".") for case in CASES)
