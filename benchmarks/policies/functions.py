"""Functions with a policy and with what is set up to call them, and what is to be found about each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from benchmarks.policies.defects import DEFECTS, public_url
from benchmarks.policies.good import ONLY_BY_THEMSELVES, Written, deny, good, perimeter
from benchmarks.policies.sampling import (
    OWN,
    OWN_ORGANIZATION,
    TRUSTED,
    TRUSTED_ORGANIZATION,
    Sampler,
    Statement,
)
from benchmarks.policies.services import Service, Source, own_source, services_in
from permission_guard.aws.readers.inventories.services import SERVICES
from permission_guard.iam import TrustSet, parse_policy
from permission_guard.model.state import Function, FunctionUrl, Inventory, ResourcePolicy, Snapshot, Trigger
from permission_guard.model.targets import FunctionTarget

if TYPE_CHECKING:
    from collections.abc import Callable

TRUST: Final = TrustSet(frozenset(TRUSTED), frozenset({TRUSTED_ORGANIZATION}))

_BY_URL: Final = "lambda:invokefunctionurl"
_INVOKE: Final = "lambda:invokefunction"

_LISTED: Final = {service.name: service.principal for service in SERVICES}
"""Who calls for the sources that each API lists."""

_TURNS_OF_INVENTORIES: Final = 6
"""How often, for one turn of each kind of statement, it is what is set up in the account that shows the defect."""


@dataclass(frozen=True, slots=True, order=True)
class Expected:
    """A finding that is to be made."""

    rule_id: str
    function_arn: str
    subject: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A function's state, and every finding that is to be made of it."""

    snapshot: Snapshot
    expected: frozenset[Expected]
    statements: tuple[Statement, ...]


@dataclass(slots=True)
class _Making:
    """A function in the making."""

    draw: Sampler
    target: FunctionTarget
    qualifier: str | None
    statements: list[Statement] = field(default_factory=list)
    sources: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in _LISTED})
    triggers: dict[str, list[Trigger]] = field(default_factory=lambda: {kind: [] for kind in _LISTED})
    deleted_buckets: set[str] = field(default_factory=set)
    expected: set[Expected] = field(default_factory=set)

    @property
    def arn(self) -> str:
        """The ARN that the policy is of."""
        return f"{self.target.arn}:{self.qualifier}" if self.qualifier else self.target.arn

    def add(self, statement: Statement, *rules: str) -> None:
        """Add a statement, and what is to be found about it; a good one may do without a Sid."""
        sid = self.draw.sid()
        named = {"Sid": sid} if rules or self.draw.chance(0.85) else {}
        resource = {"Resource": self.draw.pick(self.arn, self.arn, [self.arn])}
        self.statements.append({**named, **statement, **resource})
        self.expected |= {Expected(rule, self.arn, f"statement/{sid}") for rule in rules}

    def add_written(self, written: Written) -> None:
        """Add good statements, with their source; sometimes it is set up to call the function."""
        for statement in written.statements:
            self.add(statement)
            self.list_sources(statement)
        service, source = written.service, written.source
        if service is None or source is None or not service.kind or written.account != OWN:
            return
        self.sources[service.kind].add(source.named or source.sent)
        if self.draw.chance(0.6):
            self.trigger(service, source)

    def list_sources(self, statement: Statement) -> None:
        """Have every source exist that a statement names, so that nothing is wrong with it that is not meant to be."""
        for keys in statement.get("Condition", {}).values():
            for key, values in keys.items():
                if key.lower() == "aws:sourcearn":
                    for arn in [values] if isinstance(values, str) else values:
                        self._list_source(arn)

    def _list_source(self, arn: str) -> None:
        kinds = {"execute-api": "apigateway", "elasticloadbalancing": "elbv2", **{kind: kind for kind in _LISTED}}
        kind = kinds.get("".join(arn.split(":")[2:3]))
        if kind is not None:
            named = arn.partition("/")[0] if kind == "apigateway" else arn.removesuffix(":*") if kind == "logs" else arn
            self.sources[kind] |= set() if "*" in named else {named}

    def trigger(self, service: Service, source: Source, function_arn: str = "") -> Trigger:
        """Set a source up to call the function."""
        named = source.named or source.sent
        self.sources[service.kind].add(named)
        latest = ":$LATEST" if not self.qualifier and self.draw.chance(0.2) else ""
        trigger = Trigger(
            principal=_LISTED[service.kind],
            source=named,
            source_arns=(source.sent,),
            source_account=OWN,
            function_arn=function_arn or f"{self.arn}{latest}",
            description=f"the source {named}",
        )
        self.triggers[service.kind].append(trigger)
        return trigger

    def _working(self, url: FunctionUrl) -> tuple[FunctionUrl, ...]:
        """Return a URL with authentication, unless a caller is granted only one of the permissions that it requires."""
        granted: dict[tuple[str, str], set[str]] = {}
        through_url = set()
        for statement in self.statements:
            actions = {str(action).lower() for action in _list(statement.get("Action", []))}
            written = statement.get("Principal", "*")
            principals = written.items() if isinstance(written, dict) else [("AWS", written)]
            for caller in [(kind, value) for kind, values in principals for value in _list(values)]:
                granted.setdefault(caller, set()).update(actions & {_BY_URL, _INVOKE})
                if "cloudfront" in caller[1] or _BY_URL in actions or "InvokedViaFunctionUrl" in str(statement):
                    through_url.add(caller)
        halves = [caller for caller in through_url if len(granted[caller]) == 1]
        return () if halves else (replace(url, auth_type="AWS_IAM"),)

    def finished(self) -> Sample:
        """Return the function, its statements in any order."""
        draw = self.draw
        draw.random.shuffle(self.statements)
        single = len(self.statements) == 1 and draw.chance(0.5)
        document = {
            "Version": "2012-10-17",
            **({"Id": "default"} if draw.chance(0.7) else {}),
            "Statement": self.statements[0] if single else self.statements,
        }
        policy = ResourcePolicy(self.arn, self.qualifier, parse_policy(json.dumps(document)))
        url = FunctionUrl(self.qualifier, f"https://{draw.id(32)}.lambda-url.on.aws/", draw.pick("NONE", "AWS_IAM"))
        urls = self._working(url)
        snapshot = Snapshot(
            self.target,
            Function(self.target.arn, self.target.name, f"arn:{self.target.partition}:iam::{OWN}:role/run"),
            resource_policies=(policy,),
            function_urls=draw.pick(None, (), urls),
            own_organization=OWN_ORGANIZATION,
            inventories=tuple(
                Inventory(kind, _LISTED[kind], frozenset(self.sources[kind]), tuple(self.triggers[kind]))
                for kind in _LISTED
            ),
            foreign_buckets=dict.fromkeys(self.deleted_buckets, False),
        )
        return Sample(snapshot, frozenset(self.expected), tuple(self.statements))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _making(draw: Sampler) -> _Making:
    target = FunctionTarget(draw.partition, draw.region, OWN, draw.name())
    return _Making(draw, target, draw.pick(None, None, None, "live", "7"))


