"""What the snippets of a remedy for infrastructure code declare, and what remains after a person's decision."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from permission_guard.invokers import INVOKERS
from permission_guard.invokers.grammar import Expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.verdicts import Remedy

CHOICE: Final = re.compile(r"^(?:Choose one of these\. |Or: )(.*):$", re.MULTILINE)
PLACEHOLDER: Final = re.compile(r"<([A-Z][A-Z0-9-]*)>")
_HEAD: Final = re.compile(r"^Replace <.*:$")
_COMMENT: Final = re.compile(r"^(?:#|//) ?", re.MULTILINE)
_SAMPLES: Final = {
    "ACCOUNT-ID": "123456789012",
    "ACTION": "s3:GetObject",
    "AUDIENCE": "us-east-1:0a1b2c3d-0000-4000-8000-000000000002",
    "RESOURCE-ARN": "arn:aws:s3:::acme-uploads/*",
    "SKILL-ID": "0a1b2c3d-0000-4000-8000-000000000001",
    "SUBJECT": "us-east-1:0a1b2c3d-0000-4000-8000-000000000003",
}
_NAMES: Final = (
    *("sample", "GET", "0a1b2c3d4e5f6789", "0a1b2c3d4e5f67890", "tg-0a1b2c3d4e5f67890", "us-east-1_Ab1Cd2Ef3"),
    *("config-rule-0a1b2c", "sample-a1B2c3", "E1A2B3C4D5E6F7", "0a1b2c3d-0000-4000-8000-000000000001"),
)


def sample(name: str, text: str) -> str:
    """Return a value for a placeholder that the service accepts which the text names."""
    if name in _SAMPLES:
        return _SAMPLES[name]
    patterns = [
        invoker.names[name]
        for invoker in INVOKERS
        if name in invoker.names and f":{invoker.source_arn.split(':')[2]}:" in text
    ]
    assert patterns, f"nothing has the placeholder {name} in {text}"
    forms = [Expression(form) for form in patterns[0].split("|")]
    return next(value for value in _NAMES if any(form.matches_any(value) for form in forms))


def filled(text: str) -> str:
    """Return a text with a value for each placeholder."""
    return PLACEHOLDER.sub(lambda match: sample(match[1], text), text)


def uncommented(text: str) -> str:
    """Return a text without the signs of comments."""
    return _COMMENT.sub("", text)


def to_fill_in(text: str) -> str:
    """Return a commented text as it is once the signs of comments and the line that asks for it are removed."""
    return "\n".join(line for line in uncommented(text).split("\n") if not _HEAD.match(line))


def decided(remedy: Remedy) -> list[str]:
    """Return the text for each decision that a person can take: one for each choice, or the filled in text.

    There is none if the remedy only shows what a person must look at.
    """
    if not remedy.needs_decision:
        return [remedy.text]
    plain = uncommented(remedy.text)
    if CHOICE.search(plain):
        return [filled(part).strip("\n") for part in CHOICE.split(plain)[2::2]]
    if not PLACEHOLDER.search(plain):
        return []
    return [filled(to_fill_in(remedy.text))]


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────────

Permission = tuple[tuple[str, str], ...]


def permission(**values: Any) -> Permission:
    """Return a permission by the names of AddPermission's parameters, comparable."""
    function, _, qualifier = str(values.pop("function_name")).partition(":")
    qualifier = values.pop("qualifier", "") or qualifier
    given = {"function_name": function, "qualifier": qualifier, **values}
    return tuple(
        sorted((name, str(value).lower() if value is True else str(value)) for name, value in given.items() if value)
    )


def sam_permissions(text: str) -> list[Permission]:
    """Return the permissions that CloudFormation resources declare."""
    names = {"PrincipalOrgID": "principal_org_id"}
    found = []
    for resource in yaml.safe_load_all(text):
        if isinstance(resource, dict) and resource.get("Type") == "AWS::Lambda::Permission":
            values = {names.get(key) or _snake(key): value for key, value in resource["Properties"].items()}
            found.append(permission(**values))
    return sorted(found)


def cdk_permissions(text: str) -> list[Permission]:
    """Return the permissions that calls of `addPermission` declare."""
    return sorted(_cdk_permissions(text))


def _cdk_permissions(text: str) -> Iterator[Permission]:
    for match in re.finditer(r'^// fn is (.*)\nfn\.addPermission\(".*", \{\n((?:  .*\n)*)\}\);', text, re.MULTILINE):
        values: dict[str, Any] = {"function_name": match[1]}
        for name, written in re.findall(r"^  (\w+): (.*),$", match[2], re.MULTILINE):
            if name == "principal":
                values[name] = "*" if "AnyPrincipal" in written else json.loads(written[written.index("(") + 1 : -1])
            elif name == "functionUrlAuthType":
                values["function_url_auth_type"] = written.rpartition(".")[2]
            else:
                values[{"organizationId": "principal_org_id"}.get(name) or _snake(name)] = json.loads(written)
        yield permission(**values)


def terraform_permissions(blocks: list[tuple[str, str, dict[str, Any]]]) -> list[Permission]:
    """Return the permissions that blocks declare."""
    return sorted(
        permission(**{key: value for key, value in values.items() if key != "statement_id"})
        for kind, _, values in blocks
        if kind == "aws_lambda_permission"
    )


def terraform_blocks(parsed: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the kind, the label and the arguments of each resource of a parsed text."""
    return [
        (
            json.loads(kind),
            json.loads(label),
            {key: _argument(value) for key, value in values.items() if key[:2] != "__"},
        )
        for block in parsed.get("resource", ())
        for kind, labelled in block.items()
        for label, values in labelled.items()
    ]


def _argument(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith('"'):
        return value
    return json.loads(value).replace("$${", "${").replace("%%{", "%{")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
