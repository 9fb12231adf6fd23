"""The account, region and partition to which a template is deployed: given, inferred from its literals, or assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from permission_guard.model.arns import partition_of
from permission_guard.offline.intrinsics import Resolver
from permission_guard.offline.physical_names import Place
from permission_guard.offline.references import references

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.model.targets import JSON

PLACEHOLDER: Final = "123456789012"
"""The account of a template that names none."""

OPTION: Final = "option"

_REGIONS: Final = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_NOWHERE: Final = Place("", "", "aws")
"""The place for reading literals: what a pseudo parameter resolves to is none."""

_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d)?:(?P<account>\d{12})?:",
    re.ASCII,
)

_ANY_ARN: Final = re.compile(
    r"\barn:(?P<partition>aws(?:-[a-z]+)*):[a-z0-9-]+:(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d:)?", re.ASCII
)

_MAX_OTHERS: Final = 6

_ACCOUNT_ID: Final = re.compile(r"\d{12}", re.ASCII)
_PERMISSION: Final = "AWS::Lambda::Permission"

_ACCOUNT, _REGION = "account", "region"

_CERTAIN: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "AWS::IAM::Role": {"ManagedPolicyArns": (_ACCOUNT,), "PermissionsBoundary": (_ACCOUNT,)},
    "AWS::Lambda::Alias": {"FunctionName": (_ACCOUNT, _REGION)},
    "AWS::Lambda::EventInvokeConfig": {"FunctionName": (_ACCOUNT, _REGION)},
    "AWS::Lambda::EventSourceMapping": {"FunctionName": (_ACCOUNT, _REGION), "EventSourceArn": (_REGION,)},
    "AWS::Lambda::Function": {"Role": (_ACCOUNT,), "Layers": (_REGION,), "DeadLetterConfig": (_REGION,)},
    "AWS::Lambda::Permission": {"FunctionName": (_ACCOUNT, _REGION)},
    "AWS::Lambda::ResourcePolicy": {"ResourceArn": (_ACCOUNT, _REGION)},
    "AWS::Lambda::Url": {"TargetFunctionArn": (_ACCOUNT, _REGION)},
    "AWS::Serverless::Function": {
        "Role": (_ACCOUNT,),
        "PermissionsBoundary": (_ACCOUNT,),
        "Layers": (_REGION,),
        "DeadLetterQueue": (_REGION,),
    },
}
"""The properties whose ARNs are in the account or the region of the stack: AWS accepts no others."""

_LIKELY: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "AWS::Lambda::EventSourceMapping": {"EventSourceArn": (_ACCOUNT,)},
    "AWS::Lambda::Function": {"DeadLetterConfig": (_ACCOUNT,)},
    "AWS::Serverless::Function": {"DeadLetterQueue": (_ACCOUNT,), "Events": (_ACCOUNT, _REGION)},
}
"""The properties whose ARNs can be in another account, but usually are not."""

_POLICIES: Final = {
    "AWS::IAM::ManagedPolicy": "PolicyDocument",
    "AWS::IAM::Policy": "PolicyDocument",
    "AWS::IAM::Role": "Policies",
    "AWS::IAM::RolePolicy": "PolicyDocument",
    "AWS::Serverless::Function": "Policies",
}
"""The properties with policies. A function writes its logs in its own account and region."""

_SOURCES: Final = frozenset({"Queue", "Stream"})


@dataclass(frozen=True, slots=True)
class Inferred:
    """A value with its origin: `option`, an ARN of the file, or empty if it is assumed."""

    value: str
    origin: str = ""

    def document(self) -> dict[str, str]:
        """Return the value and its origin as JSON values."""
        return {"value": self.value, "from": self.origin or "assumed"}

    def __str__(self) -> str:
        return f"{self.value} (from {self.origin})" if self.origin else f"{self.value} (assumed)"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The place of one template, with the origin of its account and region.

    `others` are places that the ARNs of the template name, if the account or the region is assumed.
    """

    account: Inferred
    region: Inferred
    partition: str
    others: tuple[GivenPlace, ...] = field(default=(), compare=False)

    @property
    def place(self) -> Place:
        """The place."""
        return Place(self.account.value, self.region.value, self.partition)

    def messages(self) -> Iterator[str]:
        """Yield what the user did not say, with the option that says it."""
        for name, one in (("account", self.account), ("region", self.region)):
            if one.origin != OPTION:
                yield f"checked for {name} {one}. Set your {name} with --{name}."


