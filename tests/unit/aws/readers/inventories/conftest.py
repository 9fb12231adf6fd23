"""An account whose services return the replies of a test, in any thread, validated by botocore's models."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.validate import validate_parameters

from permission_guard.aws.readers.inventories import InventoryReader
from tests.fakes import ACCOUNT, REGION, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import OperationModel

    from permission_guard.model.state import Inventory, Trigger

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders"
LIVE = f"{FUNCTION}:live"


def invocation(function_arn: str) -> str:
    """Return the URI by which API Gateway names a function."""
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function_arn}/invocations"


def own(service: str, resource: str) -> str:
    """Return an ARN of the account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@dataclass
class Answer:
    """The reply to one operation if the call has at least these parameters."""

    expected: dict[str, Any]
    reply: dict[str, Any]
    status: int = 200


@dataclass
class Account:
    """Real clients without a network. Calls without a prepared reply get an empty one."""

    region: str = REGION
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda _service, _operation: None
    _lock: Lock = field(default_factory=Lock)

    def say(self, service: str, operation: str, reply: dict[str, Any], **expected: Any) -> None:
        """Set the reply to an operation with these parameters; the latest matching reply is used."""
        model = self.client(service).meta.service_model
        shape = model.operation_model(self.client(service).meta.method_to_api_mapping[operation]).output_shape
        validate_parameters(reply, shape)
        self.answers.setdefault((service, operation), []).insert(0, Answer(expected, reply))

    def fail(self, service: str, operation: str, code: str, status: int = 400, **expected: Any) -> None:
        """Have an operation fail."""
        reply = {"Error": {"Code": code, "Message": "no"}}
        self.answers.setdefault((service, operation), []).insert(0, Answer(expected, reply, status))

    def client(self, service: str) -> Any:
        """Return the client of a service, which gets its replies from this account from now on."""
        client, asks = _client(service, self.region)
        asks["answer"] = self.answer
        return client

    def operations(self, service: str) -> list[str]:
        """Return the operations that a service was asked for."""
        return [operation for asked, operation, _ in self.asked if asked == service]

    def answer(self, service: str, operation: str, asked: dict[str, Any]) -> tuple[AWSResponse, dict[str, Any]]:
        """Return an answer as botocore parses it."""
        self.before(service, operation)
        with self._lock:
            self.asked.append((service, operation, asked))
        answers = self.answers.get((service, operation), [])
        answer = next((each for each in answers if each.expected.items() <= asked.items()), Answer({}, {}))
        reply = {**answer.reply, "ResponseMetadata": {"HTTPStatusCode": answer.status, "HTTPHeaders": {}}}
        return AWSResponse("https://nowhere.invalid", answer.status, HTTPHeaders(), None), reply


@cache
def _client(service: str, region: str) -> tuple[Any, dict[str, Callable[..., Any]]]:
    """Return a validating client and the account that answers it; cached because creating a client is slow."""
    asks: dict[str, Callable[..., Any]] = {}
    client: Any = boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["asked"] = dict(params)

    def answer(model: OperationModel, context: dict[str, Any], **_: Any) -> Any:
        return asks["answer"](service, xform_name(model.name), context["asked"])

    client.meta.events.register_first("before-parameter-build.*.*", remember)
    client.meta.events.register("before-call.*.*", answer)
    return client, asks


def read_one(account: Account, name: str, **settings: Any) -> Inventory:
    """Read the inventory of one service."""
    found = InventoryReader(account.client, **settings).read(TARGET)
    return next(inventory for inventory in found if inventory.name == name)


def logged(triggers: tuple[Trigger, ...]) -> set[tuple[str, str, str]]:
    """Return the triggers in the form in which they are compared."""
    return {(trigger.source, trigger.function_arn, trigger.description) for trigger in triggers}


@pytest.fixture
def account() -> Account:
    """Return an empty account."""
    return Account()
