"""Base class of the rules on a function's own configuration, which check the function and each of its versions."""

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
    """A rule on what the configuration of a function, or of one of its versions, requires of the role.

    `subjects` is the subject, or with `/*` all subjects, of the unknown verdict on a version that was not read.
    """

    subjects: ClassVar[str]

    @abstractmethod
    def requirements_of(self, function: Function, sources: Sources) -> Iterable[Requirement]:
        """Yield what each subject of a function or a version requires of its role; nothing if it is not used."""

    def unused(self, function: Function) -> Iterable[Verdict]:  # noqa: ARG002 - for rules that override it
        """Yield the verdicts on a function without requirements."""
        return ()

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield the requirements of the function and of each of its versions."""
        own = known(snapshot.versions.get(snapshot.target.arn))
        if own is not None:
            yield from list(self.requirements_of(own, snapshot.sources)) or self.unused(own)
        # These lists name the versions to check. If one is unread, versions of an earlier check may still exist.
        for part in (snapshot.mappings, snapshot.invoke_configs):
            if isinstance(part, Unread):
                yield self.unknown(snapshot.target.arn, None, str(part))
        for arn, version in sorted(snapshot.versions.items()):
            if arn == snapshot.target.arn or version is None:
                continue
            if isinstance(version, Unread):
                yield self.unknown(arn, self.subjects, str(version))
            else:
                yield from self.requirements_of(version, snapshot.sources)
