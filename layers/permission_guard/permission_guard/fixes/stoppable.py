"""Writers that read the emergency stop before each call to AWS. Fixes, undo and what follows a fix use no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.errors import FixingStoppedError
from permission_guard.fixes.stop import why_stopped
from permission_guard.model.findings import PlannedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from permission_guard.fixes.base import Writer
    from permission_guard.fixes.mappings import MappingWriter
    from permission_guard.fixes.stop import StopState
    from permission_guard.model.targets import JSON


class _Stoppable:
    """Makes calls. `made` are the calls that AWS accepted. FixingStoppedError before a call if fixing is stopped."""

    def __init__(self, stop: StopState) -> None:
        self._stop = stop
        self.made: list[PlannedCall] = []

    def _make(self, call: PlannedCall, write: Callable[[], None]) -> None:
        if why := why_stopped(self._stop):
            raise FixingStoppedError(why)
        write()
        self.made.append(call)


class StoppableWriter(_Stoppable):
    """Changes roles and resource-based policies through a writer."""

    def __init__(self, writer: Writer, stop: StopState) -> None:
        super().__init__(stop)
        self._writer = writer

    def attach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Attach a managed policy to a role."""
        call = PlannedCall(
            operation="iam:AttachRolePolicy", parameters={"RoleName": role_name, "PolicyArn": policy_arn}
        )
        self._make(call, lambda: self._writer.attach_role_policy(role_name, policy_arn))

    def detach_role_policy(self, role_name: str, policy_arn: str) -> None:
        """Detach a managed policy from a role."""
        call = PlannedCall(
            operation="iam:DetachRolePolicy", parameters={"RoleName": role_name, "PolicyArn": policy_arn}
        )
        self._make(call, lambda: self._writer.detach_role_policy(role_name, policy_arn))

    def add_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Add a statement to a resource-based policy."""
        call = PlannedCall(operation="lambda:AddPermission", parameters=parameters)
        self._make(call, lambda: self._writer.add_permission(parameters, revision))

    def remove_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Remove a statement from a resource-based policy."""
        call = PlannedCall(operation="lambda:RemovePermission", parameters=parameters)
        self._make(call, lambda: self._writer.remove_permission(parameters, revision))

    def put_resource_policy(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Replace a resource-based policy."""
        call = PlannedCall(operation="lambda:PutResourcePolicy", parameters=parameters)
        self._make(call, lambda: self._writer.put_resource_policy(parameters, revision))


class StoppableMappingWriter(_Stoppable):
    """Enables and disables event source mappings through a writer."""

    def __init__(self, writer: MappingWriter, stop: StopState) -> None:
        super().__init__(stop)
        self._writer = writer

    def enable_mapping(self, uuid: str) -> None:
        """Enable a mapping."""
        call = PlannedCall(operation="lambda:UpdateEventSourceMapping", parameters={"UUID": uuid, "Enabled": True})
        self._make(call, lambda: self._writer.enable_mapping(uuid))

    def disable_mapping(self, uuid: str) -> None:
        """Disable a mapping."""
        call = PlannedCall(operation="lambda:UpdateEventSourceMapping", parameters={"UUID": uuid, "Enabled": False})
        self._make(call, lambda: self._writer.disable_mapping(uuid))