@dataclass(frozen=True, slots=True)
class GivenPlace:
    """What the user says of the place to which templates are deployed; None if nothing."""

    account: str | None = None
    region: str | None = None
    partition: str | None = None

    def deployment(self, template: Mapping[str, Any], parameters: Mapping[str, str]) -> Deployment:
        """Return the place of a template: what the user says, else what the literals of the template agree on."""
        found = _Literals.of(template, parameters)
        region = _of(self.region, found.regions, found.likely_regions)
        account = _of(self.account, found.accounts, found.likely_accounts)
        named = _named(template.get("Resources"))
        partitions = found.partitions or named
        partition = self.partition or (partition_of(region.value) if region else _only(partitions)) or "aws"
        regions = [] if region else [name for name in named.get(partition, ()) if partition_of(name) == partition]
        accounts = [] if account else list(found.accounts or found.likely_accounts)
        region = region or Inferred(_REGIONS.get(partition, _REGIONS["aws"]))
        account = account or Inferred(PLACEHOLDER)
        others = [
            GivenPlace(*place, partition)
            for place in product([account.value, *accounts], [region.value, *regions])
            if place != (account.value, region.value)
        ]
        return Deployment(account, region, partition, tuple(others[:_MAX_OTHERS]))


@dataclass(slots=True)
class _Literals:
    """The accounts, regions and partitions that the ARNs of a template name, each with the first ARN."""

    accounts: dict[str, str] = field(default_factory=dict)
    regions: dict[str, str] = field(default_factory=dict)
    likely_accounts: dict[str, str] = field(default_factory=dict)
    likely_regions: dict[str, str] = field(default_factory=dict)
    partitions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, template: Mapping[str, Any], parameters: Mapping[str, str]) -> _Literals:
        """Read the literals of a template."""
        found = cls()
        resolver = Resolver(template, _NOWHERE, parameters)
        for name, resource in resolver.resources.items():
            kind = resource.get("Type") if isinstance(resource, dict) else None
            properties = resource.get("Properties") if isinstance(resource, dict) else None
            if isinstance(kind, str) and isinstance(properties, dict):
                found._read(kind, properties, resolver)
                if kind == _PERMISSION:
                    found._read_permission(name, properties, resolver)
        return found

    def _read_permission(self, name: str, properties: Mapping[str, Any], resolver: Resolver) -> None:
        """Read a permission for a source that the stack creates: it is in the account and region of the stack."""
        source = properties.get("SourceArn")
        if any(map(resolver.type_of, references(source))):
            self._add(resolver.value(source), self.accounts, self.regions)
            account = str(resolver.value(properties.get("SourceAccount")))
            if _ACCOUNT_ID.fullmatch(account):
                self.accounts.setdefault(account, f"SourceAccount of {name}")

    def _read(self, kind: str, properties: Mapping[str, Any], resolver: Resolver) -> None:
        for table, accounts, regions in (
            (_CERTAIN, self.accounts, self.regions),
            (_LIKELY, self.likely_accounts, self.likely_regions),
        ):
            for name, parts in table.get(kind, {}).items():
                resolved = resolver.value(properties.get(name))
                of_source = _sources_in(resolved) if name == "Events" else resolved
                self._add(of_source, accounts if _ACCOUNT in parts else {}, regions if _REGION in parts else {})
        if kind in _POLICIES:
            for resource in _resources_in(resolver.value(properties.get(_POLICIES[kind]))):
                is_of_logs = isinstance(resource, str) and ":logs:" in resource
                self._add(resource if is_of_logs else None, self.accounts, self.regions)

    def _add(self, value: JSON, accounts: dict[str, str], regions: dict[str, str]) -> None:
        for text in _texts(value):
            match = _ARN.match(text)
            if match is None:
                continue
            if match["account"] or match["region"]:  # others are results of pseudo parameters
                self.partitions.setdefault(match["partition"], text)
            if match["account"]:
                accounts.setdefault(match["account"], text)
            if match["region"]:
                regions.setdefault(match["region"], text)


def _of(given: str | None, certain: Mapping[str, str], likely: Mapping[str, str]) -> Inferred | None:
    if given is not None:
        return Inferred(given, OPTION)
    agreed = certain or likely
    return Inferred(*next(iter(agreed.items()))) if len(agreed) == 1 else None


def _only(values: Mapping[str, object]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _named(resources: JSON) -> dict[str, dict[str, None]]:
    """Return the partitions that ARNs anywhere in the resources name, each with the regions in it."""
    found: dict[str, dict[str, None]] = {}
    for text in _texts(resources):
        for match in _ANY_ARN.finditer(text) if "arn:" in text else ():
            of_partition = found.setdefault(match["partition"], {})
            if match["region"]:
                of_partition[match["region"].removesuffix(":")] = None
    return found


def _texts(value: JSON) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _sources_in(events: JSON) -> list[JSON]:
    """Return the queues and streams of a SAM function's events."""
    listed = events.values() if isinstance(events, dict) else ()
    found = [event.get("Properties") for event in listed if isinstance(event, dict)]
    return [value for one in found if isinstance(one, dict) for name, value in one.items() if name in _SOURCES]


def _resources_in(policies: JSON) -> Iterator[JSON]:
    """Yield the resources of all statements."""
    if isinstance(policies, list):
        for item in policies:
            yield from _resources_in(item)
    elif isinstance(policies, dict):
        for name, value in policies.items():
            if name == "Resource":
                yield from value if isinstance(value, list) else [value]
            else:
                yield from _resources_in(value)
