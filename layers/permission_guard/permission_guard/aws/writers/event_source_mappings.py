"""The only writes to Lambda that Permission Guard makes. `writer.py` says how they name their finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from permission_guard.aws.writers.writer import WriterForFinding
from permission_guard.errors import RetryableError, RoleNotReadyError, WriteFailedError, error_code
from permission_guard.needs.mapping_health import reports_missing_permission

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_UPDATE: Final = "lambda:UpdateEventSourceMapping"
_BEING_CHANGED: Final = frozenset({"ResourceConflictException", "ResourceInUseException"})
_INVALID: Final = "InvalidParameterValueException"
"""Lambda checks the execution role when a mapping is enabled, and rejects a role that may not read the source."""


class MappingWriter(WriterForFinding):
    """Enables event source mappings, disables them again, and changes nothing else of them.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    """

    def __init__(self, client: LambdaClient, finding_id: str = "") -> None:
        super().__init__(client, finding_id)
        self._lambda = client

    def for_finding(self, finding_id: str) -> MappingWriter:
        """Return a writer whose calls name a finding. It uses the same client, since creating one takes long."""
        return MappingWriter(self._lambda, finding_id)

    def enable_mapping(self, uuid: str) -> None:
        """Enable an event source mapping.

        WriteFailedError when AWS refuses for good: RoleNotReadyError if it names the execution role's permissions.
        RetryableError while another change of the mapping is in progress. Other temporary faults are raised as they
        are.
        """
        self._update(uuid, enabled=True)

    def disable_mapping(self, uuid: str) -> None:
        """Disable an event source mapping. The errors are those of `enable_mapping`."""
        self._update(uuid, enabled=False)

    def _update(self, uuid: str, *, enabled: bool) -> None:
        try:
            self.write(_UPDATE, lambda: self._lambda.update_event_source_mapping(UUID=uuid, Enabled=enabled))
        except WriteFailedError as error:
            cause = error.__cause__
            code = error_code(cause) if isinstance(cause, ClientError) else ""
            if code in _BEING_CHANGED:
                raise RetryableError(str(error)) from error
            if code == _INVALID and reports_missing_permission(str(error)):
                raise RoleNotReadyError(str(error)) from error
            raise
