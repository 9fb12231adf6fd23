"""Security Hub's findings: what providers import, what people update, and an event on the default bus for each change.

https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchupdatefindings.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.model import ListShape, StructureShape
from ministack.core.responses import get_account_id, get_region

from sandbox.server import api, inside
from sandbox.server.finding_filters import matches, require_known
from sandbox.server.own_service import Item, OwnService, serialised
from sandbox.server.reply import ApiError, json_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from botocore.model import Shape

    from sandbox.server.reply import Response

SERVICE = "securityhub"
IMPORTED = "Security Hub Findings - Imported"

_MOST = 100
_PAGE = 10
_MOST_BYTES = 240_000

PEOPLES = frozenset({"Note", "UserDefinedFields", "VerificationState", "Workflow"})
"""What only people change once a finding exists."""
SHARED = frozenset({"Confidence", "Criticality", "RelatedFindings", "Severity", "Types"})
"""What an import changes until people have: the provider writes it into `FindingProviderFields`."""
_BY_PEOPLE = "by_people"
"""The name in the store, not in AWS's format, of which of them people have changed."""

_SEVERITIES = {"INFORMATIONAL": 0, "LOW": 1, "MEDIUM": 40, "HIGH": 70, "CRITICAL": 90}
"""The label of each severity, and the lowest number that has it.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Severity.html
"""
_RESET = frozenset({"NOTIFIED", "RESOLVED"})

# https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
# https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html
_LONGEST: Mapping[tuple[str, ...], int] = {
    ("Id",): 512,
    ("GeneratorId",): 512,
    ("Title",): 256,
    ("Description",): 1_024,
    ("Resources",): 32,
    ("ProductFields",): 50,
    ("Note", "Text"): 512,
    ("Remediation", "Recommendation", "Text"): 512,
}
_LONGEST_PRODUCT_FIELD = 2_048


async def no_other_operation(method: str, path: str, *_rest: Any) -> Response:
    """Reject a request for another operation: MiniStack has no Security Hub that could answer it."""
    return json_error("UnknownOperationException", f"The sandbox does not have {method} {path} of Security Hub.", 404)


