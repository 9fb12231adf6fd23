"""Fields of records are read from documents with the record's types."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from permission_guard.model.documents import MAX_DEPTH, as_document, known_fields
from permission_guard.model.findings import Finding, FixRecord, PastTransition, PlannedCall, UndoRecord
from permission_guard.model.role_permissions import RoleChange
from permission_guard.model.state import DeniedCall, ManagedBy
from permission_guard.model.suppressions import Suppression
from permission_guard.model.verdicts import Remedy


def test_unknown_fields_are_ignored() -> None:
    """A newer version may have added them."""
    assert known_fields(DeniedCall, {"api": "CreateFunction", "surprise": 1}) == {"api": "CreateFunction"}


@pytest.mark.parametrize(
    "cls", [Finding, FixRecord, UndoRecord, Suppression, PastTransition, Remedy, ManagedBy, DeniedCall, RoleChange]
)
def test_every_field_is_checked(cls: type) -> None:
    """Here, or by the constructor of an enum or of another record."""
    by_constructors = {"Severity", "Status", "Transition", "FixResult", "ManagedBy | None", "FixRecord | None"}
    by_constructors |= {"Suppression | None", "SuppressedBy", "UndoRecord | None"}
    for name, annotation in cls.__annotations__.items():
        if annotation not in by_constructors:
            with pytest.raises(TypeError):
                known_fields(cls, {name: object()})


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [
        (FixRecord, "attempts", 1.0),
        (FixRecord, "before", None),
        (FixRecord, "undo", {}),
        (Finding, "event_ids", {"a": "b"}),
        (Finding, "tags", {"team": 7}),
        (Finding, "tags", [["team", "a"]]),
        (DeniedCall, "configuration", "text"),
        (Remedy, "needs_decision", [[[]]]),
        (Remedy, "needs_decision", 1),
        (Remedy, "changes", None),
    ],
)
def test_another_type_is_an_error_with_the_field(cls: type, field: str, value: Any) -> None:
    """Otherwise it would fail where it is used."""
    with pytest.raises(TypeError, match=rf"{cls.__name__}\.{field} is not a valid "):
        known_fields(cls, {field: value})


@pytest.mark.parametrize("document", [None, [], "api", 7])
def test_what_is_no_object_is_an_error(document: Any) -> None:
    """Texts and lists also have members."""
    with pytest.raises(TypeError, match="not an object"):
        known_fields(DeniedCall, document)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_values_are_nested_up_to_a_limit(opening: str, closing: str) -> None:
    """A deeper value could be read, and neither written nor shown."""

    def nested(depth: int) -> dict[str, Any]:
        return {"configuration": {"value": json.loads(opening * depth + "1" + closing * depth)}}

    assert known_fields(DeniedCall, nested(MAX_DEPTH - 1)) == nested(MAX_DEPTH - 1)
    for depth in (MAX_DEPTH, 900):
        with pytest.raises(TypeError, match=r"DeniedCall\.configuration"):
            known_fields(DeniedCall, nested(depth))


def test_a_record_becomes_the_document_that_asdict_makes_of_it() -> None:
    """With the records in it, in tuples and in objects, and with copies of what can be changed."""
    change = {"role": {"policies": ["a", 1, 1.5, True, None]}}
    call = PlannedCall(operation="iam:AttachRolePolicy", parameters=change)
    undo = UndoRecord(by="Ann", at="2026-11-20T09:00:00+00:00", reason="too much", revision=2, calls=(call,))
    document = as_document(undo)
    assert document == asdict(undo)
    assert list(document) == list(asdict(undo))
    document["calls"][0]["parameters"]["role"]["policies"].append("b")
    assert change == {"role": {"policies": ["a", 1, 1.5, True, None]}}
