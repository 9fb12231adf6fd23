"""`Fn::ForEach` is expanded as the transform AWS::LanguageExtensions does."""

from __future__ import annotations

from typing import Any

import pytest

from permission_guard.errors import UnreadFileError
from permission_guard.offline.language_extensions import expanded
from permission_guard.offline.physical_names import Place

PLACE = Place("123456789012", "us-east-1", "aws")


def resources(content: Any, parameters: Any = None, **sections: Any) -> dict[str, Any]:
    """Return the resources of a template after the expansion."""
    found = expanded({**sections, "Resources": content}, PLACE, parameters or {})["Resources"]
    assert isinstance(found, dict)
    return found


def test_a_loop_is_replaced_by_what_it_produces_for_each_item() -> None:
    """The identifier is replaced in keys, in text and where Ref names it."""
    topic = {
        "Type": "T",
        "Properties": {"A": {"Ref": "Name"}, "B": {"Fn::Sub": "${Name}-${AWS::Region}"}, "C": "x${Name}"},
    }
    assert resources({"Kept": {"Type": "T"}, "Fn::ForEach::Topics": ["Name", ["a", "b"], {"Topic${Name}": topic}]}) == {
        "Kept": {"Type": "T"},
        "Topica": {"Type": "T", "Properties": {"A": "a", "B": {"Fn::Sub": "a-${AWS::Region}"}, "C": "xa"}},
        "Topicb": {"Type": "T", "Properties": {"A": "b", "B": {"Fn::Sub": "b-${AWS::Region}"}, "C": "xb"}},
    }  # fmt: skip


def test_an_identifier_with_an_ampersand_keeps_only_letters_and_digits() -> None:
    """A logical id has no others."""
    found = resources({"Fn::ForEach::Nets": ["Net", ["10.0.0.0/8"], {"Net&{Net}": {"Cidr": {"Ref": "Net"}}}]})
    assert found == {"Net100008": {"Cidr": "10.0.0.0/8"}}


def test_references_with_the_identifier_become_names() -> None:
    """A function that is only text is that text, so that Ref and GetAtt name a resource."""
    output = {"P${N}": {"A": {"Ref": {"Fn::Sub": "Q${N}"}}, "B": {"Fn::GetAtt": [{"Fn::Sub": "Q${N}"}, "Arn"]}}}
    assert resources({"Fn::ForEach::All": ["N", ["x"], output]}) == {
        "Px": {"A": {"Ref": "Qx"}, "B": {"Fn::GetAtt": ["Qx", "Arn"]}}
    }


def test_loops_can_contain_loops_and_stand_in_properties() -> None:
    """The inner loop sees the values of the outer one."""
    inner = {"Fn::ForEach::B": ["B", ["1", "2"], {"${A}${B}": {"V": {"Fn::Sub": "${A}/${B}"}}}]}
    assert resources({"Fn::ForEach::A": ["A", ["x", "y"], inner]}).keys() == {"x1", "x2", "y1", "y2"}
    tags = {"Tags": {"Fn::ForEach::T": ["T", ["a"], {"Tag${T}": "v"}]}}
    assert resources({"R": {"Properties": tags}}) == {"R": {"Properties": {"Tags": {"Taga": "v"}}}}


@pytest.mark.parametrize(
    ("collection", "given", "names"),
    [
        ({"Ref": "Names"}, {}, {"a", "b"}),
        ({"Ref": "Names"}, {"Names": "c, d"}, {"c", "d"}),
        (["a", {"Ref": "One"}], {"One": "b"}, {"a", "b"}),
        ({"Fn::FindInMap": ["Map", "Key", "Names"]}, {}, {"m", "n"}),
        ({"Fn::Split": [",", "a,b"]}, {}, {"a", "b"}),
        ([1, 2.5], {}, {"1", "2.5"}),
        ([], {}, set()),
    ],
)
def test_a_collection_can_be_resolved(collection: Any, given: dict[str, str], names: set[str]) -> None:
    """From parameters, defaults and mappings."""
    parameters = {"Names": {"Type": "CommaDelimitedList", "Default": "a,b"}, "One": {"Type": "String"}}
    mappings = {"Map": {"Key": {"Names": ["m", "n"]}}}
    loop = {"Fn::ForEach::L": ["N", collection, {"${N}": {}}]}
    assert resources(loop, given, Parameters=parameters, Mappings=mappings).keys() == names


@pytest.mark.parametrize(
    "loop",
    [
        ["N", {"Ref": "Unknown"}, {"${N}": {}}],
        ["N", ["a", {"Ref": "Unknown"}], {"${N}": {}}],
        ["N", ["a", {"not": "text"}], {"${N}": {}}],
        ["N", {"Fn::ImportValue": "x"}, {"${N}": {}}],
        ["N", ["a"], "not a fragment"],
        [["N"], ["a"], {}],
        ["N", ["a"]],
        "text",
    ],
)
def test_a_loop_that_cannot_be_expanded_stays(loop: Any) -> None:
    """The check reports it as unknown."""
    assert list(resources({"Fn::ForEach::L": loop}, Parameters={"Unknown": {"Type": "CommaDelimitedList"}})) == [
        "Fn::ForEach::L"
    ]


def test_nested_loops_stop_at_the_bound_of_a_file() -> None:
    """Five loops of a hundred items are ten thousand million resources."""
    content: Any = {"${A}${B}${C}${D}${E}": {}}
    for name in "EDCBA":
        content = {f"Fn::ForEach::{name}": [name, [str(number) for number in range(100)], content]}
    with pytest.raises(UnreadFileError, match="more than 200,000 values"):
        resources(content)
