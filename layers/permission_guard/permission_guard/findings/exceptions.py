"""Which findings the configuration and the tags of a function suppress, and which functions are excluded. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from permission_guard.iam.glob import compile_glob
from permission_guard.model.arns import finding_target, parse_function_arn
from permission_guard.model.state import Unread
from permission_guard.model.suppressions import SuppressedBy, Suppression
from permission_guard.model.targets import FunctionTarget
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from permission_guard.config.document import ExceptionEntry, Exclusion, GuardConfig
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot

IGNORE_TAG: Final = "permission-guard:ignore"
IGNORE_UNTIL_TAG: Final = "permission-guard:ignore-until"
LATEST: Final = "$LATEST"

MAX_SUPPRESSION: Final = timedelta(days=366)
"""The longest time for which anything suppresses a finding."""

_BETWEEN_RULES: Final = re.compile(r"[\s,;:/+]+")
"""Lambda's tags cannot contain a comma in every partition; these separate the rules too."""
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@record
class Exceptions:
    """What suppresses the findings of one function, at one time.

    `tags` are the function's. `now` is ISO-8601 in UTC.
    """

    config: GuardConfig
    tags: Mapping[str, str] | Unread | None
    now: str

    def suppression_of(self, finding: Finding) -> Suppression | None:
        """Return why the configuration or a tag suppresses a finding, None if neither does.

        While the tags cannot be read, what depends on them stays as it was recorded: suppressed until its end, or not.
        """
        for entry in self.config.exceptions:
            if entry.expires > self._time and self._matches(entry, finding):
                return Suppression(
                    by=SuppressedBy.EXCEPTION,
                    reason=entry.reason,
                    owner=entry.owner,
                    until=_utc(entry.expires),
                    exception=entry.id,
                )
        return self._by_tag(finding) or self._while_tags_are_unread(finding)

    def may_match_by_tags(self, finding: Finding) -> bool:
        """Return whether the exception that suppresses a finding is in force and matches in all that is not a tag."""
        known = finding.suppression
        return known is not None and any(
            entry.id == known.exception
            and entry.tags
            and not finding.role_arn
            and entry.expires > self._time
            and self._matches(replace(entry, tags={}), finding)
            for entry in self.config.exceptions
        )

    @property
    def _time(self) -> datetime:
        return datetime.fromisoformat(self.now)

    def _matches(self, entry: ExceptionEntry, finding: Finding) -> bool:
        """Return whether a finding matches everything that an exception names."""
        return (
            finding.rule_id in entry.rules
            and (not entry.roles or (bool(finding.role_arn) and _any_glob(entry.roles, [_role_name(finding)])))
            and (not entry.accounts or finding.account in entry.accounts)
            and (entry.subject is None or _fits(entry.subject, finding.subject))
            and (entry.sid is None or _fits_sid(entry.sid, finding.subject))
            and _names_functions(entry.functions, finding)
            and (not entry.qualifiers or _qualifier(finding) in entry.qualifiers)
            and (not entry.tags or (not finding.role_arn and has_tags(self.tags, entry.tags)))
        )

    def _by_tag(self, finding: Finding) -> Suppression | None:
        """Return the suppression by the function's own tags, where the configuration allows it."""
        if not self._allows_tags_for(finding) or self.tags is None or isinstance(self.tags, Unread):
            return None
        named = {text.upper() for text in _BETWEEN_RULES.split(self.tags.get(IGNORE_TAG, ""))}
        until = _end(self.tags.get(IGNORE_UNTIL_TAG, ""))
        if finding.rule_id not in named or until is None or not self._time < until <= self._time + MAX_SUPPRESSION:
            return None
        return Suppression(
            by=SuppressedBy.FUNCTION_TAG,
            reason=f"the tag {IGNORE_TAG}",
            owner="whoever can tag the function",
            until=_utc(until),
        )

    def _allows_tags_for(self, finding: Finding) -> bool:
        """Return whether the configuration lets a function's own tags suppress a finding."""
        allowed = self.config.function_tags
        return allowed.enabled and not finding.role_arn and (not allowed.rules or finding.rule_id in allowed.rules)

    def _while_tags_are_unread(self, finding: Finding) -> Suppression | None:
        known = finding.suppression
        if known is None or not isinstance(self.tags, Unread) or datetime.fromisoformat(known.until) <= self._time:
            return None
        if known.by is SuppressedBy.FUNCTION_TAG:
            return known if self._allows_tags_for(finding) else None
        return known if self.may_match_by_tags(finding) else None


