"""What a mapping needs to get at its source: secrets, the keys that they and the source are under, and the network."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from permission_guard.iam import LambdaCall
from permission_guard.needs.base import Need, NeedKind, on, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Sources
    from permission_guard.model.targets import JSON

SECRET_TYPES: Final = {
    "BASIC_AUTH": "with the user name and password that it signs in with",
    "CLIENT_CERTIFICATE_TLS_AUTH": "with the certificate that it signs in with",
    "OAUTHBEARER_AUTH": "with the credentials that get it a token to sign in with",
    "SASL_SCRAM_256_AUTH": "with the user name and password that it signs in with",
    "SASL_SCRAM_512_AUTH": "with the user name and password that it signs in with",
    "SERVER_ROOT_CA_CERTIFICATE": "with the certificate that it checks the server against",
}
"""The types of SourceAccessConfigurations whose URI is a secret, and what it is for. Every other URI is a literal.

https://docs.aws.amazon.com/lambda/latest/api/API_SourceAccessConfiguration.html
"""

_SECRET: Final = re.compile(r"arn(:[^:]*){4}:secret:.")
_COMPLETE_SECRET: Final = re.compile(r"arn(:[^:]*){4}:secret:.+-[A-Za-z0-9]{6}")


def access(mapping: EventSourceMapping) -> list[tuple[str, str]]:
    """Return type and URI of each of the mapping's SourceAccessConfigurations."""
    return list(access_entries(mapping.configuration.get("SourceAccessConfigurations")))


def access_entries(entries: JSON) -> Iterator[tuple[str, str]]:
    """Yield type and URI of each entry; one that a template leaves open has no URI yet, and is passed over."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("Type"), str):
            uri = entry.get("URI", "")
            yield entry["Type"], uri if isinstance(uri, str) else ""


def part(value: JSON, name: str) -> dict[str, Any]:
    """Return an object inside another one, an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def secrets(mapping: EventSourceMapping, sources: Sources) -> tuple[Need, ...]:
    """Return reading the secrets that the mapping's SourceAccessConfigurations name."""
    return tuple(
        need
        for kind, uri in access(mapping)
        if kind in SECRET_TYPES and uri
        for need in secret(uri, mapping, sources, SECRET_TYPES[kind])
    )


def secret(uri: str, mapping: EventSourceMapping, sources: Sources, use: str) -> tuple[Need, ...]:
    """Return reading a secret, and decrypting it where a customer's key protects it.

    Secrets Manager adds six characters to a secret's name. A policy has to name them; a mapping may leave them out, or
    give the name alone.
    """
    purpose = f"to read the secret {use}"
    arn, doubt = uri, ""
    if not _COMPLETE_SECRET.fullmatch(uri):
        partition, _, region, account = mapping.function_arn.split(":")[1:5]
        named = uri if _SECRET.match(uri) else f"arn:{partition}:secretsmanager:{region}:{account}:secret:{uri}"
        arn, doubt = f"{named}-??????", f"the mapping does not give the whole ARN of the secret {uri}"
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
    """Return using the key that a resource is encrypted with, where a customer manages it.

    AWS's own keys need nothing. Where the resource was not read, a key may be needed or not. `encrypted` is its ARN
    where `resource` is not.
    """
    partition, service, region = (encrypted or resource).split(":")[1:4]
    state = state_of(resource, sources)
    arn, doubt, unread = f"arn:{partition}:kms:{region or '*'}:*:key/*", "", ""
    if state is None:
        doubt, unread = f"it was not read whether {resource} is encrypted with a key that you manage", resource
    elif state.kms_key_arn is None or "alias/aws/" in state.kms_key_arn:
        return ()
    else:
        arn = state.kms_key_arn
        region = region or arn.split(":")[3]
    domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    via = (("kms:ViaService", f"{service}.{region}.{domain}"),) if region else ()
    needed = Need("", arn, kind, call, purpose=purpose, context=via, doubt=doubt, unread=unread)
    return tuple(replace(needed, action=action) for action in actions)


def network_interfaces() -> tuple[Need, ...]:
    """Return making network interfaces in the source's VPC, through which Lambda reaches it.

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
        purpose="to reach it through the network interfaces that Lambda makes in its VPC",
    )
