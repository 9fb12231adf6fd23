"""The results of a benchmark, as they are kept in a file: the page and the pictures are written from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks.scanners.measurements import Measurement
from benchmarks.scanners.verdicts import Verdicts

if TYPE_CHECKING:
    from pathlib import Path

_LAMBDA: Final = "lambda:"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one tool on one account.

    `calls`, `refused` and `failed` are counts by `service:Operation`. `each_second` has, for each second of a run with
    limits, the calls to Lambda that were admitted and refused.
    """

    tool: str
    size: int
    limits: bool
    published: bool
    measurement: Measurement
    calls: dict[str, int]
    refused: dict[str, int]
    failed: dict[str, int]
    verdicts: Verdicts
    each_second: list[tuple[int, int]] = field(default_factory=list)

    @property
    def lambda_calls(self) -> int:
        """The calls to Lambda, with those that were refused."""
        return sum(count for name, count in self.calls.items() if name.startswith(_LAMBDA))

    @property
    def policy_calls(self) -> int:
        """The calls of GetPolicy."""
        return self.calls.get("lambda:GetPolicy", 0)

    @property
    def other_lambda_calls(self) -> int:
        """The calls to Lambda but GetPolicy, which share the second limit."""
        return self.lambda_calls - self.policy_calls

    @property
    def refusals(self) -> int:
        """The calls that were refused."""
        return sum(self.refused.values())


@dataclass(frozen=True, slots=True)
class TemplateRun:
    """One run of one tool on the repository's own templates."""

    tool: str
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Results:
    """All that a benchmark measured. `machine` has its facts in words, `seconds` is what the whole benchmark took."""

    machine: dict[str, str]
    command: str
    seconds: float
    runs: tuple[Run, ...]
    templates: tuple[TemplateRun, ...] = ()

    def write(self, path: Path) -> None:
        """Write the results as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read results that were written."""
        document = json.loads(path.read_text())
        return cls(
            **{
                **document,
                "runs": tuple(map(_run, document["runs"])),
                "templates": tuple(
                    TemplateRun(item["tool"], Measurement(**item["measurement"])) for item in document["templates"]
                ),
            }
        )


def by_second(calls: list[tuple[float, str, bool]]) -> list[tuple[int, int]]:
    """Return the admitted and refused calls of each second, from the time, operation and admission of each call."""
    found: list[tuple[int, int]] = []
    for second, _, is_admitted in calls:
        while len(found) <= int(second):
            found.append((0, 0))
        admitted, refused = found[int(second)]
        found[int(second)] = (admitted + is_admitted, refused + (not is_admitted))
    return found


def _run(document: dict[str, Any]) -> Run:
    return Run(
        **{
            **document,
            "measurement": Measurement(**document["measurement"]),
            "verdicts": Verdicts.from_json(document["verdicts"]),
            "each_second": [(admitted, refused) for admitted, refused in document["each_second"]],
        }
    )
