"""The samples in `events/` are valid input of the template's functions, and their README lists all of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from permission_guard.aws.tables.findings_stream import transition_of
from permission_guard.model.findings import Finding, Status, Transition
from permission_guard.model.verdicts import finding_id
from tests.bus_messages import read_event
from tests.paths import REPOSITORY
from tests.template.sam_template import Template, referred

EVENTS = REPOSITORY / "events"
README = (EVENTS / "README.md").read_text()

INVOKED = {
    folder: sorted(path.relative_to(EVENTS).as_posix() for path in (EVENTS / folder).glob("*.json"))
    for folder in ("decisions", "requests", "sqs", "schedule", "stream", "validation")
}


def load(path: str) -> Any:
    """Load a sample."""
    return json.loads((EVENTS / path).read_text())


def test_the_readme_shows_how_to_invoke_a_function_with_each_sample(template: Template) -> None:
    """The README may only name existing functions."""
    lines = re.findall(r"^sam local invoke (\w+) --event events/(\S+)$", README, re.MULTILINE)
    assert {function for function, _ in lines} == template.functions.keys()
    assert sorted(path for _, path in lines) == sorted(path for paths in INVOKED.values() for path in paths)
    for _, path in lines:
        assert f"| `{path}` |" in README, path


def test_the_readme_explains_each_record() -> None:
    """The second table explains them; a `*` is a wildcard."""
    table = README.split("| record |")[1]
    names = re.findall(r"`([a-z_]+\*?)`", table)
    for path in (EVENTS / "cloudtrail").glob("*.json"):
        logged = [name for name in names if path.stem == name or (name[-1] == "*" and path.stem.startswith(name[:-1]))]
        assert logged, path.stem


@pytest.mark.parametrize("path", INVOKED["sqs"])
def test_a_sample_batch_comes_from_a_queue_of_its_function(template: Template, path: str) -> None:
    """The sample names a queue that is the function's event source."""
    functions = re.findall(rf"^sam local invoke (\w+) --event events/{re.escape(path)}$", README, re.MULTILINE)
    for function in functions:
        events = template.functions[function]["Events"].values()
        queues = {f"permission-guard-{referred(event['Properties']['Queue'])}-EXAMPLE" for event in events}
        for record in load(path)["Records"]:
            assert record["eventSourceARN"].split(":")[-1] in queues


@pytest.mark.parametrize("name", ["finding_opened", "finding_resolved", "fix_approved", "fix_undo_requested"])
def test_a_sample_event_of_the_bus_carries_a_whole_finding(name: str) -> None:
    """Reading and writing the finding loses nothing, and its id is its fingerprint."""
    event = load(f"bus/{name}.json")
    read = read_event(json.dumps(event))
    finding = Finding.from_document(event["detail"])
    assert read.transition is Transition(event["detail-type"])
    assert json.loads(json.dumps(finding.to_document())) == event["detail"]
    assert finding.id == finding_id(finding.rule_id, finding.function_arn, finding.subject)
    assert event["resources"] == [finding.function_arn]


def test_the_sample_of_the_stream_has_two_transitions() -> None:
    """The finding opened and resolved. An unchanged finding is no transition."""
    findings = [transition_of(record) for record in load("stream/publish_findings.json")["Records"]]
    opened, seen, resolved = findings
    assert isinstance(opened, Finding)
    assert isinstance(resolved, Finding)
    assert seen is None
    assert (opened.status, resolved.status) == (Status.OPEN, Status.RESOLVED)
    assert json.loads(json.dumps(opened.to_document())) == load("bus/finding_opened.json")["detail"]


def test_the_samples_name_no_real_account() -> None:
    """Samples only have placeholder account ids."""
    placeholders = {"123456789012", "111122223333", "999999999999"}
    for path in EVENTS.rglob("*.json"):
        accounts = set(re.findall(r"(?<![\w-])\d{12}(?![\w-])", path.read_text()))
        assert accounts <= placeholders, path.name


def test_cloudtrail_samples_have_the_shape_of_aws() -> None:
    """Envelope and record match, and every id is unique."""
    ids: list[str] = []
    samples = [load(f"cloudtrail/{path.name}") for path in (EVENTS / "cloudtrail").glob("*.json")]
    for event in samples:
        record = event["detail"]
        nobody_called = record["eventType"] == "AwsServiceEvent"
        assert event["detail-type"] == f"AWS {'Service Event' if nobody_called else 'API Call'} via CloudTrail"
        assert ("serviceEventDetails" in record) is nobody_called
        assert event["source"] == "aws." + record["eventSource"].removesuffix(".amazonaws.com")
        assert (event["time"], event["region"]) == (record["eventTime"], record["awsRegion"])
        assert event["account"] == record["recipientAccountId"]
        assert {"requestParameters", "responseElements", "userIdentity", "readOnly"} <= record.keys()
        assert not record.get("errorCode") or record["responseElements"] is None
        ids += [event["id"], record["eventID"], *([] if nobody_called else [record["requestID"]])]
    assert len(set(ids)) == len(ids)