class SecurityHub(OwnService):
    """The findings of every account and region. Security Hub is enabled everywhere."""

    service = SERVICE
    rejects_with = "InvalidInputException"

    def operations(self) -> Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]:
        """Return the handler of each operation."""
        return {"BatchImportFindings": self._import, "BatchUpdateFindings": self._update, "GetFindings": self._get}

    def _import(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Import each finding that is valid. One that is not newer than what is held changes nothing."""
        _require_batch(params["Findings"])
        failed = []
        for document in params["Findings"]:
            problems = list(_problems(document))
            if problems:
                failed.append({"Id": document["Id"], "ErrorCode": "InvalidInput", "ErrorMessage": "; ".join(problems)})
                continue
            name = _arn(document)
            held = self.here().get(name)
            if held is None or _time(document["UpdatedAt"]) > _time(held["UpdatedAt"]):
                self.here()[name] = _new(document) if held is None else _again(held, document)
                _report(self.here()[name])
        return {
            "FailedCount": len(failed),
            "SuccessCount": len(params["Findings"]) - len(failed),
            "FailedFindings": failed,
        }

    def _update(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Update the fields of people. `UpdatedAt` stays: it is the provider's."""
        _require_batch(params["FindingIdentifiers"])
        changes = {name: value for name, value in params.items() if name in PEOPLES | SHARED}
        if problems := [*_wrong_values(_finding_shape(), changes), *_too_long(changes)]:
            raise ApiError(self.rejects_with, "; ".join(problems))
        if "Note" in changes:
            changes["Note"] = {**changes["Note"], "UpdatedAt": _now()}
        if "Severity" in changes:
            changes["Severity"] = _severity(changes["Severity"])
        processed, unprocessed = [], []
        for identifier in params["FindingIdentifiers"]:
            held = self.here().get(_arn(identifier))
            if held is None:
                error = {"ErrorCode": "FindingNotFound", "ErrorMessage": "The finding does not exist."}
                unprocessed.append({"FindingIdentifier": identifier, **error})
                continue
            held.update(changes)
            held[_BY_PEOPLE] = held[_BY_PEOPLE] | changes.keys()
            processed.append(identifier)
            _report(held)
        return {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        filters = params.get("Filters", {})
        require_known(filters)
        found = [one for one in self.here().values() if matches(one, filters)]
        start, size = int(params.get("NextToken") or 0), int(params.get("MaxResults") or _PAGE)
        page = {"Findings": found[start : start + size]}
        return page if start + size >= len(found) else {**page, "NextToken": str(start + size)}


def _new(document: Mapping[str, Any]) -> Item:
    fields = {
        **document.get("ProductFields", {}),
        "aws/securityhub/FindingId": _arn(document),
        "aws/securityhub/ProductName": "Default",
        "aws/securityhub/CompanyName": "Personal",
    }
    return {
        "ProductName": "Default",
        "CompanyName": "Personal",
        "Region": get_region(),
        "RecordState": "ACTIVE",
        "Workflow": {"Status": "NEW"},
        "WorkflowState": "NEW",
        **document,
        **_of_provider(document),
        "ProductFields": fields,
        _BY_PEOPLE: frozenset(),
    }


def _again(held: Item, document: Mapping[str, Any]) -> Item:
    """Return a finding that is imported again.

    The workflow status is reset if an archived one is active again.
    https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
    """
    kept = PEOPLES | held[_BY_PEOPLE]
    new = {**_new(document), _BY_PEOPLE: held[_BY_PEOPLE]}
    changed = {**held, **{name: new[name] for name in new.keys() - kept}}
    is_back = held["RecordState"] == "ARCHIVED" and changed["RecordState"] == "ACTIVE"
    if is_back and held["Workflow"]["Status"] in _RESET:
        changed["Workflow"] = {"Status": "NEW"}
    return changed


def _of_provider(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return `FindingProviderFields`, and the fields at the top that it fills, or is filled from.

    https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html#batchimportfindings-findingproviderfields
    """
    fields = {name: document[name] for name in SHARED if name in document} | document.get("FindingProviderFields", {})
    if "Severity" not in fields:
        return {**fields, "FindingProviderFields": fields}
    severity = _severity(fields["Severity"])
    given = {name: severity[name] for name in ("Label", "Original") if name in severity}
    return {**fields, "Severity": severity, "FindingProviderFields": {**fields, "Severity": given}}


def _severity(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a severity with its label and its number, each from the other if it is missing."""
    label = given.get("Label") or [one for one, least in _SEVERITIES.items() if least <= given.get("Normalized", 0)][-1]
    return {"Normalized": _SEVERITIES[label], **given, "Label": label}


def _arn(names: Mapping[str, Any]) -> str:
    return f"{names['ProductArn']}/{names['Id']}"


def _report(item: Item) -> None:
    """Put the event about a finding on the default bus.

    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
    """
    detail = json.dumps({"findings": [serialised(_finding_shape(), item)]})
    entry = {"Source": f"aws.{SERVICE}", "DetailType": IMPORTED, "Resources": [_arn(item)], "Detail": detail}
    status, _, body = inside.put_events({"Entries": [entry]}, allow_aws_source=True)
    if status != 200 or json.loads(body)["FailedEntryCount"]:  # noqa: PLR2004 - HTTP OK
        raise RuntimeError(f"the event bus rejected the event about {item['Id']}: {body!r}")


def _finding_shape() -> Shape:
    return api.service_model(SERVICE).shape_for("AwsSecurityFinding")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _require_batch(items: Sequence[Any]) -> None:
    if not 1 <= len(items) <= _MOST:
        raise ApiError("InvalidInputException", f"A request has 1 to {_MOST} findings, this one {len(items)}.")


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield why Security Hub does not accept a finding."""
    account = get_account_id()
    product = f"arn:aws:securityhub:{get_region()}:{account}:product/{account}/default"
    if (document["AwsAccountId"], document["ProductArn"]) != (account, product):
        yield f"the account must be {account}, and the product {product}"
    yield from _wrong_values(_finding_shape(), document)
    yield from _too_long(document)
    yield from (f"{name} must be a time" for name in ("CreatedAt", "UpdatedAt") if not _is_time(document[name]))
    if len(json.dumps(document)) > _MOST_BYTES:
        yield f"a finding has at most {_MOST_BYTES} bytes"


def _wrong_values(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    """Yield each value that is not one of its enumeration. botocore has validated the types."""
    if isinstance(shape, StructureShape):
        for name in shape.members.keys() & value.keys():
            yield from _wrong_values(shape.members[name], value[name], f"{where}.{name}".lstrip("."))
    elif isinstance(shape, ListShape):
        for item in value:
            yield from _wrong_values(shape.member, item, where)
    elif (allowed := getattr(shape, "enum", [])) and value not in allowed:
        yield f"{where} must be one of {', '.join(allowed)}"


def _too_long(document: Mapping[str, Any]) -> Iterator[str]:
    for path, longest in _LONGEST.items():
        value: Any = document
        for name in path:
            value = value.get(name, {})
        if len(value) > longest:
            yield f"{'.'.join(path)} has a length of at most {longest}"
    for name, text in document.get("ProductFields", {}).items():
        if len(text) > _LONGEST_PRODUCT_FIELD:
            yield f"ProductFields.{name} has at most {_LONGEST_PRODUCT_FIELD} characters"


def _is_time(text: str) -> bool:
    """Return whether a text is a time with its offset from UTC."""
    try:
        return _time(text).tzinfo is not None
    except ValueError:
        return False
