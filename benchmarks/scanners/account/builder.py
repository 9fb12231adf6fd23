"""Build an account: `build(1000, seed=18)`. The same size and seed give the same account."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks.scanners.account.model import (
    ACCOUNT,
    CREATED,
    REGION,
    Account,
    Function,
    Item,
    Role,
    Sources,
    allow,
    arn,
    document,
)
from benchmarks.scanners.account.shapes import CORRECT, DEFECTS, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED: Final = 18
_MANAGED: Final = "arn:aws:iam::aws:policy/service-role"
_TRUST_LAMBDA: Final = document(
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
)
_RUNTIMES: Final = ("python3.13", "python3.12", "nodejs22.x", "nodejs20.x", "java21", "provided.al2023")
_TEAMS: Final = ("orders", "billing", "search", "media", "identity", "reports", "shipping", "catalog")
_OTHER_SERVICES: Final = ("ec2", "ecs-tasks", "states", "codebuild", "apigateway", "events", "scheduler")

_PUBLISHED: Final = 0.2
_SHARED_ROLE: Final = 0.06
_FUNCTIONS_OF_A_SHARED_ROLE: Final = 3
_IN_VPC: Final = 0.15
_TRACED: Final = 0.2
_MANAGED_LOGGING: Final = 0.8
_OTHER_ROLES: Final = 0.3


class Builder:
    """One function while its shape is applied to it."""

    def __init__(self, account: Account, function: Function, role: Role, chosen: random.Random, number: int) -> None:
        self.sources: Sources = account.sources
        self.role = role
        self._account = account
        self._function = function
        self._random = chosen
        self._number = number

    @property
    def name(self) -> str:
        """The function's name."""
        return self._function.name

    @property
    def arn(self) -> str:
        """The function's unqualified ARN."""
        return self._function.arn

    def chance(self, share: float) -> bool:
        """Return true for a share of the calls."""
        return self._random.random() < share

    def shared(self, kind: str, every: int) -> str:
        """Return the name of a resource that neighbouring functions share."""
        return f"{kind}{self._number // every:04}"

    def permission(self, service: str, condition: Item | None = None) -> None:
        """Add a statement for a service."""
        self.statement({"Service": service}, condition)

    def statement(
        self,
        principal: str | Item,
        condition: Item | None = None,
        qualifier: str | None = None,
        action: str = "lambda:InvokeFunction",
    ) -> None:
        """Add a statement to the policy of the function, or of one of its qualifiers."""
        statements = self._function.policies.setdefault(qualifier, [])
        resource = self.arn if qualifier is None else f"{self.arn}:{qualifier}"
        statements.append(
            {
                "Sid": f"statement-{len(statements)}",
                "Effect": "Allow",
                "Principal": principal,
                "Action": action,
                "Resource": resource,
                **({"Condition": condition} if condition else {}),
            }
        )

    def publish(self, count: int) -> None:
        """Publish versions, up to a number."""
        for number in range(len(self._function.versions) + 1, count + 1):
            version = {"Version": str(number), "FunctionArn": f"{self.arn}:{number}"}
            self._function.versions.append(self._function.configuration | version)

    def alias(self, name: str, version: str) -> None:
        """Add an alias."""
        self._function.aliases.append(
            {
                "AliasArn": f"{self.arn}:{name}",
                "Name": name,
                "FunctionVersion": version,
                "Description": "",
                "RevisionId": identifier(self._random),
            }
        )

    def has_alias(self, name: str) -> bool:
        """Return whether the function has an alias of that name."""
        return any(alias["Name"] == name for alias in self._function.aliases)

    def mapping(self, source: str, **settings: Any) -> None:
        """Add an event source mapping."""
        uuid = identifier(self._random)
        self._account.mappings.append(
            {
                "UUID": uuid,
                "EventSourceMappingArn": arn("lambda", f"event-source-mapping:{uuid}"),
                "EventSourceArn": source,
                "FunctionArn": self.arn,
                "State": "Enabled",
                "StateTransitionReason": "USER_INITIATED",
                "LastModified": 1768469400.0,
                "LastProcessingResult": "OK",
                "MaximumBatchingWindowInSeconds": 0,
                "FunctionResponseTypes": [],
                **settings,
            }
        )

    def destination(self, queue: str) -> None:
        """Send failed asynchronous invocations to a queue."""
        self._function.invoke_configs.append(
            {
                "FunctionArn": f"{self.arn}:$LATEST",
                "LastModified": 1768469400.0,
                "MaximumRetryAttempts": 2,
                "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": queue}},
            }
        )

    def url(self, auth_type: str) -> None:
        """Add a function URL."""
        address = f"https://{identifier(self._random).replace('-', '')}.lambda-url.{REGION}.on.aws/"
        self._function.urls.append(
            {
                "FunctionUrl": address,
                "FunctionArn": self.arn,
                "AuthType": auth_type,
                "CreationTime": CREATED,
                "LastModifiedTime": CREATED,
                "InvokeMode": "BUFFERED",
            }
        )


