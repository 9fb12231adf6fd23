"""The filters of Security Hub's GetFindings.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_StringFilter.html
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from sandbox.server.reply import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Filters = Mapping[str, Sequence[Mapping[str, str]]]

_TOP = ("AwsAccountId", "CompanyName", "Description", "GeneratorId", "Id", "ProductArn", "ProductName", "RecordState")
_TEXTS: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in (*_TOP, "Region", "Title", "VerificationState")},
    "NoteText": ("Note", "Text"),
    "NoteUpdatedBy": ("Note", "UpdatedBy"),
    "ResourceId": ("Resources", "Id"),
    "ResourceType": ("Resources", "Type"),
    "SeverityLabel": ("Severity", "Label"),
    "Type": ("Types",),
    "WorkflowStatus": ("Workflow", "Status"),
}
"""Where a finding has the texts that a filter compares."""
_MAPS = frozenset({"ProductFields", "UserDefinedFields"})

_COMPARES: Mapping[str, Callable[[str, str], bool]] = {
    "EQUALS": operator.eq,
    "PREFIX": str.startswith,
    "CONTAINS": operator.contains,
}
_NEGATED = {"NOT_EQUALS": "EQUALS", "PREFIX_NOT_EQUALS": "PREFIX", "NOT_CONTAINS": "CONTAINS"}


def require_known(filters: Filters) -> None:
    """Raise ApiError for a filter that the sandbox does not have."""
    for name, wanted in filters.items():
        for comparison in (one.get("Comparison", "") for one in wanted):
            if name not in _TEXTS.keys() | _MAPS or comparison not in _COMPARES.keys() | _NEGATED.keys():
                raise ApiError("InvalidInputException", f"The sandbox does not have the filter {name} {comparison}.")


def matches(finding: Mapping[str, Any], filters: Filters) -> bool:
    """Return whether a finding matches every filter."""
    return all(_matches(finding, name, wanted) for name, wanted in filters.items())


def _matches(finding: Mapping[str, Any], name: str, wanted: Sequence[Mapping[str, str]]) -> bool:
    """Return whether one of the values that are wanted is there, and none of those that are not."""
    positive: list[bool] = []
    negative: list[bool] = []
    for one in wanted:
        comparison = one["Comparison"]
        compare = _COMPARES[_NEGATED.get(comparison, comparison)]
        found = any(compare(text, one["Value"]) for text in _texts(finding, name, one))
        (negative if comparison in _NEGATED else positive).append(found)
    return (any(positive) or not positive) and not any(negative)


def _texts(finding: Mapping[str, Any], name: str, one: Mapping[str, str]) -> list[str]:
    path = (name, one.get("Key", "")) if name in _MAPS else _TEXTS[name]
    return list(_at(finding, path))


def _at(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        yield str(value)
    elif path[0] in value:
        yield from _at(value[path[0]], path[1:])
