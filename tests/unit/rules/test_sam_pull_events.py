"""The role that AWS SAM's translator creates for each kind of event that Lambda polls, and what it lacks."""

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
from permission_guard.offline.deployment import GivenPlace
from permission_guard.offline.documents import contents
from permission_guard.offline.scenarios import evaluate_check
from permission_guard.offline.transforms import SAM
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from tests.fakes import ACCOUNT, REGION, a_policy, allow
from tests.unit.needs.event_sources.needs_table import KEY
from tests.unit.rules.sam_events import PULLED
from tests.unit.rules.sam_kafka_events import KAFKA_CASES
from tests.unit.rules.sam_pull_events import OTHER_CASES, READ, WITHOUT_PERMISSIONS, Case, Lack

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping
    from permission_guard.needs.base import NeedKind
    from permission_guard.offline.scenarios import OfflineCheck

CASES: Final = (*OTHER_CASES, *KAFKA_CASES)
TRUST: Final = TrustSet(frozenset())
KEY_POLICY: Final = a_policy(allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), "key policy")
"""The key policy that the console writes: the account's IAM policies decide."""
OTHER_ACCOUNT: Final = "111122223333"
QUOTED: Final = re.compile(r"'(\w+)'")


def offline_check(event: str, properties: dict[str, Any], resources: dict[str, Any] | None = None) -> OfflineCheck:
    """Return the check that `permission-guard check` runs for the mapping of a SAM event."""
    properties_of_function = {
        "InlineCode": "#",
        "Handler": "index.handler",
        "Runtime": "python3.13",
        "Events": {"On": {"Type": event, "Properties": copy.deepcopy(properties)}},
    }
    function = {"Type": "AWS::Serverless::Function", "Properties": properties_of_function}
    template = {"Transform": SAM, "Resources": {"Bill": function, **copy.deepcopy(resources or {})}}
    checks = contents(template, GivenPlace(ACCOUNT, REGION), TRUST, {}).offline_checks
    (found,) = [one for one in checks if one.source_id == "BillOn"]
    return found


@cache
def published() -> dict[str, Any]:
    """Return AWS's managed policies by their names."""
    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return found


def created(case: Case) -> tuple[EventSourceMapping, Role]:
    """Return the mapping and the role that SAM creates, with the documents of AWS's managed policies."""
    (scenario,) = offline_check(case.event, case.properties, case.resources).scenarios
    assert not isinstance(scenario.snapshot.mappings, Unread)
    (mapping,) = scenario.snapshot.mappings
    (role,) = scenario.snapshot.roles.values()
    assert isinstance(role, Role)
    documents = {arn: published()[arn.rpartition("/")[2]]["Document"] for arn in role.attached}
    return mapping, replace(role, attached={arn: a_policy(document, arn) for arn, document in documents.items()})


