"""Read AWS's reports on functions that do not work for want of a permission or a key.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.function_states import WORKING, health_of
from permission_guard.needs.features.file_systems import ElasticFileSystem, S3Files
from permission_guard.needs.features.network import Network

if TYPE_CHECKING:
    from permission_guard.model.state import Function, Sources
    from permission_guard.needs.base import Need
    from permission_guard.needs.features.base import Feature

PERMISSION_CODES: Final[dict[str, tuple[Feature, ...]]] = {
    "InsufficientRolePermissions": (Network(),),
    "EFSMountFailure": (ElasticFileSystem(), S3Files()),
    "ImageAccessDenied": (),
    "KMSKeyAccessDenied": (),
    "KMSKeyNotFound": (),
    "InvalidStateKMSKey": (),
    "DisabledKMSKey": (),
}
"""The codes that stand for a missing permission or an unusable key, with the features that the role must allow for it.

AWS describes `EFSMountFailure` as "a permission or configuration issue".
"""

OTHER_CODES: Final = {
    "Idle": "the function was not invoked for some time",
    "Creating": "the function is being created",
    "Restoring": "the function becomes active again",
    "DrainingDurableExecutions": "durable executions end before the function changes",
    "EniLimitExceeded": "a quota of network interfaces",
    "ServiceQuotaExceededException": "a quota",
    "VcpuLimitExceeded": "a quota of virtual CPUs",
    "CapacityProviderScalingLimitExceeded": "the limit of a capacity provider",
    "InsufficientCapacity": "Amazon EC2 has too little capacity",
    "EC2RequestLimitExceeded": "Amazon EC2 throttled the calls",
    "SubnetOutOfIPAddresses": "a subnet has no free address",
    "InvalidSubnet": "a subnet does not exist",
    "InvalidSecurityGroup": "a security group does not exist",
    "DisallowedByVpcEncryptionControl": "the VPC allows only encrypted traffic",
    "InvalidConfiguration": "the configuration",
    "InternalError": "an error of AWS",
    "DependencyError": "an error of another service",
    "ImageDeleted": "the container image was deleted",
    "InvalidImage": "the container image",
    "InvalidRuntime": "the runtime",
    "InvalidZipFileException": "the code package",
    "EFSIOError": "an input or output error of the file system",
    "EFSMountConnectivityError": "the network between the function and the file system",
    "EFSMountTimeout": "the file system did not respond in time",
    "FunctionError": "the function's own code",
    "FunctionError.InitTimeout": "the function's own initialization",
    "FunctionError.RuntimeInitError": "the function's own initialization",
    "FunctionError.ExtensionInitError": "an extension",
    "FunctionError.InvalidEntryPoint": "the entry point of the container image",
    "FunctionError.InvalidWorkingDirectory": "the working directory of the container image",
    # Of the operating system, not of IAM: the file is not executable, or not readable.
    "FunctionError.PermissionDenied": "the file permissions in the code package or the container image",
    "FunctionError.TooManyExtensions": "the number of extensions",
    "FunctionError.InitResourceExhausted": "the memory or disk that initialization uses",
}
"""The codes that stand for anything else. A code that is in neither table is unknown."""


def reported_needs(function: Function, sources: Sources) -> tuple[Need, ...]:
    """Return the needs of the role for want of which AWS reports that a function does not work."""
    codes = {health.code: None for health in health_of(function) if health.status not in WORKING}
    return tuple(need for code in codes for need in needs_behind(code, function, sources))


def needs_behind(code: str, function: Function, sources: Sources) -> tuple[Need, ...]:
    """Return the needs of the role that can be the reason for a code, without recommended ones."""
    needs = (need for feature in PERMISSION_CODES.get(code, ()) for need in feature.needs(function, sources))
    return tuple(need for need in needs if not need.recommended)
