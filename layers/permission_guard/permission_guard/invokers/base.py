"""What every service that invokes functions says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invoker:
    """A service principal that invokes functions through their resource-based policy.

    `source` is what calls, in a word; `source_arn` the form of its ARN, with `{partition}`, `{region}` and `{account}`
    to fill in and names in capitals for a person to replace. `names_its_source` is false where the service sends
    neither `aws:SourceArn` nor `aws:SourceAccount`, or never invokes through the policy: then asking for them breaks
    what works.
    """

    principal: str
    source: str
    source_arn: str
    names_its_source: bool = True
