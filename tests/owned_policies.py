"""The stack's own policies as CloudFormation creates them: the documents of template.yaml for some parameters."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.paths import REPOSITORY
from tests.template.sam_template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

STACK: Final = "permission-guard"
PSEUDO: Final = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
TAG: Final = "team=orders"
PREFIX: Final = "orders-"


def arn_of(name: str) -> str:
    """Return the ARN of a policy of the stack by the end of its name."""
    return f"arn:aws:iam::123456789012:policy/permission-guard/{STACK}-us-east-1-{name}"


@cache
def owned_documents(tag: str = "", prefix: str = "", mode: str = "approve") -> dict[str, dict[str, Any]]:
    """Return the documents of the policies that the stack has with these parameters, by their ARNs."""
    template = Template(REPOSITORY / "template.yaml", FixMode=mode, FixResourceTag=tag, FixNamePrefix=prefix)
    known = {**PSEUDO, **template.values}
    return {
        f"arn:aws:iam::123456789012:policy{properties['Path']}{rendered(properties['ManagedPolicyName'], known)}": (
            json.loads(rendered(properties["PolicyDocument"], known))
        )
        for properties in template.owned_policies.values()
    }


def rendered(value: Any, known: Mapping[str, str]) -> str:
    """Return the text that Ref, Sub, Join and Split make of parameters. A Sub with a variable that is unknown fails."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return known[argument]
    if function == "Fn::Join":
        separator, parts = argument
        return str(separator).join(_listed(parts, known))
    text, variables = (argument, {}) if isinstance(argument, str) else argument
    own = {**known, **{name: rendered(one, known) for name, one in variables.items()}}
    return re.sub(r"\$\{([^}]+)\}", lambda found: own[found[1]], text)


def _listed(value: Any, known: Mapping[str, str]) -> list[str]:
    if isinstance(value, dict) and "Fn::Split" in value:
        separator, text = value["Fn::Split"]
        return rendered(text, known).split(separator)
    return [rendered(one, known) for one in value]
