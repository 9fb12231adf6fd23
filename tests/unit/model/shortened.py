"""What exceeds these limits is shortened, and says so. For each, what is sent at the limit and beyond it."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from permission_guard.aws.senders.event_bus import EventBus
from permission_guard.aws.tables.findings import FindingsTable
from permission_guard.delivery.alerts.slack import message as slack
from permission_guard.delivery.alerts.sns.channel import SnsChannel
from permission_guard.delivery.finding_messages import compose
from permission_guard.delivery.tickets.ops_item.system import OpsItems
from permission_guard.findings.checkpoint import Checkpoint, CheckRun
from permission_guard.findings.fit import document_size, fit
from permission_guard.findings.lifecycle import Change
from permission_guard.findings.role_permissions import RolePermissions
from permission_guard.model import limits
from permission_guard.model.names import FUNCTION_NAME, LONGEST_FUNCTION_NAME
from permission_guard.model.role_permissions import Permission
from permission_guard.model.targets import Direction, RoleTarget
from permission_guard.model.verdicts import Remedy
from tests import aws_limits
from tests.fakes import ACCOUNT, NOW, REGION, ROLE_ARN, TARGET, a_finding
from tests.stack_tables import TABLE_NAME
from tests.unit.model.filled import Client, Sent, filled, of_size
from tests.unit.model.shortened_amazon_q import SHORTENED_AMAZON_Q
from tests.unit.model.shortened_tickets import SHORTENED_TICKETS, product_field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.model.findings import Finding

SCOPE = Direction.EXECUTION_ROLE
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"


def table_item(_extra: int) -> Sent:
    """Write the largest items: a finding and a check at our own limits, with names of the maximum length."""
    longest = replace(TARGET, name="f" * LONGEST_FUNCTION_NAME)
    qualifier = "q" * (FUNCTION_NAME.longest - len(longest.arn) - 1)
    finding = of_size(limits.FINDING_DOCUMENT, function_arn=f"{longest.arn}:{qualifier}")
    dynamodb = Client("dynamodb", lambda _params: {})
    checkpoint = full_checkpoint(limits.CHECKPOINT)
    FindingsTable(dynamodb.client, TABLE_NAME).commit_check(
        longest,
        SCOPE,
        CheckRun(1),
        checkpoint,
        changes=[Change(finding, None)],
        unknowns=["\N{GRINNING FACE}" * 5_000] * 100,
        now=NOW,
    )
    items = [item for part in dynamodb.of("TransactWriteItems") for item in aws_limits.written_items(part)]
    texts = {value["S"] for item in items for value in item.values() if "S" in value}
    is_complete = texts >= {checkpoint.to_json(), json.dumps(finding.to_document(), sort_keys=True)}
    return Sent(list(map(aws_limits.item_size, items)), is_complete)


def event_entry(_extra: int) -> Sent:
    """Publish the largest finding."""
    events = Client("events", lambda _params: {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    finding = fit(a_finding(evidence={"a": "x" * limits.FINDING_DOCUMENT}))
    EventBus(events.client, "permission-guard").publish(finding)
    (entry,) = [entry for request in events.of("PutEvents") for entry in request["Entries"]]
    return Sent([aws_limits.entry_size(entry)], json.loads(entry["Detail"]) == finding.to_document())


def finding_document(extra: int) -> Sent:
    """Fit a finding."""
    finding = of_size(limits.FINDING_DOCUMENT + extra)
    fitted = fit(finding)
    notice = "omitted_bytes" in str(fitted.evidence)
    kept = replace(fitted, evidence=finding.evidence) == finding
    return Sent([document_size(fitted)], kept and (fitted == finding or notice), notice)


def full_checkpoint(size: int) -> Checkpoint:
    """Return a checkpoint of a size."""

    def of(count: int) -> Checkpoint:
        role_arn = ROLE_ARN.replace("orders-role", "x" * count + "orders-role")
        allowed = frozenset({Permission(role_arn, "sqs:ReceiveMessage", "*")})
        return Checkpoint(frozenset({RoleTarget(ACCOUNT, "orders-role")}), permissions=RolePermissions(allowed))

    found: Checkpoint = filled(of, lambda one: len(one.to_json()), size)
    return found


def checkpoint(extra: int) -> Sent:
    """Keep a checkpoint: its permissions are the part that can be large, and a fix waits where none is known."""
    full = full_checkpoint(limits.CHECKPOINT + extra)
    kept = full.within()
    rest = replace(kept, permissions=full.permissions) == full
    return Sent([len(kept.to_json())], rest, kept.permissions == RolePermissions())


def publication(finding: Finding) -> dict[str, Any]:
    """Return the request that publishes a finding to the topic."""
    sns = Client("sns", lambda _params: {"MessageId": "1"})
    SnsChannel(sns.client, TOPIC_ARN).send(compose(finding), None)
    (request,) = sns.of("Publish")
    return request


def topic_message(extra: int) -> Sent:
    """Publish a finding with many remedies; the last one does not fit into the document, and is not cut."""

    def of(count: int) -> Finding:
        commands = [Remedy("aws-cli", f"aws {number:02} " + "x" * 18_900) for number in range(6)]
        return a_finding(remedies=(*commands, Remedy("sam", "y" * count)))

    def forms(finding: Finding) -> tuple[str, dict[str, Any]]:
        structure = json.loads(publication(finding)["Message"])
        return structure["email"], json.loads(structure["default"])

    most = bisect_right(range(20_000), False, key=lambda count: bool(forms(of(count))[1]["omitted"])) - 1
    finding = of(most + extra)
    text, document = forms(finding)
    shown = [section["text"] for section in document["sections"]]
    commands = [remedy.text for remedy in finding.remedies if remedy.kind == "aws-cli"]
    is_complete = finding.remedies[-1].text in text and set(shown) >= set(commands) and "Evidence:" in text
    notice = document["omitted"] == ["How to fix it (SAM and CloudFormation)"] and not any("yy" in one for one in shown)
    is_whole = finding.remedies[-1].text in shown and not document["omitted"]
    size = aws_limits.publication_size(publication(finding))
    return Sent([size], is_complete and (notice or is_whole), notice)


def topic_subject(extra: int) -> Sent:
    """Publish a finding with a long title."""
    finding = filled(
        lambda count: a_finding(title="t" * count + "!"),
        lambda one: len(compose(one).headline),
        limits.TOPIC_SUBJECT_CHARACTERS + extra,
    )
    request = publication(finding)
    notice = request["Subject"].endswith("t...")
    return Sent([len(request["Subject"])], compose(finding).line in json.loads(request["Message"])["email"], notice)


def ops_item(finding: Finding) -> dict[str, Any]:
    """Return the request that creates the OpsItem of a finding."""
    ssm = Client("ssm", lambda _params: {"OpsItemId": "oi-1"})
    OpsItems(ssm.client).open(finding)
    (request,) = ssm.of("CreateOpsItem")
    return request


def ops_item_title(extra: int) -> Sent:
    """Open an OpsItem for a finding with a long title."""
    finding = filled(
        lambda count: a_finding(title="ä" * 100 + "t" * count + "!"),
        lambda one: len(f"{one.rule_id}: {one.title}".encode()),
        limits.OPS_ITEM_TITLE + extra,
    )
    title = ops_item(finding)["Title"]
    return Sent([len(title.encode())], title.startswith(f"PG201: {'ä' * 100}t"), title.endswith("t…"))


def ops_item_description(extra: int) -> Sent:
    """Open an OpsItem with a long remedy. The evidence comes last; the operational data has it too."""
    finding = filled(
        lambda count: a_finding(remedies=(Remedy("aws-cli", "x" * (count + 1)),)),
        lambda one: len(ops_item(one)["Description"].encode()),
        limits.OPS_ITEM_DESCRIPTION + extra,
    )
    request = ops_item(finding)
    text, data = request["Description"], request["OperationalData"]
    is_complete = finding.reason in text and finding.remedies[0].text in text and finding.id in text
    evidence = f"role_arn: {ROLE_ARN}" in text
    return Sent(
        [len(text.encode())],
        is_complete and ROLE_ARN in data["evidence"]["Value"],
        text.endswith("See the operational data of this OpsItem for more.") and not evidence,
    )


def ops_item_value(extra: int) -> Sent:
    """Open an OpsItem with long evidence."""
    finding = filled(
        lambda count: a_finding(evidence={"a": "x" * count}),
        lambda one: len(json.dumps(one.evidence, indent=2)),
        limits.OPS_ITEM_VALUE + extra,
    )
    data = ops_item(finding)["OperationalData"]
    evidence = data["evidence"]["Value"]
    is_complete = evidence.startswith('{\n  "a": "xxx') and data["reason"]["Value"] == finding.reason
    return Sent([len(evidence.encode())], is_complete, evidence.endswith("x…"))


def ops_item_tag(extra: int) -> Sent:
    """Open an OpsItem for an alias with a long name of a function with a long name."""
    name = "f" * LONGEST_FUNCTION_NAME
    arn = filled(lambda count: f"{replace(TARGET, name=name).arn}:{'q' * count}", len, limits.OPS_ITEM_TAG + extra)
    request = ops_item(a_finding(function_arn=arn))
    (tag,) = [tag["Value"] for tag in request["Tags"] if tag["Key"] == "permission-guard:function"]
    is_complete = json.loads(request["OperationalData"]["/aws/resources"]["Value"])[0] == {"arn": arn}
    return Sent([len(tag)], is_complete, tag.endswith("q..."))


def slack_blocks(extra: int) -> Sent:
    """Post a finding with many remedies."""

    def of(count: int) -> Finding:
        return a_finding(remedies=tuple(Remedy("aws-cli", f"aws {number:02}") for number in range(count)))

    count = limits.SLACK_BLOCKS - len(blocks(of(0)))
    posted = blocks(of(count + extra))
    text = json.dumps(posted)
    shown = sum(f"aws {number:02}" in text for number in range(count + extra))
    notice = "Omitted because of Slack's size limit: What is wrong, Evidence." in text
    is_complete = shown == count + extra and "Finding id" in text
    return Sent([len(posted)], is_complete and (notice or "Evidence" in text), notice)


def blocks(finding: Finding) -> Any:
    """Return the blocks of a finding's message."""
    return slack.payload(compose(finding))["blocks"]


