"""A document becomes typed values, or an error with all of its mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from permission_guard.config.document import (
    AlertLimit,
    Alerts,
    Baseline,
    ExceptionEntry,
    Exclusion,
    FunctionTags,
    GuardConfig,
    Period,
    RuleConfig,
    Tickets,
    Trust,
)
from permission_guard.config.nodes import MAX_BYTES, MAX_NODES, MAX_PROBLEMS
from permission_guard.config.read import read_config, validate_config
from permission_guard.config.rule_names import ROLE_RULES, RULE_NAMES
from permission_guard.errors import ConfigurationDocumentError, Problem
from permission_guard.model.verdicts import Severity
from permission_guard.rules import RULES

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)

EXCEPTION: Final = {
    "id": "public-shop",
    "rules": ["PG107"],
    "functions": ["shop"],
    "reason": "The shop is public.",
    "owner": "team-shop",
    "expires": "2027-01-31",
}


def problems_of(text: str) -> list[Problem]:
    """Return the mistakes of a document."""
    with pytest.raises(ConfigurationDocumentError) as error:
        read_config(text, now=NOW)
    return list(error.value.problems)


@pytest.mark.parametrize("text", ["", "  \n", "{}", "null", "\ufeff{}"])
def test_an_empty_document_is_the_default_configuration(text: str) -> None:
    """Nothing deployed means the same as an empty document."""
    assert read_config(text, now=NOW) == GuardConfig()


def test_every_key_has_its_value() -> None:
    """Names of rules become ids, times become UTC, and prose becomes one line."""
    document = {
        "version": 1,
        "trust": {"accounts": ["111122223333"], "organizations": ["o-exampleorgid"]},
        "grace_period_seconds": 0,
        "rules": {"public-function-url": {"enabled": False}, "PG105": {"severity": "low"}},
        "exceptions": [
            EXCEPTION,
            {
                "id": "rest",
                "rules": ["role-shared", "PG208"],
                "roles": ["shared-*"],
                "accounts": ["123456789012"],
                "sid": "photos-?",
                "reason": "One role,\n  agreed.",
                "owner": "team",
                "expires": "2027-01-31T09:00:00+02:00",
            },
            {**EXCEPTION, "id": "live", "qualifiers": ["$LATEST", "3", "live"], "tags": {"team": "payments-*"}},
        ],
        "exclusions": [{"functions": ["tmp-*"], "reason": "They are deleted within a day."}],
        "function_tags": {"enabled": True, "rules": ["PG107"]},
        "alerts": {"min_severity": "high", "limit": {"messages": 2, "minutes": 60}, "digest": "off", "digest_hour": 0},
        "tickets": {"min_severity": "critical"},
        "baseline": "alert-each",
    }
    assert read_config(json.dumps(document), now=NOW) == GuardConfig(
        trust=Trust(accounts=("111122223333",), organizations=("o-exampleorgid",)),
        grace_period_seconds=0,
        rules={"PG107": RuleConfig(enabled=False), "PG105": RuleConfig(severity=Severity.LOW)},
        exceptions=(
            ExceptionEntry(
                id="public-shop",
                rules=("PG107",),
                functions=("shop",),
                reason="The shop is public.",
                owner="team-shop",
                expires=datetime(2027, 1, 31, tzinfo=UTC),
            ),
            ExceptionEntry(
                id="rest",
                rules=("PG209", "PG208"),
                roles=("shared-*",),
                accounts=("123456789012",),
                sid="photos-?",
                reason="One role, agreed.",
                owner="team",
                expires=datetime(2027, 1, 31, 7, tzinfo=UTC),
            ),
            ExceptionEntry(
                id="live",
                rules=("PG107",),
                functions=("shop",),
                qualifiers=("$LATEST", "3", "live"),
                tags={"team": "payments-*"},
                reason="The shop is public.",
                owner="team-shop",
                expires=datetime(2027, 1, 31, tzinfo=UTC),
            ),
        ),
        exclusions=(Exclusion(functions=("tmp-*",), reason="They are deleted within a day."),),
        function_tags=FunctionTags(enabled=True, rules=("PG107",)),
        alerts=Alerts(
            min_severity=Severity.HIGH, limit=AlertLimit(messages=2, minutes=60), digest=Period.OFF, digest_hour=0
        ),
        tickets=Tickets(min_severity=Severity.CRITICAL),
        baseline=Baseline.ALERT_EACH,
    )


def test_an_expired_exception_is_read_and_not_deployed_again() -> None:
    """A function goes on with the document that is deployed; whoever deploys it again cleans it up."""
    text = json.dumps({"exceptions": [{**EXCEPTION, "expires": "2026-11-29"}]})
    assert read_config(text, now=NOW).exceptions[0].expires == datetime(2026, 11, 29, tzinfo=UTC)
    with pytest.raises(ConfigurationDocumentError, match=r'exceptions\[0\]\.expires: "2026-11-29" is in the past'):
        validate_config(text, now=NOW)


def test_the_last_day_of_an_exception_is_a_year_away() -> None:
    """366 days, so that the same day of next year is never too late."""
    text = json.dumps({"exceptions": [{**EXCEPTION, "expires": "2027-11-30"}]})
    assert validate_config(text, now=NOW).exceptions
    [problem] = problems_of(text.replace("2027-11-30", "2027-12-01"))
    assert problem.message == '"2027-12-01" is more than a year away. The latest date is 2027-11-30.'


def test_all_mistakes_are_found_at_once() -> None:
    """Each with the path of its key."""
    found = problems_of(
        json.dumps({"baseline": "none", "exceptions": [EXCEPTION, {**EXCEPTION, "owner": " ", "reson": "x"}]})
    )
    assert [problem.path for problem in found] == [
        "baseline",
        "exceptions[1].owner",
        "exceptions[1].reson",
        "exceptions[1].id",
    ]


def test_a_syntax_error_has_its_place() -> None:
    """Other mistakes in JSON have the path of their key only."""
    assert str(problems_of('{\n  "version" 1}')[0]).startswith("2:13: this is not JSON: ")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"rules": ' * 25 + "1" + "}" * 25,
        '{"version": NaN}',
        '{"version": ' + "9" * 10_000 + "}",
        '{"version": 1e999}',
        '{"trust": {"accounts": ["\\ud800"]}}',
        '{"\\ud800": 1, "": 2}',
        '"' + "a" * MAX_BYTES + '"',
        "[" + "1," * MAX_NODES + "1]",
        '{"version": 1, "version": 1}',
        "[]",
        "7",
    ],
    ids=lambda text: text[:20],
)
def test_a_hostile_document_is_a_mistake(text: str) -> None:
    """Whatever it is, the answer is a list of problems."""
    assert problems_of(text)


def test_the_number_of_listed_mistakes_is_bounded() -> None:
    """Nobody reads more, and the answer of a function has a limit."""
    found = problems_of(json.dumps({f"key{index}": 1 for index in range(10_000)}))
    assert len(found) == MAX_PROBLEMS + 1


def test_a_malformed_exception_is_never_a_wider_one() -> None:
    """Without the key that is wrong, it would suppress more than it says."""
    for name, wrong in {"functions": ["shop("], "accounts": ["1"], "qualifiers": ["a:b"], "sid": 7}.items():
        entry: dict[str, Any] = {**EXCEPTION, "tags": {"team": "shop"}, name: wrong}
        assert problems_of(json.dumps({"exceptions": [entry]}))


def test_the_names_of_the_rules_are_those_of_the_rules() -> None:
    """The table is generated, because a reader of documents must not import the rules."""
    assert {rule.id: rule.name for rule in RULES} == RULE_NAMES
    assert {rule.id for rule in RULES if rule.of_role} == ROLE_RULES


def test_reading_imports_neither_yaml_nor_the_rules() -> None:
    """PyYAML is not in the layer, and the senders start without the rules."""
    code = (
        "import sys, datetime\n"
        "from permission_guard.config.read import read_config\n"
        "read_config('{}', now=datetime.datetime.now(datetime.UTC))\n"
        "print(sorted({'yaml', 'permission_guard.rules', 'difflib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
