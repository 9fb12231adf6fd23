"""Sources that invoke functions, each built by its own service's API, and functions that show who invoked them."""

from __future__ import annotations

import io
import json
import zipfile
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.client.deliveries import Deliveries
from sandbox.client.process import ACCOUNT, REGION, Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.client.engineer import Engineer

INVOKE = "lambda:InvokeFunction"
_HANDLER = "import json\n\n\ndef handler(event, context):\n    print(json.dumps(event))\n"


def recorder() -> bytes:
    """Return a deployment package with a handler that writes its event into its log."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", _HANDLER)
    return package.getvalue()


class Trigger(ABC):
    """A resource that invokes a function once it is connected to it."""

    service: ClassVar[str]

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox, self.name = sandbox, name
        self.arn = self._make()

    @abstractmethod
    def _make(self) -> str:
        """Create the resource and return its ARN."""

    @abstractmethod
    def connect(self, function_arn: str) -> None:
        """Let the resource invoke a function, a version or an alias."""

    @abstractmethod
    def disconnect(self) -> None:
        """Let the resource invoke nothing any more."""

    @abstractmethod
    def fire(self, mark: str) -> None:
        """Make the resource invoke its function with an event that contains `mark`."""

    def permission(self) -> dict[str, str]:
        """Return the members of AddPermission for exactly this resource, as AWS recommends them."""
        return {"Principal": self.service, "SourceArn": self.arn}


class Bucket(Trigger):
    """A bucket with a notification for each new object.

    Connecting skips the validation, which would not let a test connect it before the permission or without one.
    """

    service = "s3.amazonaws.com"

    def _make(self) -> str:
        self.sandbox.client("s3").create_bucket(Bucket=self.name)
        return f"arn:aws:s3:::{self.name}"

    def connect(self, function_arn: str, *, validated: bool = False) -> None:
        """Put the notification."""
        new_objects = {"LambdaFunctionArn": function_arn, "Events": ["s3:ObjectCreated:*"]}
        self._put({"LambdaFunctionConfigurations": [new_objects]}, SkipDestinationValidation=not validated)

    def disconnect(self) -> None:
        """Remove the notification."""
        self._put({})

    def _put(self, configuration: Mapping[str, Any], **options: Any) -> None:
        self.sandbox.client("s3").put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration=configuration, **options
        )

    def fire(self, mark: str) -> None:
        """Upload an object."""
        self.sandbox.client("s3").put_object(Bucket=self.name, Key=mark, Body=b"")

    def permission(self) -> dict[str, str]:
        """Return the statement's members with the owner's account, which the ARN of a bucket lacks."""
        return {**super().permission(), "SourceAccount": ACCOUNT}


class Topic(Trigger):
    """A topic with the function as a subscriber."""

    service = "sns.amazonaws.com"

    def _make(self) -> str:
        return str(self.sandbox.client("sns").create_topic(Name=self.name)["TopicArn"])

    def connect(self, function_arn: str) -> None:
        """Subscribe the function."""
        self.sandbox.client("sns").subscribe(TopicArn=self.arn, Protocol="lambda", Endpoint=function_arn)

    def disconnect(self) -> None:
        """Unsubscribe the function."""
        sns = self.sandbox.client("sns")
        for one in sns.list_subscriptions_by_topic(TopicArn=self.arn)["Subscriptions"]:
            sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])

    def fire(self, mark: str) -> None:
        """Publish a message."""
        self.sandbox.client("sns").publish(TopicArn=self.arn, Message=mark)


class Rule(Trigger):
    """A rule on the default bus with the function as a target."""

    service = "events.amazonaws.com"

    def _make(self) -> str:
        pattern = json.dumps({"source": [self.name]})
        return str(self.sandbox.client("events").put_rule(Name=self.name, EventPattern=pattern)["RuleArn"])

    def connect(self, function_arn: str, **options: Any) -> None:
        """Put the target."""
        target = {"Id": "function", "Arn": function_arn, **options}
        reply = self.sandbox.client("events").put_targets(Rule=self.name, Targets=[target])
        assert reply["FailedEntryCount"] == 0

    def disconnect(self) -> None:
        """Remove the target."""
        self.sandbox.client("events").remove_targets(Rule=self.name, Ids=["function"])

    def fire(self, mark: str) -> None:
        """Put an event that the rule matches."""
        event = {"Source": self.name, "DetailType": "test", "Detail": json.dumps({"mark": mark})}
        assert self.sandbox.client("events").put_events(Entries=[event])["FailedEntryCount"] == 0


class Target:
    """A function, or a version or alias of it, with the statements of its own policy."""

    def __init__(self, sandbox: Sandbox, function: str, qualifier: str = "") -> None:
        self._client, self.name = sandbox.client("lambda"), function
        self._named = {"FunctionName": function, **({"Qualifier": qualifier} if qualifier else {})}
        unqualified = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
        self.arn = f"{unqualified}:{qualifier}" if qualifier else unqualified
        self._deliveries = Deliveries(sandbox, self.arn)

    def permit(self, sid: str, permission: Mapping[str, str]) -> None:
        """Add a statement."""
        self._client.add_permission(**self._named, StatementId=sid, Action=INVOKE, **permission)

    def forbid(self, sid: str) -> None:
        """Remove a statement."""
        self._client.remove_permission(**self._named, StatementId=sid)

    def is_invoked_by(self, trigger: Trigger) -> bool:
        """Fire a trigger, wait for its delivery, and return whether it invoked or was refused."""
        return self._deliveries.invokes(trigger.service, trigger.arn, trigger.fire)


def recording(engineer: Engineer, name: str) -> Target:
    """Create a function that records its events, and that nothing may invoke."""
    engineer.function(name, engineer.role(f"{name}-role"))
    engineer.functions.update_function_code(FunctionName=name, ZipFile=recorder())
    return Target(engineer.aws, name)