def evaluated(case: Case) -> tuple[Lack, Lack]:
    """Return the needs of SAM's mapping that SAM's role lacks, and those whose outcome is unknown.

    Only keys of this account have a resource-based policy. The policies of other accounts are unknown.
    """
    mapping, role = created(case)
    source = event_source_of(mapping)
    assert source is not None
    missing: defaultdict[NeedKind, set[str]] = defaultdict(set)
    unknown: defaultdict[NeedKind, set[str]] = defaultdict(set)
    for need in source.needs(mapping, case.sources):
        own = {} if OTHER_ACCOUNT in need.resource else {need.resource: None}
        decision = decide(need, role, mapping.function_arn, {**own, KEY: KEY_POLICY})
        if not decision.allowed and not need.recommended:
            (missing if decision.denied else unknown)[need.kind].add(need.action)
    return (
        {kind: frozenset(actions) for kind, actions in missing.items()},
        {kind: frozenset(actions) for kind, actions in unknown.items()},
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_role_that_sam_creates_lacks_what_the_table_lists(case: Case) -> None:
    """Most roles lack nothing; if one does, the table has the reason."""
    assert evaluated(case) == (case.lacks, case.unknown), case.why


@pytest.mark.parametrize("case", [case for case in CASES if READ not in case.lacks], ids=lambda case: case.name)
def test_the_command_reports_no_missing_read_permission(case: Case) -> None:
    """A check of a correct SAM template has no false positive."""
    check = offline_check(case.event, case.properties, case.resources)
    verdicts = list(evaluate_check(check, [EventSourceReadMissing(TRUST)]))
    assert verdicts
    assert [verdict.reason for verdict in verdicts if verdict.outcome is Outcome.VIOLATION] == []


# ── All of SAM is covered ───────────────────────────────────────────────────────────────────────────────────────────


def subclasses(kind: type[Any]) -> set[type[Any]]:
    """Return the subclasses of a class, recursively."""
    return {child for one in kind.__subclasses__() for child in (one, *subclasses(one))}


def test_there_is_a_case_for_each_event_type_that_lambda_polls() -> None:
    """A new event type of SAM needs a case here."""
    known = sam_resources.SamFunction.event_resolver.resource_types
    resolved = {name for name, kind in known.items() if name and issubclass(kind, PullEventSource)}
    assert {kind.resource_type for kind in subclasses(PullEventSource)} == resolved
    assert {case.event for case in CASES} == resolved == PULLED


def test_there_is_a_case_for_each_property_that_may_require_a_permission() -> None:
    """A new property of SAM needs a case here, or an entry in `WITHOUT_PERMISSIONS`."""
    properties = {name for kind in subclasses(PullEventSource) for name in kind.property_types}
    used = {name for case in CASES for name in case.properties}
    assert used <= properties
    assert properties - used == WITHOUT_PERMISSIONS.keys()


def types_of(event: str) -> set[str]:
    """Return the types of SourceAccessConfigurations in the cases of an event."""
    cases = (case for case in CASES if case.event == event)
    return {entry["Type"] for case in cases for entry in case.properties.get("SourceAccessConfigurations", ())}


def test_there_is_a_case_for_each_authentication_of_a_self_managed_cluster() -> None:
    """SAM lists them; it supports three more types in other places."""
    listed = {*SelfManagedKafka.AUTH_MECHANISM, *SelfManagedKafka.OAUTH_METADATA_TYPES}
    assert types_of("SelfManagedKafka") - listed == {"SERVER_ROOT_CA_CERTIFICATE", "VPC_SECURITY_GROUP", "VPC_SUBNET"}
    assert listed <= types_of("SelfManagedKafka")


@pytest.mark.parametrize("event", ["MQ", "DocumentDB"])
def test_there_is_a_case_for_each_authentication_that_sam_supports(event: str) -> None:
    """The error message of SAM for an invalid one lists them."""
    (case, *_) = [case for case in CASES if case.event == event]
    odd = {**case.properties, "SourceAccessConfigurations": [{"Type": "PALM_READING", "URI": "hand"}]}
    with pytest.raises(InputError, match="The supported values are") as error:
        offline_check(event, odd)
    assert set(QUOTED.findall(str(error.value))) == types_of(event)


def test_there_is_a_case_for_each_type_of_destination() -> None:
    """The error message of SAM for an invalid one lists them."""
    (case, *_) = [case for case in CASES if case.event == "Kinesis"]
    odd = {"OnFailure": {"Type": "Bottle", "Destination": "sea"}}
    with pytest.raises(InputError, match="only valid values for 'Type'") as error:
        offline_check("Kinesis", {**case.properties, "DestinationConfig": odd})
    configs = [case.properties.get("DestinationConfig", {}) for case in CASES]
    types = {config["OnFailure"]["Type"] for config in configs if "Type" in config.get("OnFailure", {})}
    assert set(QUOTED.findall(str(error.value))) - {"Type"} == types


def test_cases_have_names_of_their_own_and_a_reason() -> None:
    """A duplicate name would hide a case."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.why.endswith(".") for case in CASES)
