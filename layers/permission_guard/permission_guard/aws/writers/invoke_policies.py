"""The writes to resource-based policies. `writer.py` says how they name their finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from permission_guard.aws.writers.writer import WriterForFinding
from permission_guard.errors import RetryableError, WriteFailedError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_lambda import LambdaClient

    from permission_guard.model.targets import JSON

_CHANGED: Final = frozenset({"PreconditionFailedException", "ResourceConflictException"})
"""The policy has another revision by now, or the function is being changed: the next try reads it again."""


class InvokePolicyWriter(WriterForFinding):
    """Changes resource-based policies, each call only of the revision that was read.

    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
    """

    def __init__(self, client: LambdaClient, finding_id: str = "") -> None:
        super().__init__(client, finding_id)
        self._lambda = client

    @property
    def can_replace(self) -> bool:
        """Whether the SDK has PutResourcePolicy: the runtime's can be older than the API."""
        return hasattr(self._lambda, "put_resource_policy")

    def for_finding(self, finding_id: str) -> InvokePolicyWriter:
        """Return a writer whose calls name a finding. It uses the same client, since creating one takes long."""
        return InvokePolicyWriter(self._lambda, finding_id)

    def add_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Add a statement to a policy that has a revision, empty if there is no policy yet.

        RetryableError if the policy has another revision by now. WriteFailedError when AWS refuses for good; a
        temporary fault is raised as it is.
        """
        self._change("lambda:AddPermission", lambda: self._lambda.add_permission(**_of(parameters, revision)))

    def remove_permission(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Remove a statement. The errors are those of `add_permission`."""
        self._change("lambda:RemovePermission", lambda: self._lambda.remove_permission(**_of(parameters, revision)))

    def put_resource_policy(self, parameters: Mapping[str, JSON], revision: str) -> None:
        """Replace a whole policy. The errors are those of `add_permission`.

        https://docs.aws.amazon.com/lambda/latest/api/API_PutResourcePolicy.html
        """
        self._change("lambda:PutResourcePolicy", lambda: self._lambda.put_resource_policy(**_of(parameters, revision)))

    def _change(self, action: str, call: Callable[[], Any]) -> None:
        try:
            self.write(action, call)
        except WriteFailedError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and error_code(cause) in _CHANGED:
                raise RetryableError(str(error)) from error
            raise


def _of(parameters: Mapping[str, JSON], revision: str) -> dict[str, Any]:
    return {**parameters, **({"RevisionId": revision} if revision else {})}
