"""What the rules on a function's own configuration have in common: the function is asked, and each of its versions."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from permission_guard.model.state import Unread
from permission_guard.rules.base import known
from permission_guard.rules.execution_role.need_rule import NeedRule, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from permission_guard.model.state import Function, Snapshot, Sources
    from permission_guard.model.verdicts import Verdict


class FunctionRule(NeedRule):
    """A question about what the configuration of a function, or of one of its versions, takes of the role.

    `subjects` is the subject, or with `/*` all of them, of what cannot be told of a version that was not read.
    """

    subjects: ClassVar[str]

    @abstractmethod
    def ask(self, function: Function, sources: Sources) -> Iterable[Requirement]:
        """Yield what each subject of a function or a version needs of its role; nothing where it is not used."""

    def unused(self, function: Function) -> Iterable[Verdict]:  # noqa: ARG002 - for those that say more
        """Yield what to say of the function itself where nothing of it is asked."""
        return ()

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what the function needs, and what each of its versions does."""
        own = known(snapshot.versions.get(snapshot.target.arn))
        if own is not None:
            yield from list(self.ask(own, snapshot.sources)) or self.unused(own)
        # Which versions there are to ask about is known from these: those of the last look may still be there.
        for part in (snapshot.mappings, snapshot.invoke_configs):
            if isinstance(part, Unread):
                yield self.unknown(snapshot.target.arn, None, str(part))
        for arn, version in sorted(snapshot.versions.items()):
            if arn == snapshot.target.arn or version is None:
                continue
            if isinstance(version, Unread):
                yield self.unknown(arn, self.subjects, str(version))
            else:
                yield from self.ask(version, snapshot.sources)
