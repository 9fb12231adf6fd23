"""The Resource and NotResource elements: which resources a statement applies to.

ARNs are case-sensitive. In the resource part, `*` also matches slashes and colons. If AWS documents no behavior, or its
documentation can be read in two ways, the result is UNKNOWN.
"""

from __future__ import annotations

from permission_guard.iam.arn import PARTS, parse_arn, split_arn
from permission_guard.iam.glob import ANY_ONE, ANY_RUN, bits_of, compile_glob, glob_of, tokenize
from permission_guard.iam.logic import FALSE, TRUE, UNKNOWN
from permission_guard.iam.patterns import PatternGroups, symbols_of
from permission_guard.iam.policy_variables import Variable, VariableText, fill, split_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from permission_guard.iam.glob import Glob
    from permission_guard.iam.policy_variables import Lookup, Part

ANY_RESOURCE: Final = "*"

WITHOUT_RESOURCE: Final = frozenset(
    {
        "cloudwatch:putmetricdata",
        "ec2:describenetworkinterfaces",
        "ec2:describesecuritygroups",
        "ec2:describesubnets",
        "ec2:describevpcs",
        "ecr:getauthorizationtoken",
        "kafka:listclusters",
        "kafka:listclustersv2",
        "kinesis:liststreams",
        "kms:createkey",
        "kms:generaterandom",
        "kms:listaliases",
        "kms:listkeys",
        "lambda:createeventsourcemapping",
        "lambda:getaccountsettings",
        "lambda:listeventsourcemappings",
        "lambda:listfunctions",
        "mq:listbrokers",
        "s3:listallmybuckets",
        "secretsmanager:getrandompassword",
        "secretsmanager:listsecrets",
        "sns:listtopics",
        "sqs:listqueues",
        "sts:getcalleridentity",
        "sts:getwebidentitytoken",
        "xray:getsamplingrules",
        "xray:getsamplingstatisticsummaries",
        "xray:getsamplingtargets",
        "xray:puttelemetryrecords",
        "xray:puttracesegments",
    }
)
"""Actions without resource-level permissions, among those that this project evaluates: their resource is `*`.

From "Actions, resources, and condition keys for AWS services" in the Service Authorization Reference.
"""


_FEW: Final = 16
"""Up to so many values it is faster to compare with each than with all at once."""


class ResourceSet:
    """The values of one Resource or NotResource element.

    Of many values, a resource is compared in full only with those that can match it, which are found all at once.
    """

    __slots__ = ("_by_group", "_groups", "_last", "_patterns")

    def __init__(self, patterns: Iterable[ResourcePattern]) -> None:
        self._patterns = tuple(patterns)
        self._groups: PatternGroups | None = None
        self._by_group: dict[int, ResourcePattern] = {}
        self._last: tuple[str, tuple[ResourcePattern, ...]] | None = None

    def __iter__(self) -> Iterator[ResourcePattern]:
        return iter(self._patterns)

    def match(self, resource: str, lookup: Lookup) -> int:
        """Return whether a resource matches one of the values."""
        matched = FALSE
        for pattern in self._possible(resource):
            found = pattern.match(resource, lookup)
            if found > matched:
                matched = found
                if matched == TRUE:
                    break
        return matched

    def _possible(self, resource: str) -> tuple[ResourcePattern, ...]:
        """Return the values that can match a resource, whatever the values of their variables are."""
        if len(self._patterns) <= _FEW or not resource.isascii():
            return self._patterns
        last = self._last
        if last is None or last[0] != resource:
            if self._groups is None:
                self._groups = PatternGroups([[symbols_of(pattern.broad)] for pattern in self._patterns])
                self._by_group = dict(zip(self._groups.groups, self._patterns, strict=True))
            found = self._groups.overlapping(resource)
            last = self._last = resource, tuple(self._by_group[group] for group in bits_of(found))
        return last[1]


