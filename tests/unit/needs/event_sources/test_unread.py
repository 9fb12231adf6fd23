"""What would have to be read to tell what a mapping needs: each doubt that reading can settle says it."""

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
    """Return all that a mapping needs, as far as something was read."""
    source = event_source_of(case.mapping)
    assert source is not None
    return source.needs(case.mapping, sources)


def unread(case: Case, sources: Sources) -> set[str]:
    """Return what would have to be read."""
    return {need.unread for need in needs_of(case, sources)} - {""}


@EACH
def test_every_doubt_about_what_was_not_read_says_what_would_have_to_be_read(case: Case) -> None:
    """Nothing else says it: what reading does not tell is not read in vain."""
    for need in needs_of(case, {}):
        was_not_read = need.doubt.startswith("it was not read")
        assert need.unread if was_not_read else not need.unread or "*" in need.resource, need


@EACH
def test_once_it_was_read_nothing_is_left_to_read(case: Case) -> None:
    """Two calls for the same would be one too many."""
    known = SourceState(
        KEY, is_serverless=False, uses_iam=True, parameter_group="default", subnet_group="private", is_public=False
    )
    states = dict.fromkeys(unread(case, {}), known)
    assert unread(case, states) == set()


@EACH
def test_what_could_not_be_read_is_still_to_be_read(case: Case) -> None:
    """The doubt stays, and so does what it rests on."""
    wanted = unread(case, {})
    assert unread(case, dict.fromkeys(wanted, THROTTLED)) == wanted


@pytest.mark.parametrize(
    ("asked", "expected"),
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
def test_what_is_to_be_read_is_named_as_the_mapping_names_it(asked: EventSourceMapping, expected: set[str]) -> None:
    """A secret by its name, where that is all there is; a consumer has the key of its stream."""
    assert unread(Case(asked, []), {}) == expected


def test_the_groups_of_a_documentdb_cluster_are_named_once_they_are_known() -> None:
    """Before that, any group may be meant."""
    case = Case(mapping(DOCUMENTS), [])
    state = SourceState(parameter_group="orders", subnet_group="private")
    named = [need.resource.rpartition(":")[2] for need in needs_of(case, {DOCUMENTS: state})[1:3]]
    assert named == ["orders", "private"]
    half = replace(state, subnet_group=None)
    assert [need.unread for need in needs_of(case, {DOCUMENTS: half})[1:3]] == ["", DOCUMENTS]


def test_a_cluster_behind_a_managed_connection_is_not_to_be_read() -> None:
    """It is another account's, which would have to let the bot in."""
    connection = "arn:aws:kafka:us-east-1:123456789012:vpc-connection/111122223333/orders/51jn98b4-7"
    assert unread(Case(mapping(connection), []), {}) == set()
