"""The time limit of AWS calls: a check that takes too long ends with an error, and not with the whole invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from permission_guard.aws import clients
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.senders.check_queue import CheckQueue
from permission_guard.errors import OutOfTimeError
from tests.fakes import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def new_clients(moto_account: None) -> Iterator[None]:
    """Create all clients in this test's account."""
    clients._client.cache_clear()
    yield
    clients._client.cache_clear()


def test_no_call_starts_when_it_is_late() -> None:
    """The error reaches the batch: state that was not read must not look like state that is unknown."""
    functions = FunctionReader(clients.client("lambda"))
    with clients.TIME_LIMIT(lambda: True), pytest.raises(OutOfTimeError, match=r"lambda\.GetFunction"):
        functions.function(TARGET.arn)
    assert functions.function(TARGET.arn) is None


def test_a_call_is_made_while_there_is_time() -> None:
    """The limit is checked for each call."""
    functions = FunctionReader(clients.client("lambda"))
    late = [False]
    with clients.TIME_LIMIT(lambda: late[0]):
        assert functions.function(TARGET.arn) is None
        late[0] = True
        with pytest.raises(OutOfTimeError):
            functions.function(TARGET.arn)


def test_a_throttled_call_is_not_tried_again_when_it_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its retries may take most of a minute."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    late, attempts = [False], []

    def throttle(request: Any, **_event: Any) -> AWSResponse:
        attempts.append(request.url)
        late[0] = len(attempts) == 2  # while the reply of the second attempt is on its way
        headers = HTTPHeaders.from_dict({"x-amzn-ErrorType": "TooManyRequestsException"})
        raw = type("Body", (), {"stream": lambda *_arguments, **_options: [b"{}"]})()
        return AWSResponse(request.url, 429, headers, raw)

    client = clients.client("lambda")
    events: Any = client.meta.events
    events.register_first("before-send", throttle)
    events.register_first("before-send", clients.TIME_LIMIT.refuse)  # the last one is called first
    with clients.TIME_LIMIT(lambda: late[0]), pytest.raises(OutOfTimeError):
        FunctionReader(client).function(TARGET.arn)
    assert len(attempts) == 2


def test_threads_that_read_inventories_end_too() -> None:
    """A dozen services are read at the same time."""
    with clients.TIME_LIMIT(lambda: True), pytest.raises(OutOfTimeError):
        InventoryReader(clients.client).read(TARGET)


def test_checks_are_requested_even_when_it_is_late() -> None:
    """The checks for which no time is left."""
    sqs = clients.client("sqs")
    url = sqs.create_queue(QueueName="checks")["QueueUrl"]
    with clients.TIME_LIMIT(lambda: True):
        assert CheckQueue(sqs, url).request_full([TARGET]) == 1
        with pytest.raises(OutOfTimeError):
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])


def test_the_limit_ends_with_its_batch() -> None:
    """Also after an error."""
    with pytest.raises(ValueError, match="a bug"), clients.TIME_LIMIT(lambda: True):
        raise ValueError("a bug")
    assert clients.client("sqs").list_queues().get("QueueUrls", []) == []