class ResourcePattern:
    """One value of a Resource or NotResource element.

    The result is UNKNOWN if a `*` before the resource part has to match a colon, if a policy variable is before the
    resource part, and if the value of a variable is unknown. `short` is the result for a value of fewer than six parts
    that matches once `:*` is added for each missing part. `untyped` is the result for a value with a wildcard in the
    resource type of an IAM resource, such as `u*` for `user/Ann`: AWS does not allow it there. AWS's own managed
    policies use it in ARNs of other services. See "Identify AWS resources with Amazon Resource Names (ARNs)" in the IAM
    User Guide.
    """

    __slots__ = (
        "_everything",
        "_glob",
        "_is_ambiguous",
        "_parts",
        "_segments",
        "_short",
        "_untyped",
        "_variable_in_prefix",
        "_whole",
        "text",
    )

    def __init__(self, text: str, *, variables: bool, short: int, untyped: int = UNKNOWN) -> None:
        self.text = text
        self._untyped = untyped if _has_wildcard_in_type(text) else None
        self._everything = text != "" and not text.strip("*")
        self._short: int | None = None
        self._variable_in_prefix = False
        self._is_ambiguous = False
        self._segments: list[list[Part]] | None = None
        self._parts: list[Part] | None = None
        self._glob: Glob | None = None
        self._whole: Glob | None = None
        if self._everything:
            return
        colons = text.count(":")
        if variables and "${" in text:
            self._with_variables(text, short)
        elif colons < PARTS - 1 and not text.endswith("*"):
            self._short = short
            self._glob = compile_glob(text + ":*" * (PARTS - 1 - colons))
            self._whole = compile_glob(text) if "*" in text else None
        else:
            self._glob = compile_glob(text)
            self._is_ambiguous = _has_wildcard_in_prefix(text)

    def _with_variables(self, text: str, short: int) -> None:
        template = VariableText(text, variables=True, wildcards=True)
        segments = split_parts(template.parts)
        prefix = segments[: PARTS - 1]
        self._variable_in_prefix = any(isinstance(part, Variable) for segment in prefix for part in segment)
        if len(segments) < PARTS and not text.endswith("*"):
            self._short = short
            segments += [[ANY_RUN]] * (PARTS - len(segments))
        self._parts = _join(segments)
        self._is_ambiguous = any(isinstance(part, int) for segment in prefix for part in segment)
        self._segments = segments

    def match(self, resource: str, lookup: Lookup) -> int:  # noqa: PLR0911 - one return a case reads best
        """Return whether a resource matches."""
        if self._everything:
            return TRUE
        if resource == ANY_RESOURCE:
            return FALSE
        best = TRUE
        glob = self._glob
        if glob is None:
            tokens, exact = fill(self._parts or [], lookup)
            if tokens is None:
                return FALSE
            glob = glob_of(tokens)
            if self._variable_in_prefix or not exact:
                best = UNKNOWN
        if not glob.matches(resource):
            return UNKNOWN if self._whole is not None and self._whole.matches(resource) else FALSE
        if self._untyped is not None and _has_type(resource):
            return min(best, self._untyped)
        if self._short is not None:
            return min(best, self._short)
        if best and self._is_ambiguous and not self._match_segments(resource, lookup):
            return UNKNOWN
        return best

    def _match_segments(self, resource: str, lookup: Lookup) -> bool:
        """Return whether each part of the resource matches the same part of the value."""
        if self._segments is None:
            self._segments = [list(tokenize(segment)) for segment in split_arn(self.text)]
        values = split_arn(resource, len(self._segments))
        if len(values) != len(self._segments):
            return False
        for segment, value in zip(self._segments, values, strict=True):
            tokens, _ = fill(segment, lookup)
            if tokens is None or not glob_of(tokens).matches(value):
                return False
        return True

    @property
    def broad(self) -> str:
        """A pattern that matches at least what the value does: with `*` for variables and before missing parts."""
        missing = PARTS - 1 - self.text.count(":")
        whole = (
            self.text
            if self._parts is None
            else "".join(part if isinstance(part, str) else "?" if part == ANY_ONE else "*" for part in self._parts)
        )
        return f"{whole}*" if missing > 0 else whole

    def variables(self) -> tuple[str, ...]:
        """Return the keys of the policy variables in the value."""
        return tuple(part.spelled for part in self._parts or () if isinstance(part, Variable))


def _has_wildcard_in_type(text: str) -> bool:
    """Return whether a pattern has a wildcard in its resource type. A `*` alone stands for every resource.

    A pattern with fewer parts, such as `arn:aws:iam::1234*`, has no resource type.
    """
    *before, resource = split_arn(text)
    kind = resource.partition("/")[0]
    return len(before) == PARTS - 1 and resource.strip("*") != "" and ("*" in kind or "?" in kind)


def _has_type(resource: str) -> bool:
    """Return whether the resource part of an ARN begins with a type that AWS compares by itself."""
    arn = parse_arn(resource)
    return arn is not None and arn.service == "iam" and "/" in arn.resource


def _has_wildcard_in_prefix(text: str) -> bool:
    """Return whether a pattern has a wildcard before the resource part, which can match a colon."""
    return any("*" in segment or "?" in segment for segment in split_arn(text)[:-1])


def _join(segments: list[list[Part]]) -> list[Part]:
    joined: list[Part] = []
    for index, segment in enumerate(segments):
        if index:
            joined.append(":")
        joined += segment
    return joined
