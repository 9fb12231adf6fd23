"""Addresses in the AWS console. There is none where the partition's console is unknown, or a name is not AWS's.

The names come from events and from AWS, whose callers choose them: what is part of a host is checked, the rest encoded.
https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from permission_guard.iam.arn import parse_arn
from permission_guard.model.arns import partition_of
from permission_guard.model.names import REGION

_CONSOLES: Final = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_EVENT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSION: Final = re.compile(r"\d+", re.ASCII)


def function_url(arn: str) -> str | None:
    """Return the page of a function, or of a version or an alias of it, in the Lambda console."""
    parsed = parse_arn(arn)
    if parsed is None or not parsed.resource.startswith("function:"):
        return None
    name, _, qualifier = parsed.resource.removeprefix("function:").partition(":")
    page = f"/functions/{quote(name, safe='')}"
    if qualifier and not qualifier.startswith("$"):  # `$LATEST` is the function itself
        kind = "versions" if _VERSION.fullmatch(qualifier) else "aliases"
        page = f"{page}/{kind}/{quote(qualifier, safe='')}"
    return _page(parsed.partition, parsed.region, "lambda", page)


def role_url(arn: str, region: str) -> str | None:
    """Return the page of a role in the IAM console. `region` is any one of its partition: IAM has none."""
    parsed = parse_arn(arn)
    if parsed is None or not parsed.resource.startswith("role/"):
        return None
    name = quote(parsed.resource.rpartition("/")[2], safe="")
    return _page(parsed.partition, region, "iam", f"/roles/details/{name}")


def event_url(event_id: str, region: str) -> str | None:
    """Return the page of an event in CloudTrail's event history of the region that recorded it.

    Events of IAM are recorded in one region of a partition, and not in that of the function.
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events-console.html
    """
    if not _EVENT_ID.fullmatch(event_id):
        return None
    return _page(partition_of(region), region, "cloudtrailv2", f"/events/{event_id}")


def _page(partition: str, region: str, service: str, page: str) -> str | None:
    console = _CONSOLES.get(partition)
    if console is None or not REGION.match(region):
        return None
    return f"https://{region}.{console}/{service}/home?region={region}#{page}"