def build(size: int, seed: int = SEED, *, published: bool = True) -> Account:
    """Build an account with a number of functions.

    Each defect is there at least once. `published=False` leaves out versions, aliases and the shapes that need them.
    """
    chosen = random.Random(f"{size} {seed}")  # noqa: S311 - repeatable, not secret
    account = Account()
    for number, shape in enumerate(_shapes(size, chosen, published=published)):
        name = f"{_TEAMS[number % len(_TEAMS)]}-{number:04}"
        role = _role(account, name, chosen)
        function = Function(_configuration(name, role, chosen), tags=_tags(number, chosen))
        account.functions[name] = function
        account.shapes[name] = shape.name
        account.expected[function.arn] = shape.rules
        account.sources.log_groups.append(f"/aws/lambda/{name}")
        builder = Builder(account, function, role, chosen, number)
        shape.make(builder)
        if published and chosen.random() < _PUBLISHED:
            _publish(builder, chosen)
    _share_roles(account, chosen)
    _add_other_roles(account, size)
    return account


def identifier(chosen: random.Random) -> str:
    """Return a UUID."""
    text = f"{chosen.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _shapes(size: int, chosen: random.Random, *, published: bool) -> list[Shape]:
    """Return a shape for each function, in any order: the defects by their shares, and correct ones for the rest."""
    needs_qualifier = {"public alias", "other account on a version"}
    defects = [shape for shape in DEFECTS if published or shape.name not in needs_qualifier]
    counts = Counter({shape: max(1, round(size * shape.share / 100)) for shape in defects})
    rest = size - counts.total()
    weight = sum(shape.share for shape in CORRECT)
    for shape in CORRECT:
        counts[shape] = max(1, round(rest * shape.share / weight))
    counts[CORRECT[0]] += size - counts.total()
    found = list(counts.elements())
    chosen.shuffle(found)
    return found


def _role(account: Account, name: str, chosen: random.Random) -> Role:
    role = Role(f"{name}-role", "/service-role/" if chosen.random() < 0.4 else "/", _TRUST_LAMBDA)  # noqa: PLR2004
    if chosen.random() < _MANAGED_LOGGING:
        role.attached.append(f"{_MANAGED}/AWSLambdaBasicExecutionRole")
    else:
        group = arn("logs", f"log-group:/aws/lambda/{name}:*")
        actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        role.inline["logging"] = document(allow(actions, group))
    table = arn("dynamodb", f"table/{name}-state")
    data = allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], [table, f"{table}/index/*"])
    if chosen.random() < 0.5:  # noqa: PLR2004 - a half of the roles has the document inline
        role.inline["data"] = document(data)
    else:
        policy = f"arn:aws:iam::{ACCOUNT}:policy/{name}-data"
        account.policies[policy] = document(data)
        role.attached.append(policy)
    account.roles[role.arn] = role
    return role


