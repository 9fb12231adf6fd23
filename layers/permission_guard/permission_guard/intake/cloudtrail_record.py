"""Read an EventBridge event that carries a CloudTrail record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from permission_guard.errors import MalformedEventError
from permission_guard.iam.arn import is_account_id
from permission_guard.model.names import REGION
from permission_guard.records import record

if TYPE_CHECKING:
    from permission_guard.model.targets import JSON

_VERSION_SUFFIX = re.compile(r"\d{8}(v\d+)?$")


CLOUDFORMATION = "cloudformation"


TERRAFORM = "terraform"


_CLOUDFORMATION_SERVICE = "cloudformation.amazonaws.com"


# A product of the user agent, as in `APN/1.0 HashiCorp/1.0 Terraform/1.9.5 …`; OpenTofu is a fork of Terraform.
_TERRAFORM_PRODUCT = re.compile(r"(?<![^\s\[])(?:Terraform|OpenTofu)/")


# A user, role, root user or session; a session's name may have 64 characters, a path 512.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
_PRINCIPAL_ARN = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::\d{12}:[!-~]{1,700}", re.ASCII)


_NOT_SHOWN = re.compile(r"[^ -~]")
_LONGEST_TEXT = 200

_LONGEST_EVENT_ID = 100
"""CloudTrail's event ids are UUIDs. A longer one would not fit what carries it on."""


@record
class CloudTrailRecord:
    """The parts of a CloudTrail record that are used.

    `tool` is the infrastructure code that made the call, "" if it is unknown. `time` is ISO-8601, "" if the record has
    none. `named` are the ARNs in the record's `resources`. `caller` is the ARN of the principal that made the call,
    `address` is from where and `user_agent` with what it was made; each is "" if the record does not have it.
    """

    event_id: str
    event_source: str
    event_name: str
    region: str
    account: str
    error_code: str | None
    error_message: str
    request: Mapping[str, JSON]
    response: Mapping[str, JSON] | None
    tool: str = ""
    time: str = ""
    named: tuple[str, ...] = ()
    caller: str = ""
    address: str = ""
    user_agent: str = ""

    @property
    def api(self) -> str:
        """The public API's name: `AddPermission` for `AddPermission20150331v2`."""
        return _VERSION_SUFFIX.sub("", self.event_name)


def parse_record(event: JSON) -> CloudTrailRecord:
    """Read an EventBridge event that carries a CloudTrail record; MalformedEventError names what is missing."""
    detail = event.get("detail") if isinstance(event, Mapping) else None
    if not isinstance(detail, Mapping):
        raise MalformedEventError("the event has no `detail` object, so it is not a CloudTrail record")
    request, response = detail.get("requestParameters"), detail.get("responseElements")
    return CloudTrailRecord(
        event_id=short_event_id(_text(detail, "eventID")),
        event_source=_text(detail, "eventSource"),
        event_name=_text(detail, "eventName"),
        region=_region(detail),
        account=_account(detail, event),
        error_code=detail.get("errorCode"),
        error_message=str(detail.get("errorMessage") or ""),
        request=request if isinstance(request, Mapping) else {},
        response=response if isinstance(response, Mapping) else None,
        tool=_tool(detail),
        time=str(detail.get("eventTime") or ""),
        named=tuple(_named(detail)),
        caller=_caller(detail),
        address=shown_text(detail.get("sourceIPAddress")),
        user_agent=shown_text(detail.get("userAgent")),
    )


def event_id_of(event: JSON) -> str:
    """Return the CloudTrail event id for a log line, or `unknown`; never raises."""
    detail = event.get("detail") if isinstance(event, Mapping) else None
    found = detail.get("eventID") if isinstance(detail, Mapping) else None
    return short_event_id(found) if isinstance(found, str) else "unknown"


def short_event_id(text: str) -> str:
    """Return an event id, cut if it is longer than CloudTrail's."""
    return text[:_LONGEST_EVENT_ID]


def _tool(detail: Mapping[str, JSON]) -> str:
    """Return which infrastructure-as-code tool made the call, empty if none is recognized."""
    identity, agent = detail.get("userIdentity"), detail.get("userAgent")
    invoked_by = identity.get("invokedBy") if isinstance(identity, Mapping) else None
    if _CLOUDFORMATION_SERVICE in (invoked_by, detail.get("sourceIPAddress"), agent):
        return CLOUDFORMATION
    return TERRAFORM if isinstance(agent, str) and _TERRAFORM_PRODUCT.search(agent) else ""


def _caller(detail: Mapping[str, JSON]) -> str:
    """Return the ARN of the principal that made the call, empty if there is none: a service made it."""
    identity = detail.get("userIdentity")
    arn = identity.get("arn") if isinstance(identity, Mapping) else None
    return arn if isinstance(arn, str) and is_principal_or_unknown(arn) else ""


def shown_text(value: JSON) -> str:
    """Return a caller's own text, cut and without what is not printable ASCII: anyone can write any user agent."""
    text = value if isinstance(value, str) else ""
    return _NOT_SHOWN.sub("?", text[:_LONGEST_TEXT])


def is_principal_or_unknown(arn: JSON) -> bool:
    """Return whether a value is the ARN of a principal, or empty."""
    return isinstance(arn, str) and (not arn or _PRINCIPAL_ARN.fullmatch(arn) is not None)


def _text(detail: Mapping[str, JSON], key: str) -> str:
    value = detail.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedEventError(f"the CloudTrail record has no `{key}`")
    return value


def _region(detail: Mapping[str, JSON]) -> str:
    region = _text(detail, "awsRegion")
    if not REGION.match(region):
        raise MalformedEventError("the CloudTrail record has no valid `awsRegion`")
    return region


def _named(detail: Mapping[str, JSON]) -> Iterator[str]:
    """Yield the ARNs of a record's resources, and whatever its service says of an event that nobody called for."""
    resources, said = detail.get("resources"), detail.get("serviceEventDetails")
    found = [
        entry.get("ARN") for entry in (resources if isinstance(resources, list) else ()) if isinstance(entry, dict)
    ]
    found += said.values() if isinstance(said, dict) else ()
    yield from (text for text in found if isinstance(text, str))


def _account(detail: Mapping[str, JSON], event: Mapping[str, JSON]) -> str:
    for account in (detail.get("recipientAccountId"), event.get("account")):
        if isinstance(account, str) and is_account_id(account):
            return account
    raise MalformedEventError("the CloudTrail record names no account")