def slack_header(extra: int) -> Sent:
    """Post a finding with a long title."""
    finding = filled(
        lambda count: a_finding(title="t" * count + "!"),
        lambda one: len(compose(one).headline),
        limits.SLACK_HEADER_CHARACTERS + extra,
    )
    body = slack.payload(compose(finding))
    header = blocks(finding)[0]["text"]["text"]
    return Sent([len(header)], body["text"] == compose(finding).headline, header.endswith("t…"))


SHORTENED: Mapping[str, Callable[[int], Sent]] = {
    "TOPIC_MESSAGE": topic_message,
    "TOPIC_SUBJECT_CHARACTERS": topic_subject,
    "OPS_ITEM_TITLE": ops_item_title,
    "OPS_ITEM_DESCRIPTION": ops_item_description,
    "OPS_ITEM_VALUE": ops_item_value,
    "OPS_ITEM_TAG": ops_item_tag,
    "SLACK_BLOCKS": slack_blocks,
    "SLACK_HEADER_CHARACTERS": slack_header,
    "FINDING_DOCUMENT": finding_document,
    "CHECKPOINT": checkpoint,
    **SHORTENED_AMAZON_Q,
    **SHORTENED_TICKETS,
}
"""By limit: sends what has its size and some bytes, characters or blocks more."""

NOT_REACHED: Mapping[str, Callable[[int], Sent]] = {
    "EVENT_ENTRY": event_entry,
    "TABLE_ITEM": table_item,
    "ASFF_FIELD_CHARACTERS": product_field,
}
"""Nothing is as large: our own limits on documents and checkpoints are lower."""