def _configuration(name: str, role: Role, chosen: random.Random) -> Item:
    configuration: Item = {
        "FunctionName": name,
        "FunctionArn": arn("lambda", f"function:{name}"),
        "Runtime": chosen.choice(_RUNTIMES),
        "Role": role.arn,
        "Handler": "app.handler",
        "CodeSize": chosen.randrange(2_000, 40_000_000),
        "Description": f"Handles {name}",
        "Timeout": chosen.choice((3, 10, 30, 60, 300)),
        "MemorySize": chosen.choice((128, 256, 512, 1024)),
        "LastModified": "2026-01-15T09:30:00.000+0000",
        "CodeSha256": f"{chosen.getrandbits(256):064x}"[:43] + "=",
        "Version": "$LATEST",
        "Environment": {"Variables": {"STAGE": "prod", "LOG_LEVEL": "INFO"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": identifier(chosen),
        "PackageType": "Zip",
        "Architectures": ["arm64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    if chosen.random() < _IN_VPC:
        role.attached.append(f"{_MANAGED}/AWSLambdaVPCAccessExecutionRole")
        network = {"SubnetIds": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"], "VpcId": "vpc-0a1b2c3d"}
        configuration["VpcConfig"] = {**network, "Ipv6AllowedForDualStack": False}
    if chosen.random() < _TRACED:
        role.attached.append("arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess")
        configuration["TracingConfig"] = {"Mode": "Active"}
    return configuration


def _tags(number: int, chosen: random.Random) -> dict[str, str]:
    if chosen.random() < 0.3:  # noqa: PLR2004 - untagged functions
        return {}
    return {"team": _TEAMS[number % len(_TEAMS)], "aws:cloudformation:stack-name": f"service-{number // 4:04}"}


def _publish(builder: Builder, chosen: random.Random) -> None:
    """Publish versions, with an alias that has a policy of its own for a half of them."""
    count = chosen.randrange(1, 5)
    builder.publish(count)
    if not builder.has_alias("live"):
        builder.alias("live", str(count))
        if chosen.random() < 0.5:  # noqa: PLR2004
            builder.statement({"AWS": f"arn:aws:iam::{ACCOUNT}:role/deployment"}, qualifier="live")


def _share_roles(account: Account, chosen: random.Random) -> None:
    """Give some functions without mappings, destinations and defects the same role: PG209, once a role."""
    simple = {shape.name for shape in CORRECT[:4]}
    names = [name for name, shape in account.shapes.items() if shape in simple]
    wanted = max(_FUNCTIONS_OF_A_SHARED_ROLE, round(len(account.functions) * _SHARED_ROLE))
    picked = chosen.sample(names, wanted - wanted % _FUNCTIONS_OF_A_SHARED_ROLE)
    for first, *others in _groups(picked):
        role = account.functions[first].configuration["Role"]
        account.expected[role] = frozenset({"PG209"})
        _broaden(account.roles[role])
        for other in others:
            function = account.functions[other]
            account.roles.pop(function.configuration["Role"])
            for configuration in (function.configuration, *function.versions):
                configuration["Role"] = role


def _groups(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _FUNCTIONS_OF_A_SHARED_ROLE):
        yield names[start : start + _FUNCTIONS_OF_A_SHARED_ROLE]


def _broaden(role: Role) -> None:
    """Allow what any function of a shared role may need: logs, a VPC's interfaces, traces."""
    for policy in ("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole"):
        if f"{_MANAGED}/{policy}" not in role.attached:
            role.attached.append(f"{_MANAGED}/{policy}")
    if "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess" not in role.attached:
        role.attached.append("arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess")


def _add_other_roles(account: Account, size: int) -> None:
    """Add the roles of other services and of deployments, which every account has besides."""
    for number in range(round(size * _OTHER_ROLES)):
        service = _OTHER_SERVICES[number % len(_OTHER_SERVICES)]
        principal = {"Service": f"{service}.amazonaws.com"}
        role = Role(f"{service}-{number:04}", "/", document(_assume(principal)))
        role.inline["access"] = document(allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{service}-data/*"))
        account.roles[role.arn] = role
    deployment = Role("deployment", "/", document(_assume({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})))
    account.roles[deployment.arn] = deployment


def _assume(principal: Item) -> Item:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
