"""Needs for reaching an event source: secrets, KMS keys and network interfaces."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import LambdaCall
from permission_guard.iam.arn import require_arn, split_arn
from permission_guard.needs.base import Need, NeedKind, on, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Sources
    from permission_guard.model.targets import JSON

SECRET_TYPES: Final = {
    "BASIC_AUTH": "with the user name and password for signing in",
    "CLIENT_CERTIFICATE_TLS_AUTH": "with the certificate for signing in",
    "OAUTHBEARER_AUTH": "with the credentials for a sign-in token",
    "SASL_SCRAM_256_AUTH": "with the user name and password for signing in",
    "SASL_SCRAM_512_AUTH": "with the user name and password for signing in",
    "SERVER_ROOT_CA_CERTIFICATE": "with the root CA certificate of the server",
}
"""The types of SourceAccessConfigurations whose URI is a secret, and its content. Every other URI is a literal.

https://docs.aws.amazon.com/lambda/latest/api/API_SourceAccessConfiguration.html
"""

_SECRET: Final = re.compile(r"arn(:[^:]*){4}:secret:.")
_COMPLETE_SECRET: Final = re.compile(r"arn(:[^:]*){4}:secret:.+-[A-Za-z0-9]{6}")


def access(mapping: EventSourceMapping) -> list[tuple[str, str]]:
    """Return the type and URI of each of the mapping's SourceAccessConfigurations."""
    return list(access_entries(mapping.configuration.get("SourceAccessConfigurations")))


def access_entries(entries: JSON) -> Iterator[tuple[str, str]]:
    """Yield the type and URI of each entry; skip an entry whose type is unresolved in a template."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("Type"), str):
            uri = entry.get("URI", "")
            yield entry["Type"], uri if isinstance(uri, str) else ""


def part(value: JSON, name: str) -> dict[str, Any]:
    """Return an object inside another one, empty if there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def secrets(mapping: EventSourceMapping, sources: Sources) -> tuple[Need, ...]:
    """Return the needs for reading the secrets in the mapping's SourceAccessConfigurations."""
    return tuple(
        need
        for kind, uri in access(mapping)
        if kind in SECRET_TYPES and uri
        for need in secret(uri, mapping, sources, SECRET_TYPES[kind])
    )


def secret(uri: str, mapping: EventSourceMapping, sources: Sources, use: str) -> tuple[Need, ...]:
    """Return the needs for reading a secret, and for decrypting it if it has a customer managed key.

    Secrets Manager adds six characters to a secret's name. A policy must match them. A mapping can omit them, or
    contain only the name.
    """
    purpose = f"to read the secret {use}"
    arn, doubt = uri, ""
    if not _COMPLETE_SECRET.fullmatch(uri):
        own = require_arn(mapping.function_arn)
        prefix = f"arn:{own.partition}:secretsmanager:{own.region}:{own.account}:secret"
        named = uri if _SECRET.match(uri) else f"{prefix}:{uri}"
        arn, doubt = f"{named}-??????", f"the mapping does not contain the full ARN of the secret {uri}"
    reading = on(arn, "secretsmanager:GetSecretValue", kind=NeedKind.DEPENDENCY, purpose=purpose, doubt=doubt)
    return (*reading, *key(uri, sources, "kms:Decrypt", purpose=purpose, encrypted=arn))


def key(
    resource: str,
    sources: Sources,
    *actions: str,
    purpose: str,
    kind: NeedKind = NeedKind.DEPENDENCY,
    call: LambdaCall = LambdaCall.POLL,
    encrypted: str = "",
) -> tuple[Need, ...]:
    """Return the needs for using the customer managed key of a resource.

    AWS managed keys require no permission. If the resource was not read, it is unknown whether it has a customer
    managed key. `encrypted` is the ARN of the resource if `resource` is not an ARN.
    """
    partition, service, region = split_arn(encrypted or resource)[1:4]
    state = state_of(resource, sources)
    arn, doubt, unread = f"arn:{partition}:kms:{region or '*'}:*:key/*", "", ""
    if state is None:
        doubt = f"it depends on whether {resource} has a customer managed key, which was not read"
        unread = resource
    elif state.kms_key_arn is None or "alias/aws/" in state.kms_key_arn:
        return ()
    else:
        arn = state.kms_key_arn
        region = region or split_arn(arn)[3]
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    via = (("kms:ViaService", f"{service}.{region}.{domain}"),) if region else ()
    needed = Need("", arn, kind, call, purpose=purpose, context=via, doubt=doubt, unread=unread)
    return tuple(replace(needed, action=action, encrypted=encrypted or resource) for action in actions)


def network_interfaces() -> tuple[Need, ...]:
    """Return the needs for creating network interfaces in the source's VPC, through which Lambda reaches it.

    https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
    """
    return on(
        "*",
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
        kind=NeedKind.DEPENDENCY,
        call=LambdaCall.NETWORK_INTERFACE,
        purpose="to reach the event source through network interfaces in its VPC",
    )