def good_function(seed: str) -> Sample:
    """Return a function without a problem."""
    draw = Sampler(seed)
    making = _making(draw)
    if draw.chance(0.08):
        for statement in draw.pick(*ONLY_BY_THEMSELVES)(draw):
            making.add(statement)
        return making.finished()
    for _ in range(draw.pick(1, 1, 2, 3, 5)):
        making.add_written(good(draw))
    if draw.chance(0.15):
        making.add(draw.pick(deny, perimeter)(draw))
    return making.finished()


def defective_function(seed: str, number: int) -> Sample:
    """Return a function with one to three defects among good statements. The number selects the first one."""
    draw = Sampler(seed)
    making = _making(draw)
    for _ in range(draw.pick(0, 1, 2, 3)):
        making.add_written(good(draw))
    # A numbered version has no URL.
    kinds = [kind for kind in DEFECTS if making.qualifier != "7" or kind is not public_url]
    turns: list[Callable[[Sampler], Statement] | None] = [*kinds, *[None] * _TURNS_OF_INVENTORIES]
    chosen = [turns[number % len(turns)], *draw.random.choices(kinds, k=draw.pick(0, 0, 1, 2))]
    for kind in chosen:
        if kind is not None:
            statement = kind(draw)
            making.add(statement, *DEFECTS[kind])
            making.list_sources(statement)
    if None in chosen:
        draw.pick(_source_deleted, _bucket_deleted, _trigger_not_allowed, _alias_not_allowed)(making)
    return making.finished()


# ── Defects that depend on what is set up in the account ───────────────────────────────────────────────────────────


def _listed_service(making: _Making, *, named: bool) -> Service:
    """Return a service whose sources are listed, and by whose ARN a statement can hold it where asked for."""
    used = {name.partition(".")[0] for item in making.statements for name in _services(item)}
    found = [
        service
        for service in services_in(making.draw)
        if service.kind
        and service.principal.partition(".")[0] not in used
        and service.principal != "s3.amazonaws.com"
        and (not named or {"arn", "both"} & {*service.ways})
    ]
    service: Service = making.draw.pick(*found)
    return service


def _services(statement: Statement) -> list[str]:
    principal = statement["Principal"]
    found = principal.get("Service", []) if isinstance(principal, dict) else []
    return [found] if isinstance(found, str) else found


def _source_deleted(making: _Making) -> None:
    """PG110: the source that a good statement names does not exist."""
    draw = making.draw
    service = _listed_service(making, named=True)
    condition = draw.condition(
        draw.pick("ArnLike", "ArnEquals", "StringEquals"), "aws:SourceArn", own_source(service, draw).sent
    )
    making.add(draw.for_service(service.principal, condition), "PG110")


def _bucket_deleted(making: _Making) -> None:
    """PG110, and PG103 where only its name holds S3."""
    draw = making.draw
    bucket = draw.arn("s3", f"deleted-{draw.id()}", account="", region="")
    making.deleted_buckets.add(bucket)
    held = draw.chance(0.5)
    account = draw.condition("StringEquals", "aws:SourceAccount", OWN) if held else {}
    statement = draw.for_service("s3.amazonaws.com", draw.condition("ArnLike", "aws:SourceArn", bucket), account)
    making.add(statement, *(("PG110",) if held else ("PG103", "PG110")))


def _trigger_not_allowed(making: _Making) -> None:
    """PG112: a trigger that no statement allows. Where a statement allows `*`, the trigger calls another alias."""
    if any("*" in json.dumps(item["Principal"]) and item["Effect"] == "Allow" for item in making.statements):
        _alias_not_allowed(making)
        return
    _expect_trigger(making, _listed_service(making, named=False), "")


def _alias_not_allowed(making: _Making) -> None:
    """PG112: a trigger that calls an alias, which has its own policy."""
    _expect_trigger(
        making, making.draw.pick(*[s for s in services_in(making.draw) if s.kind]), f"{making.target.arn}:canary"
    )


def _expect_trigger(making: _Making, service: Service, function_arn: str) -> None:
    trigger = making.trigger(service, own_source(service, making.draw), function_arn)
    making.expected.add(Expected("PG112", trigger.function_arn, f"trigger/{trigger.principal}/{trigger.source}"))
