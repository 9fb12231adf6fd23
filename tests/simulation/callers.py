"""Who calls a function: what is set up in the account to invoke it, and strangers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import Context, PolicySet, Principal, Request, evaluate, parse_policy
from tests.fakes import ACCOUNT, REGION
from tests.in_memory.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.iam import Decision

INVOKE: Final = "lambda:InvokeFunction"
_INVOKE_URL: Final = "lambda:InvokeFunctionUrl"
OTHER_ACCOUNT: Final = "999999999999"


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal that calls a function, with the condition keys that it sends; None is one that it never sends."""

    words: str
    principal: Principal
    sent: tuple[tuple[str, str | None], ...] = ()
    action: str = INVOKE

    def is_allowed(self, statements: Sequence[Mapping[str, Any]], function_arn: str) -> bool:
        """Return whether a policy certainly allows the call."""
        return self._decision(statements, function_arn).allowed

    def is_denied(self, statements: Sequence[Mapping[str, Any]], function_arn: str) -> bool:
        """Return whether a policy certainly denies the call."""
        return self._decision(statements, function_arn).denied

    def _decision(self, statements: Sequence[Mapping[str, Any]], function_arn: str) -> Decision:
        document = parse_policy({"Version": "2012-10-17", "Statement": [dict(one) for one in statements]})
        request = Request(self.principal, self.action, function_arn, Context(dict(self.sent)))
        return evaluate(request, PolicySet(resource=document))


@dataclass(frozen=True, slots=True)
class Source:
    """A resource of the account that is set up to invoke a function."""

    service: str
    arn: str

    @property
    def principal(self) -> str:
        """The service that invokes the function."""
        return f"{self.service}.amazonaws.com"

    @property
    def name(self) -> str:
        """The name of the resource."""
        return self.arn.rpartition(":")[2].removeprefix("rule/")

    @property
    def callers(self) -> tuple[Caller, ...]:
        """The calls that it may make: AWS does not document for each service whether it sends the account."""
        accounts = (ACCOUNT,) if self.service == "s3" else (ACCOUNT, None)
        return tuple(self.caller(account) for account in accounts)

    def caller(self, account: str | None) -> Caller:
        """Return its call as one for an account."""
        sent = (("aws:SourceArn", self.arn), ("aws:SourceAccount", account))
        return Caller(f"{self.arn} for {account}", Principal.service(self.principal), sent)


BUCKET: Final = Source("s3", "arn:aws:s3:::uploads")
TOPIC: Final = Source("sns", f"arn:aws:sns:{REGION}:{ACCOUNT}:orders-paid")
RULE: Final = Source("events", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly")

STRANGE_BUCKET: Final = BUCKET.caller(OTHER_ACCOUNT)
STRANGE_TOPIC: Final = Source("sns", f"arn:aws:sns:{REGION}:{OTHER_ACCOUNT}:orders-paid").caller(OTHER_ACCOUNT)
STRANGE_RULE: Final = Source("events", f"arn:aws:events:{REGION}:{OTHER_ACCOUNT}:rule/nightly").caller(OTHER_ACCOUNT)
DELETED_BUCKET: Final = Source("s3", "arn:aws:s3:::deleted").caller(ACCOUNT)
ENDED_SERVICE: Final = Caller(
    "an ended service", Principal.service("pinpoint.us-east-1.amazonaws.com"), (("aws:SourceAccount", ACCOUNT),)
)
STRANGER: Final = Caller("another account", Principal.root(OTHER_ACCOUNT))
ANYONE_BY_URL: Final = Caller(
    "anyone, through a function URL",
    Principal.anonymous(),
    (("lambda:FunctionUrlAuthType", "NONE"),),
    _INVOKE_URL,
)
WRITER: Final = Caller("another account", Principal.root(OTHER_ACCOUNT), (), "lambda:UpdateFunctionCode")


@dataclass(slots=True)
class Sources:
    """What is set up in an account: `invoked` are the functions by their sources."""

    invoked: dict[Source, str] = field(default_factory=dict)

    def answer(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer what the inventories of buckets, topics and rules read; None for any other call."""
        found = {"s3": self._s3, "sns": self._sns, "events": self._events}.get(service)
        return None if found is None else found(operation, params)

    def _of(self, service: str) -> list[tuple[Source, str]]:
        return sorted((one for one in self.invoked.items() if one[0].service == service), key=lambda one: one[0].name)

    def _s3(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        buckets = {source.name: function for source, function in self._of("s3")}
        if operation == "ListBuckets":
            return {"Buckets": [{"Name": name, "BucketRegion": REGION} for name in buckets]}
        if operation == "HeadBucket" and params["Bucket"] not in buckets:
            raise RejectedError("404", "Not Found", status=404)
        if operation == "GetBucketNotificationConfiguration":
            configuration = {"LambdaFunctionArn": buckets[params["Bucket"]], "Events": ["s3:*"]}
            return {"LambdaFunctionConfigurations": [configuration]}
        return None

    def _sns(self, operation: str, _params: Mapping[str, Any]) -> dict[str, Any] | None:
        if operation == "ListTopics":
            return {"Topics": [{"TopicArn": topic.arn} for topic, _ in self._of("sns")]}
        if operation != "ListSubscriptions":
            return None
        subscriptions = [
            {"TopicArn": topic.arn, "Endpoint": function, "Protocol": "lambda", "SubscriptionArn": f"{topic.arn}:1"}
            for topic, function in self._of("sns")
        ]
        return {"Subscriptions": subscriptions}

    def _events(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        rules = self._of("events")
        if operation == "ListEventBuses":
            return {"EventBuses": [{"Name": "default"}]}
        if operation == "ListRules":
            return {"Rules": [{"Name": rule.name, "Arn": rule.arn, "State": "ENABLED"} for rule, _ in rules]}
        if operation != "ListTargetsByRule":
            return None
        return {"Targets": [{"Id": "1", "Arn": function} for rule, function in rules if rule.name == params["Rule"]]}
