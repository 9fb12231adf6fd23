"""The JSON Schema of `guard.yaml` accepts what the reader accepts, and rejects what it can say of mistakes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import jsonschema
import pytest
import yaml

from permission_guard.cli.starting_file import starting_file
from permission_guard.config.canonical import canonical
from permission_guard.config.document import GuardConfig
from permission_guard.config.read import read_config
from tests.paths import CASES, REPOSITORY
from tools import config_schema

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
SCHEMA: Final = json.loads(config_schema.schema())
VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)
MISTAKES: Final[list[dict[str, Any]]] = yaml.safe_load((CASES / "config" / "mistakes.yaml").read_text())
EVERYTHING: Final = json.loads((CASES / "config" / "everything.json").read_text())

NOT_IN_THE_SCHEMA: Final = {
    "account that lost its leading zero": "an ID without quotes is a number, whose digits a schema does not count",
    "account of eleven digits": "the same",
    "rule by id and by name": "two keys that mean the same",
    "id that is given twice": "a schema does not compare the items of a list",
    "expired": "the time",
    "expires at this moment": "the time",
    "expires too far away": "the time",
    "date that does not exist": "the calendar",
    "time without an offset": "an editor accepts it while it is typed",
    "exception for all functions": "what a glob matches",
    "exception for all functions among others": "what a glob matches",
    "exception for all statements": "what a glob matches",
    "subject with a wildcard before the slash": "what a glob matches",
    "subject of one letter and a wildcard": "what a glob matches",
    "subject between wildcards": "what a glob matches",
    "subject with a wildcard in place of the name": "what a glob matches",
    "subject with a wildcard before the name": "what a glob matches",
    "subject with slashes and a wildcard": "what a glob matches",
    "Sid that matches everything": "what a glob matches",
    "exclusion for all functions": "what a glob matches",
    "roles with a rule about functions": "which rules are about roles",
    "qualifiers with rules about roles": "the same",
    "tags with a rule about roles": "the same",
    "roles and tags": "the same",
    "regular expression": "what a text was meant to be",
    "regular expression as a subject": "the same",
    "regular expression as the value of a tag": "the same",
    "versions that no function has": "the same",
    "invisible character": "which characters are invisible",
    "texts of blank letters": "the same",
    "line break in an owner": "the same",
    "merge key": "how a parser expands it",
    "anchor and alias": "the same",
    "text that changes its direction": "a comment",
    "JSON with a comment after a comma": "the same",
    "route to names that nothing has": "a schema does not compare two keys",
    "routes with the same id": "a schema does not compare the items of a list",
    "route for every finding with only": "what a glob matches",
    "route by tags with only": "which severities are left if none is given",
    "route by tags with rules about roles": "which rules are about roles",
}
"""Mistakes that only the reader finds, and why."""


class _Loader(yaml.SafeLoader):
    """Reads YAML as editors do: dates, yes and no are texts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the class above
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if not tag.endswith((":timestamp", ":bool")) or (first in "tf" and tag.endswith(":bool"))
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def document_of(text: str) -> Any:
    """Return the document of a text, None if it is not YAML or has keys that are not texts."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        return None


STRUCTURAL: Final = [
    case
    for case in MISTAKES
    if document_of(case["document"]) is not None and not any(" given twice" in line for line in case["mistakes"])
]


def test_it_is_a_valid_schema() -> None:
    """Of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert (REPOSITORY / "docs" / "schemas" / "guard.v1.json").read_text() == config_schema.schema()


@pytest.mark.parametrize(
    "document",
    [
        {},
        EVERYTHING,
        canonical(GuardConfig()),
        canonical(read_config(json.dumps(EVERYTHING), now=NOW)),
        yaml.load(starting_file(NOW), _Loader),  # noqa: S506 - a safe loader
        {"trust": {"accounts": [111122223333]}},
    ],
    ids=["empty", "everything", "defaults", "canonical", "starting-file", "unquoted-account"],
)
def test_what_the_reader_accepts_is_valid(document: Any) -> None:
    """So that no editor marks what is right."""
    VALIDATOR.validate(document)
    read_config(json.dumps(document), now=NOW)


@pytest.mark.parametrize("case", STRUCTURAL, ids=lambda case: case["name"])
def test_mistakes_are_marked_in_editors(case: dict[str, Any]) -> None:
    """Except those that a schema cannot express, each with its reason."""
    is_marked = not VALIDATOR.is_valid(document_of(case["document"]))
    assert is_marked == (case["name"] not in NOT_IN_THE_SCHEMA)


def test_what_the_schema_cannot_say_is_a_case() -> None:
    """A name that is no longer one would hide the next mistake."""
    assert NOT_IN_THE_SCHEMA.keys() <= {case["name"] for case in MISTAKES}


def test_every_key_has_a_description_and_every_optional_one_a_default() -> None:
    """Editors show both."""
    objects = [SCHEMA, *SCHEMA["$defs"].values()]
    for found in objects:
        objects += [item for item in found["properties"].values() if "properties" in item and item.get("default")]
        assert found["additionalProperties"] is False
        for name, key in found["properties"].items():
            assert key["description"], name
    for name, key in SCHEMA["properties"].items():
        assert key["default"] == canonical(GuardConfig())[name]
