"""What must be read to decide what a mapping needs: each doubt that reading can remove names it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from permission_guard.model.state import SourceState
from permission_guard.needs.event_sources import event_source_of
from tests.fakes import THROTTLED
from tests.unit.needs.event_sources.needs_table import (
    BROKER,
    CASES,
    CLUSTER,
    CONSUMER,
    DOCUMENTS,
    KEY,
    QUEUE,
    SECRET,
    STREAM,
    TABLE,
    Case,
    mapping,
    msk,
)

if TYPE_CHECKING:
    from permission_guard.model.state import EventSourceMapping, Sources
    from permission_guard.needs.base import Need

EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def needs_of(case: Case, sources: Sources) -> tuple[Need, ...]:
    """Return all needs of a mapping, for what was read."""
    source = event_source_of(case.mapping)
    assert source is not None
    return source.needs(case.mapping, sources)


def unread(case: Case, sources: Sources) -> set[str]:
    """Return what must be read."""
    return {need.unread for need in needs_of(case, sources)} - {""}


@EACH
def test_every_doubt_about_an_unread_resource_names_that_resource(case: Case) -> None:
    """No other need names one: nothing is read without effect."""
    for need in needs_of(case, {}):
        was_not_read = need.doubt.endswith(", which was not read")
        assert need.unread if was_not_read else not need.unread or "*" in need.resource, need


@EACH
def test_after_reading_nothing_is_left_to_read(case: Case) -> None:
    """No resource is read twice."""
    known = SourceState(
        KEY, is_serverless=False, uses_iam=True, parameter_group="default", subnet_group="private", is_public=False
    )
    states = dict.fromkeys(unread(case, {}), known)
    assert unread(case, states) == set()


@EACH
def test_a_resource_that_could_not_be_read_must_still_be_read(case: Case) -> None:
    """The doubt stays, and still names the resource."""
    wanted = unread(case, {})
    assert unread(case, dict.fromkeys(wanted, THROTTLED)) == wanted


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (mapping(QUEUE), {QUEUE}),
        (mapping(CONSUMER), {STREAM}),
        (mapping(TABLE), {TABLE}),
        (msk(), {CLUSTER}),
        (msk(("SASL_SCRAM_512_AUTH", SECRET)), {CLUSTER, SECRET}),
        (msk(("SASL_SCRAM_512_AUTH", "orders")), {CLUSTER, "orders"}),
        (mapping(BROKER, ("BASIC_AUTH", SECRET)), {BROKER, SECRET}),
        (mapping(DOCUMENTS), {DOCUMENTS}),
    ],
)
def test_a_resource_to_read_is_named_as_in_the_mapping(of: EventSourceMapping, expected: set[str]) -> None:
    """A secret by its name, if the mapping has only that; a consumer has the key of its stream."""
    assert unread(Case(of, []), {}) == expected


def test_the_groups_of_a_documentdb_cluster_are_named_if_they_were_read() -> None:
    """Before that, any group is possible."""
    case = Case(mapping(DOCUMENTS), [])
    state = SourceState(parameter_group="orders", subnet_group="private")
    named = [need.resource.rpartition(":")[2] for need in needs_of(case, {DOCUMENTS: state})[1:3]]
    assert named == ["orders", "private"]
    half = replace(state, subnet_group=None)
    assert [need.unread for need in needs_of(case, {DOCUMENTS: half})[1:3]] == ["", DOCUMENTS]


def test_a_cluster_behind_a_managed_connection_is_not_read() -> None:
    """It belongs to another account, which would have to allow the bot."""
    connection = "arn:aws:kafka:us-east-1:123456789012:vpc-connection/111122223333/orders/51jn98b4-7"
    assert unread(Case(mapping(connection), []), {}) == set()
