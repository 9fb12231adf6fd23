"""An account whose services answer what a test says, whichever thread asks, and only as AWS's models allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

from permission_guard.aws.inventories import InventoryReader
from tests.fakes import ACCOUNT, REGION, TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from permission_guard.triggers import Inventory, Trigger

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders"
LIVE = f"{FUNCTION}:live"


def invocation(function_arn: str) -> str:
    """Return the URI with which API Gateway names a function."""
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function_arn}/invocations"


@dataclass
class Answer:
    """What is said to one operation when it is asked with these parameters, among others."""

    expected: dict[str, Any]
    reply: dict[str, Any]
    status: int = 200


@dataclass
class Account:
    """Real clients whose calls go nowhere. What was not said is answered with a reply that has nothing in it."""

    region: str = REGION
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda _service, _operation: None
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def say(self, service: str, operation: str, reply: dict[str, Any], **expected: Any) -> None:
        """Answer an operation when it is asked with these parameters; what was said last goes first."""
        model = self.client(service).meta.service_model
        shape = model.operation_model(self.client(service).meta.method_to_api_mapping[operation]).output_shape
        validate_parameters(reply, shape)
        self.answers.setdefault((service, operation), []).insert(0, Answer(expected, reply))

    def fail(self, service: str, operation: str, code: str, status: int = 400, **expected: Any) -> None:
        """Refuse an operation."""
        reply = {"Error": {"Code": code, "Message": "no"}}
        self.answers.setdefault((service, operation), []).insert(0, Answer(expected, reply, status))

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        if service not in self._clients:
            client: Any = boto3.client(
                service,  # type: ignore[call-overload]
                region_name=self.region,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
            )
            client.meta.events.register_first("before-parameter-build.*.*", self._remember)
            client.meta.events.register("before-call.*.*", lambda **event: self._answer(service, **event))
            self._clients[service] = client
        return self._clients[service]

    def operations(self, service: str) -> list[str]:
        """Return what was asked of a service."""
        return [operation for asked, operation, _ in self.asked if asked == service]

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["asked"] = dict(params)

    def _answer(
        self, service: str, model: Any, context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]]:
        operation, asked = xform_name(model.name), context["asked"]
        self.before(service, operation)
        with self._lock:
            self.asked.append((service, operation, asked))
        for answer in self.answers.get((service, operation), []):
            if answer.expected.items() <= asked.items():
                break
        else:
            answer = Answer({}, {})
        reply = {**answer.reply, "ResponseMetadata": {"HTTPStatusCode": answer.status, "HTTPHeaders": {}}}
        return AWSResponse("https://nowhere.invalid", answer.status, {}, None), reply


def read_one(account: Account, name: str, **settings: Any) -> Inventory:
    """Read the inventory of one service."""
    found = InventoryReader(account.client, **settings).read(TARGET)
    return next(inventory for inventory in found if inventory.name == name)


def told(triggers: tuple[Trigger, ...]) -> set[tuple[str, str, str]]:
    """Return what calls what, and how that is said."""
    return {(trigger.source, trigger.function_arn, trigger.description) for trigger in triggers}


@pytest.fixture
def account() -> Account:
    """Return an account in which there is nothing."""
    return Account()
