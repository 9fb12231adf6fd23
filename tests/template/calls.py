"""What the code calls: the IAM actions of every AWS operation that modules of the package use."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.session import get_session

from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = REPOSITORY / "layers" / "permission_guard" / "permission_guard"

# The attribute in which a class of `aws/` keeps its client, and the client's service.
CLIENTS = {
    "_cloudformation": "cloudformation",
    "_cloudtrail": "cloudtrail",
    "_cloudwatch": "cloudwatch",
    "_dynamodb": "dynamodb",
    "_ec2": "ec2",
    "_events": "events",
    "_iam": "iam",
    "_kinesis": "kinesis",
    "_lambda": "lambda",
    "_organizations": "organizations",
    "_secrets": "secretsmanager",
    "_securityhub": "securityhub",
    "_sns": "sns",
    "_sqs": "sqs",
    "_ssm": "ssm",
}

# The attribute in modules that use a single service.
ONLY_CLIENT = {"client", "_client"}

# Operations whose permissions have other names, and operations that need several permissions or none.
ACTIONS: dict[str, set[str]] = {
    "lambda:Invoke": {"lambda:InvokeFunction"},
    "sqs:SendMessageBatch": {"sqs:SendMessage"},
    "dynamodb:TransactWriteItems": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
    "ssm:CreateOpsItem": {"ssm:CreateOpsItem", "ssm:AddTagsToResource"},  # the operation creates with tags
    "s3:ListBuckets": {"s3:ListAllMyBuckets"},
    "s3:GetBucketNotificationConfiguration": {"s3:GetBucketNotification"},
    "s3:GetBucketEncryption": {"s3:GetEncryptionConfiguration"},
    "s3:HeadBucket": set(),  # no permission needed: a denied call proves that the bucket exists
}

# IAM actions that are not named after an operation, and the operation that needs each.
NOT_OPERATIONS = {"s3:GetEncryptionConfiguration": "GetBucketEncryption", "s3:ListAllMyBuckets": "ListBuckets"}

_PREFIXES = {"efs": "elasticfilesystem", "elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}
_BY_METHOD = {"apigateway", "apigatewayv2"}


@cache
def operations(service: str) -> dict[str, str]:
    """Return the IAM names of a service's operations, by the names of their methods."""
    model = get_session().get_service_model(service)
    prefix = _PREFIXES.get(service, service)
    names = {xform_name(name): name for name in model.operation_names}
    if service in _BY_METHOD:
        return {method: f"apigateway:{model.operation_model(name).http['method']}" for method, name in names.items()}
    return {method: f"{prefix}:{name}" for method, name in names.items()}


@dataclass(frozen=True)
class Uses:
    """A module of the package and those of its functions or methods that are called; no names mean all."""

    module: str
    methods: frozenset[str] = frozenset()
    service: str = ""

    @property
    def actions(self) -> set[str]:
        """The IAM actions of every AWS operation that the methods use."""
        functions = _functions(self.module)
        missing = self.methods - functions.keys()
        assert not missing, f"{self.module} has no {missing}"
        reached: set[str] = set()
        todo = set(self.methods or functions)
        found: set[str] = set()
        while todo:
            name = todo.pop()
            reached.add(name)
            for node in ast.walk(functions[name]):
                found |= set(_called(node, self.service))
                todo |= {name for name in _own(node) if name in functions} - reached
        return {action for operation in found for action in ACTIONS.get(operation, {operation})}


def uses(module: str, *methods: str, service: str = "") -> set[str]:
    """Return the IAM actions that methods of a module of the package need."""
    return Uses(module, frozenset(methods), service).actions


@cache
def _functions(module: str) -> dict[str, ast.AST]:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    nodes = [*tree.body, *(node for body in classes for node in body.body)]
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def _own(node: ast.AST) -> Iterator[str]:
    """Yield the name of a method of the same class that is used, or of a function that is called."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield node.func.id
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        yield node.attr


def _called(node: ast.AST, service: str) -> Iterator[str]:
    """Yield the operation of `self._lambda.get_policy` or `self._lambda.get_paginator("list_aliases")`.

    `self._sqs().get_queue_attributes` counts too, whether it is called or passed as an argument.
    """
    method: Any = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_paginator":
        client, method = node.func.value, node.args[0].value if isinstance(node.args[0], ast.Constant) else None
    elif isinstance(node, ast.Attribute):
        client, method = node.value, node.attr
    else:
        return
    if isinstance(client, ast.Call):  # a client created on first use
        client = client.func
    name = client.attr if isinstance(client, ast.Attribute) else client.id if isinstance(client, ast.Name) else ""
    known = CLIENTS.get(name) or (service if name in ONLY_CLIENT else "")
    if known and method in operations(known):
        yield operations(known)[method]
