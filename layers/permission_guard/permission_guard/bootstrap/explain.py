"""The composition root of `permission-guard explain`: reads one function of a live account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.profile_clients import ProfileClients
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.identities import IdentityReader
from permission_guard.aws.readers.inventories import InventoryReader
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.qualifiers import aliases_of, versions_of
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.aws.readers.snapshots import StateReader
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.bootstrap.threads import thread_pool
from permission_guard.errors import InputError
from permission_guard.explain.state import FunctionState
from permission_guard.model.targets import Direction

if TYPE_CHECKING:
    from permission_guard.explain.named_function import NamedFunction
    from permission_guard.model.targets import FunctionTarget

_READS_AT_ONCE = 2


def live_state(named: NamedFunction, *, profile: str | None = None) -> FunctionState:
    """Read a function with the credentials of a profile or of the environment.

    What AWS denies is in the state as unread. InputError if the function or its qualifier does not exist, or is of
    another account than the credentials. ConfigurationError or RetryableError if nothing can be read: no credentials,
    for example.
    """
    clients = ProfileClients(profile=profile, region=named.region or None)
    target = named.target(region=clients.region, account=clients.account())
    functions = FunctionReader(clients("lambda"))
    _require_function(functions, target, named.qualifier)
    reader = StateReader(
        functions,
        RoleReader(clients("iam")),
        SourceReader(clients),
        lambda: InventoryReader(clients, pool=thread_pool),
        OrganizationReader(lambda: clients("organizations"), lambda: clients("iam")),
    )
    with thread_pool(_READS_AT_ONCE) as pool:  # the roles and users of a large account take longest
        identities = pool.submit(IdentityReader(clients("iam")).read, target.account)
        return FunctionState(
            target=target,
            invokes=reader.snapshot(target, Direction.INVOKE_POLICY),
            runs=reader.snapshot(target, Direction.EXECUTION_ROLE),
            aliases=aliases_of(clients("lambda"), target),
            versions=versions_of(clients("lambda"), target),
            tags=reader.tags(target),
            identities=identities.result(),
            qualifier=named.qualifier,
        )


def _require_function(functions: FunctionReader, target: FunctionTarget, qualifier: str | None) -> None:
    """Raise InputError if a function, or its version or alias, does not exist. One that was not read may exist."""
    if functions.function(target.arn) is None:
        raise InputError(
            f"the function {target.name} does not exist in region {target.region} of account {target.account}: check "
            "the name, or name another region with --region"
        )
    if qualifier and functions.function(f"{target.arn}:{qualifier}") is None:
        raise InputError(f"the function {target.name} has no version or alias {qualifier}")
