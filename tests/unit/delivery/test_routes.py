"""A finding goes to the default destinations and to those of every route that matches it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permission_guard.config.destinations import Route
from permission_guard.delivery.routes import channels_of, tickets_of
from permission_guard.model.findings import Finding
from permission_guard.model.verdicts import Severity
from tests.paths import FINDINGS

OPENED: Final = Finding.from_document(json.loads((FINDINGS / "opened.json").read_text()))
FUNCTION: Final = replace(
    OPENED,
    severity=Severity.HIGH,
    rule_id="PG107",
    account="123456789012",
    function_arn="arn:aws:lambda:us-east-1:123456789012:function:pay-card:live",
    tags={"team": "payments", "stage": "prod"},
)
ROLE: Final = replace(
    FUNCTION,
    rule_id="PG209",
    function_arn="",
    role_arn="arn:aws:iam::123456789012:role/shared",
    functions=(
        "arn:aws:lambda:us-east-1:123456789012:function:pay-card",
        "arn:aws:lambda:us-east-1:123456789012:function:web",
    ),
    function_count=2,
)
KNOWN: Final = ("sns", "slack", "payments", "oncall")
DEFAULT: Final = ("sns", "slack")


def channels(finding: Finding, *routes: Route) -> tuple[str, ...]:
    """Return the channels of a finding in a stack with all of the channels."""
    return channels_of(finding, routes, default=DEFAULT, known=KNOWN)


def route(**keys: Any) -> Route:
    """Return a route to one channel."""
    return Route(**{"id": "payments", "channels": ("payments",), **keys})


def test_without_routes_a_finding_goes_to_the_default_channels() -> None:
    """In the order of the stack."""
    assert channels(FUNCTION) == DEFAULT


@pytest.mark.parametrize(
    ("finding", "keys", "matches"),
    [
        (FUNCTION, {}, True),
        (FUNCTION, {"severities": (Severity.HIGH, Severity.CRITICAL)}, True),
        (FUNCTION, {"severities": (Severity.LOW,)}, False),
        (FUNCTION, {"rules": ("PG101", "PG107")}, True),
        (FUNCTION, {"rules": ("PG101",)}, False),
        (FUNCTION, {"accounts": ("123456789012",)}, True),
        (FUNCTION, {"accounts": ("111122223333",)}, False),
        (FUNCTION, {"functions": ("shop-*", "pay-*")}, True),
        (FUNCTION, {"functions": ("arn:aws:lambda:us-east-1:123456789012:function:pay-card",)}, True),
        (FUNCTION, {"functions": ("live", "*east*")}, False),
        (FUNCTION, {"tags": {"team": "pay*"}}, True),
        (FUNCTION, {"tags": {"team": "pay*", "stage": "prod"}}, True),
        (FUNCTION, {"tags": {"team": "pay*", "stage": "dev"}}, False),
        (FUNCTION, {"tags": {"owner": "*"}}, False),
        (FUNCTION, {"severities": (Severity.HIGH,), "rules": ("PG101",)}, False),
        (replace(FUNCTION, tags={}), {"tags": {"team": "*"}}, False),
        (ROLE, {"functions": ("pay-*",)}, True),
        (ROLE, {"functions": ("shop-*",)}, False),
        (ROLE, {"tags": {"team": "*"}}, False),
        (ROLE, {"accounts": ("123456789012",)}, True),
    ],
)
def test_a_finding_matches_every_key_of_a_route(finding: Finding, keys: dict[str, Any], matches: bool) -> None:
    """Each key by itself, and together."""
    assert channels(finding, route(**keys)) == ((*DEFAULT, "payments") if matches else DEFAULT)


def test_all_routes_that_match_apply_and_each_channel_is_named_once() -> None:
    """The default channels come first, then the routes in their order."""
    routes = (route(channels=("oncall", "sns")), route(channels=("payments", "oncall")), route(rules=("PG101",)))
    assert channels(FUNCTION, *routes) == ("sns", "slack", "oncall", "payments")


def test_only_replaces_the_default_destinations_of_the_kinds_that_the_route_names() -> None:
    """A route to a channel leaves the ticket where it was."""
    only = route(severities=(Severity.HIGH,), only=True)
    assert channels(FUNCTION, only) == ("payments",)
    assert channels(FUNCTION, only, route(channels=("oncall",))) == ("payments", "oncall")
    assert channels(replace(FUNCTION, severity=Severity.LOW), only) == DEFAULT
    assert tickets_of(FUNCTION, [only], default=("jira",), known=("jira", "shop")) == ("jira",)
    both = replace(only, tickets=("shop",))
    assert tickets_of(FUNCTION, [both], default=("jira",), known=("jira", "shop")) == ("shop",)


def test_a_channel_that_the_stack_does_not_have_replaces_nothing() -> None:
    """Otherwise a finding would be sent nowhere, for example after Slack was removed from the stack."""
    only = route(channels=("slack",), only=True)
    assert channels_of(FUNCTION, [only], default=("sns",), known=("sns", "payments")) == ("sns",)


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({}, False),
        ({"functions": ROLE.functions[:1], "function_count": 1}, True),
        ({"functions": ROLE.functions[:1], "function_count": 101}, False),
        ({"functions": (), "function_count": 0}, False),
    ],
)
def test_a_route_with_only_takes_the_finding_of_a_role_that_is_used_by_its_functions_alone(
    changes: dict[str, Any],
    replaced: bool,
) -> None:
    """The owners of the other functions would hear nothing."""
    found = channels(replace(ROLE, **changes), route(functions=("pay-*",), only=True))
    assert ("sns" not in found) == replaced


names = st.sampled_from(KNOWN)
keys = st.fixed_dictionaries(
    {"channels": st.lists(names, min_size=1, max_size=3).map(tuple), "only": st.booleans()},
    optional={
        "severities": st.lists(st.sampled_from(Severity), min_size=1).map(tuple),
        "rules": st.lists(st.sampled_from(["PG107", "PG101"]), min_size=1).map(tuple),
        "functions": st.lists(st.sampled_from(["pay-*", "web", "*"]), min_size=1).map(tuple),
    },
)
tags = st.dictionaries(
    st.sampled_from(["team", "owner", "stage"]), st.sampled_from(["payments", "prod", "*", "a"]), max_size=3
)


@given(
    plain=st.lists(keys, max_size=3),
    tagged=st.lists(st.tuples(keys, tags.filter(bool)), max_size=3),
    own_tags=tags,
    severity=st.sampled_from(Severity),
)
def test_tags_add_destinations_and_never_take_a_high_or_critical_finding_from_the_default_ones(
    plain: list[dict[str, Any]],
    tagged: list[tuple[dict[str, Any], dict[str, str]]],
    own_tags: dict[str, str],
    severity: Severity,
) -> None:
    """Whatever the tags of a function are: what it gets without its tags, it gets with them."""
    routes = [*(route(**one) for one in plain), *(route(**one, tags=wanted) for one, wanted in tagged)]
    finding = replace(FUNCTION, severity=severity, tags=own_tags)
    without, found = channels(replace(finding, tags={}), *routes), channels(finding, *routes)
    if severity in (Severity.HIGH, Severity.CRITICAL):
        assert set(found) >= set(without)
    assert found
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("severity", [Severity.HIGH, Severity.CRITICAL])
def test_a_document_that_was_not_validated_takes_no_high_finding_by_its_tags_either(severity: Severity) -> None:
    """The reader refuses such a route; the tags of a low finding may replace the default channels."""
    only = route(tags={"team": "payments"}, only=True)
    assert channels(replace(FUNCTION, severity=severity), only) == (*DEFAULT, "payments")
    assert channels(replace(FUNCTION, severity=Severity.MEDIUM), only) == ("payments",)