def needs_tags(config: GuardConfig) -> bool:
    """Return whether the tags of functions decide about exceptions."""
    return config.function_tags.enabled or any(entry.tags for entry in config.exceptions)


def exclusions_by_tag(config: GuardConfig) -> bool:
    """Return whether the tags of functions decide about exclusions."""
    return any(exclusion.tags for exclusion in config.exclusions)


def why_exempt(config: GuardConfig, finding: Finding, snapshot: Snapshot, now: str) -> str:
    """Return why the configuration exempts a finding, empty if not: it may be newer than the status of the finding.

    Tags that could not be read exempt nothing. `now` is ISO-8601 in UTC.
    """
    if exclusion := exclusion_of(config, snapshot.target, snapshot.tags):
        return f"the configuration excludes the function: {exclusion.reason}"
    suppression = Exceptions(config, snapshot.tags, now).suppression_of(finding)
    return f"the finding is to be suppressed: {suppression.reason}" if suppression else ""


def exclusion_of(
    config: GuardConfig, target: FunctionTarget, tags: Mapping[str, str] | Unread | None
) -> Exclusion | None:
    """Return the exclusion of a function, None if it is evaluated. Unread tags exclude nothing."""
    for exclusion in config.exclusions:
        if exclusion.accounts and target.account not in exclusion.accounts:
            continue
        if exclusion.functions and not names_function(exclusion.functions, target):
            continue
        if exclusion.tags and not has_tags(tags, exclusion.tags):
            continue
        return exclusion
    return None


def has_tags(tags: Mapping[str, str] | Unread | None, wanted: Mapping[str, str]) -> bool:
    """Return whether tags have each key with a value that matches its glob; unread tags do not."""
    if tags is None or isinstance(tags, Unread):
        return False
    return all(key in tags and _fits(glob, tags[key]) for key, glob in wanted.items())


def _names_functions(globs: tuple[str, ...], finding: Finding) -> bool:
    """Return whether globs name the function of a finding; of a role, all functions that use it."""
    if not globs:
        return True
    if not finding.role_arn:
        return _names_function(globs, finding.function_arn)
    is_whole = 0 < finding.function_count == len(finding.functions)
    return is_whole and all(_names_function(globs, arn) for arn in finding.functions)


def _names_function(globs: tuple[str, ...], function_arn: str) -> bool:
    target = parse_function_arn(function_arn)[0]
    return names_function(globs, target)


def names_function(globs: tuple[str, ...], target: FunctionTarget) -> bool:
    """Return whether one of some globs names a function: by its ARN if it begins with `arn:`, else by its name.

    Qualifiers are not compared: anyone who may create an alias chooses its name.
    """
    return any(_fits(glob, target.arn if glob.startswith("arn:") else target.name) for glob in globs)


def _any_glob(globs: tuple[str, ...], texts: Iterable[str]) -> bool:
    return not globs or any(_fits(glob, text) for text in texts for glob in globs)


def _fits(glob: str, text: str) -> bool:
    return compile_glob(glob).matches(text)


def _fits_sid(glob: str, subject: str) -> bool:
    """Return whether a subject is about a statement of a resource-based policy or a trust policy with such a Sid."""
    kind, _, rest = subject.partition("/")
    if kind == "trust":
        rest = rest.partition("/")[2]  # after the name of the role
    return kind in ("statement", "trust") and _fits(glob, rest)


def _role_name(finding: Finding) -> str:
    return finding.role_arn.rpartition("/")[2]


def _qualifier(finding: Finding) -> str:
    """Return the version or alias that a finding is about; `$LATEST` for the function itself, empty for a role."""
    if not isinstance(finding_target(finding.target_arn), FunctionTarget):
        return ""
    return parse_function_arn(finding.function_arn)[1] or LATEST


def _end(text: str) -> datetime | None:
    """Return the time that a tag names: the first moment of a date in UTC, or a time with an offset, else None."""
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        until = datetime.fromisoformat(text)
    except ValueError:
        return None
    return until if until.tzinfo else None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
