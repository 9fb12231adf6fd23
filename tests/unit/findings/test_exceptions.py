"""Which findings the exceptions and tags suppress: exactly those that match everything an exception names."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.config.document import ExceptionEntry, Exclusion, FunctionTags, GuardConfig
from permission_guard.findings.exceptions import Exceptions, exclusion_of, exclusions_by_tag, needs_tags
from permission_guard.model.state import Unread
from permission_guard.model.suppressions import SuppressedBy, Suppression
from tests.fakes import ACCOUNT, FUNCTION_ARN, NOW, OTHER, ROLE_ARN, TARGET, a_finding

if TYPE_CHECKING:
    from permission_guard.model.findings import Finding

UNREAD = Unread("lambda:ListTags", "AccessDenied", "no", denied=True)
STATEMENT = a_finding(rule_id="PG107", subject="statement/public")
OF_ALIAS = replace(STATEMENT, function_arn=f"{FUNCTION_ARN}:live")
OF_ROLE = a_finding(
    rule_id="PG208",
    function_arn="",
    role_arn=ROLE_ARN,
    subject="trust/orders-role/x",
    functions=(FUNCTION_ARN, OTHER.arn),
    function_count=2,
)


def entry(**more: Any) -> ExceptionEntry:
    """Return an exception of two rules until the end of the year."""
    values: dict[str, Any] = {
        "id": "public-site",
        "rules": ("PG107", "PG208"),
        "reason": "Our web site.",
        "owner": "team web",
        "expires": datetime.fromisoformat("2026-12-31T00:00:00+00:00"),
    }
    return ExceptionEntry(**{**values, **more})


def suppression(finding: Finding, *entries: ExceptionEntry, tags: Any = None, now: str = NOW) -> Suppression | None:
    """Return what suppresses a finding."""
    return Exceptions(GuardConfig(exceptions=entries), tags, now).suppression_of(finding)


@pytest.mark.parametrize(
    ("finding", "named"),
    [
        (STATEMENT, {"functions": ("orders",)}),
        (STATEMENT, {"functions": ("invoices", "ord*")}),
        (STATEMENT, {"functions": ("o?ders",)}),
        (STATEMENT, {"functions": (FUNCTION_ARN,)}),
        (OF_ALIAS, {"functions": (FUNCTION_ARN,)}),
        (OF_ALIAS, {"functions": ("orders",), "qualifiers": ("live", "2")}),
        (STATEMENT, {"functions": ("orders",), "qualifiers": ("$LATEST",)}),
        (STATEMENT, {"accounts": (ACCOUNT,)}),
        (STATEMENT, {"sid": "pub*"}),
        (STATEMENT, {"subject": "statement/public"}),
        (STATEMENT, {"tags": {"stage": "dev*"}}),
        (OF_ROLE, {"roles": ("orders-*",)}),
        (OF_ROLE, {"functions": ("orders", "invoices")}),
        (OF_ROLE, {"subject": "trust/*"}),
        (OF_ROLE, {"sid": "x"}),
        (OF_ROLE, {"sid": "?", "roles": ("orders-role",)}),
    ],
)
def test_a_finding_that_matches_everything_is_suppressed(finding: Finding, named: dict[str, Any]) -> None:
    """With the reason, the owner and the end of the exception."""
    found = suppression(finding, entry(**named), tags={"stage": "dev-1"})
    assert found == Suppression(
        by=SuppressedBy.EXCEPTION,
        reason="Our web site.",
        owner="team web",
        until="2026-12-31T00:00:00+00:00",
        exception="public-site",
    )


@pytest.mark.parametrize(
    ("finding", "named"),
    [
        (STATEMENT, {"rules": ("PG101",), "functions": ("orders",)}),
        (STATEMENT, {"functions": ("order",)}),
        (STATEMENT, {"functions": ("[o]rders",)}),
        (STATEMENT, {"functions": ("ORDERS",)}),
        (STATEMENT, {"functions": ("a*", "*function*", "*-1*", "*:orders", "arn*")}),
        (OF_ALIAS, {"functions": ("*live", "*:live")}),
        (STATEMENT, {"functions": (f"{FUNCTION_ARN}:live",)}),
        (STATEMENT, {"functions": ("orders",), "qualifiers": ("live",)}),
        (OF_ALIAS, {"functions": ("orders",), "qualifiers": ("$LATEST",)}),
        (STATEMENT, {"functions": ("orders",), "accounts": ("111122223333",)}),
        (STATEMENT, {"functions": ("orders",), "sid": "private"}),
        (STATEMENT, {"sid": "publi"}),
        (STATEMENT, {"subject": "statement"}),
        (replace(STATEMENT, subject="public"), {"sid": "public"}),
        (replace(STATEMENT, subject="mapping/public"), {"sid": "public"}),
        (OF_ROLE, {"sid": "y"}),
        (OF_ROLE, {"sid": "orders-role*"}),
        (STATEMENT, {"tags": {"stage": "prod"}}),
        (STATEMENT, {"tags": {"stage": "*", "team": "*"}}),
        (STATEMENT, {"roles": ("*",)}),
        (OF_ROLE, {"roles": ("other",)}),
        (OF_ROLE, {"functions": ("orders",)}),
        (replace(OF_ROLE, function_count=3), {"functions": ("orders", "invoices")}),
        (replace(OF_ROLE, functions=(), function_count=0), {"functions": ("*",)}),
        (OF_ROLE, {"tags": {"stage": "dev*"}}),
        (OF_ROLE, {"roles": ("orders-*",), "qualifiers": ("$LATEST",)}),
        (STATEMENT, {"functions": ("orders",), "expires": datetime.fromisoformat(NOW)}),
    ],
)
def test_a_finding_that_misses_one_thing_is_not(finding: Finding, named: dict[str, Any]) -> None:
    """An exception that names some functions of a role does not hide what concerns the others."""
    assert suppression(finding, entry(**named), tags={"stage": "dev-1"}) is None


def test_the_first_exception_in_force_counts() -> None:
    """An expired one does not hide the next."""
    old = entry(id="old", functions=("orders",), expires=datetime.fromisoformat(NOW))
    found = suppression(STATEMENT, old, entry(functions=("orders",)), entry(id="later", functions=("*s",)))
    assert found
    assert found.exception == "public-site"


@pytest.mark.parametrize("tags", [None, UNREAD])
def test_tags_that_were_not_read_suppress_nothing_new(tags: Any) -> None:
    """Unknown is not an exception."""
    assert suppression(STATEMENT, entry(tags={"stage": "dev"}), tags=tags) is None


def test_what_depends_on_tags_stays_suppressed_while_they_cannot_be_read() -> None:
    """Until its end, and as long as the configuration has the exception for it."""
    by_tags = entry(tags={"stage": "dev"})
    found = suppression(STATEMENT, by_tags, tags={"stage": "dev"})
    held = replace(STATEMENT, suppression=found)
    assert suppression(held, by_tags, tags=UNREAD) == found
    assert suppression(held, by_tags, tags={}) is None
    assert suppression(held, tags=UNREAD) is None
    assert suppression(held, replace(by_tags, functions=("invoices",)), tags=UNREAD) is None
    assert suppression(held, by_tags, tags=UNREAD, now="2026-12-31T00:00:00+00:00") is None


# ── Tags on functions ───────────────────────────────────────────────────────────────────────────────────────────────


def by_tag(finding: Finding, ignore: str, until: str, allowed: FunctionTags | None = None) -> Suppression | None:
    """Return what the tags of a function suppress."""
    config = GuardConfig(function_tags=allowed or FunctionTags(enabled=True))
    tags = {"permission-guard:ignore": ignore, "permission-guard:ignore-until": until}
    return Exceptions(config, tags, NOW).suppression_of(finding)


@pytest.mark.parametrize("ignore", ["PG107", "PG101,PG107", "PG101 pg107", "PG101/PG107", "PG101:PG107"])
@pytest.mark.parametrize("until", ["2027-01-31", "2027-01-31T00:00:00+00:00", "2027-01-31T01:00:00+01:00"])
def test_a_function_s_tags_suppress_the_rules_that_they_name(ignore: str, until: str) -> None:
    """Until the day that the other tag names."""
    found = by_tag(STATEMENT, ignore, until)
    assert found
    assert (found.by, found.until) == (SuppressedBy.FUNCTION_TAG, "2027-01-31T00:00:00+00:00")


@pytest.mark.parametrize(
    ("ignore", "until"),
    [
        ("PG101", "2027-01-31"),
        ("*", "2027-01-31"),
        ("PG1070", "2027-01-31"),
        ("", "2027-01-31"),
        ("PG107", ""),
        ("PG107", "forever"),
        ("PG107", "2026-11-20"),
        ("PG107", "2027-12-31"),
        ("PG107", "2027-01-31T00:00:00"),
        ("PG107", "2027-02-30"),
    ],
)
def test_tags_without_the_rule_or_a_date_within_a_year_suppress_nothing(ignore: str, until: str) -> None:
    """Nothing is ignored forever."""
    assert by_tag(STATEMENT, ignore, until) is None


def test_tags_count_only_where_the_configuration_allows_them() -> None:
    """Whoever can tag a function could hide its findings. A role has no function whose tags could count."""
    until = "2027-01-31"
    assert by_tag(STATEMENT, "PG107", until, FunctionTags()) is None
    assert by_tag(STATEMENT, "PG107", until, FunctionTags(enabled=True, rules=("PG101",))) is None
    assert by_tag(STATEMENT, "PG107", until, FunctionTags(enabled=True, rules=("PG107",)))
    assert by_tag(OF_ROLE, "PG208", until) is None


# ── Exclusions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tags_are_read_only_if_something_depends_on_them() -> None:
    """They cost a call to Lambda for each check with a violation."""
    assert not needs_tags(GuardConfig(exceptions=(entry(functions=("orders",)),)))
    assert needs_tags(GuardConfig(exceptions=(entry(tags={"a": "b"}),)))
    assert needs_tags(GuardConfig(function_tags=FunctionTags(enabled=True)))
    assert not exclusions_by_tag(GuardConfig(exclusions=(Exclusion(reason="x", functions=("a*",)),)))
    assert exclusions_by_tag(GuardConfig(exclusions=(Exclusion(reason="x", tags={"a": "b"}),)))


@pytest.mark.parametrize(
    ("exclusion", "tags", "excluded"),
    [
        (Exclusion(reason="x", functions=("ord*",)), None, True),
        (Exclusion(reason="x", functions=("inv*",)), None, False),
        (Exclusion(reason="x", functions=("a*", "*function*", "*-1*")), None, False),
        (Exclusion(reason="x", functions=(FUNCTION_ARN,)), None, True),
        (Exclusion(reason="x", functions=("ord*",), accounts=("111122223333",)), None, False),
        (Exclusion(reason="x", tags={"stage": "dev"}), {"stage": "dev"}, True),
        (Exclusion(reason="x", tags={"stage": "dev"}), {"stage": "prod"}, False),
        (Exclusion(reason="x", tags={"stage": "dev"}), UNREAD, False),
        (Exclusion(reason="x", tags={"stage": "dev"}), None, False),
    ],
)
def test_an_exclusion_is_for_functions_that_match_all_of_it(exclusion: Exclusion, tags: Any, *, excluded: bool) -> None:
    """Unread tags exclude nothing."""
    found = exclusion_of(GuardConfig(exclusions=(exclusion,)), TARGET, tags)
    assert found == (exclusion if excluded else None)
