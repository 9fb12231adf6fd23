"""The page docs/benchmarks.md, from results."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Final

from benchmarks.scanners.account.builder import build
from benchmarks.scanners.account.shapes import CORRECT, DEFECTS, KINDS
from benchmarks.scanners.targets import targets
from benchmarks.scanners.tools import PROWLER_CHECK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.scanners.results import Results, Run

PICTURES: Final = {
    "benchmark-time": "Wall time of each tool, at AWS's limits and without limits",
    "benchmark-rate": "Calls to Lambda in each second of a run at AWS's limits",
    "benchmark-growth": "Calls and peak memory by the number of functions",
    "benchmark-verdicts": "Labelled functions and roles that each tool reports",
}
"""The pictures, by the names of their files, with what they show."""

_SCAN: Final = (
    "functions",
    "tool",
    "wall",
    "CPU",
    "peak memory",
    "calls to Lambda",
    "a function",
    "throttled",
    "other calls",
)
_MIB: Final = 2**20
_SHAPES: Final = (*DEFECTS, *CORRECT)


def page(results: Results) -> str:
    """Return the page as Markdown."""
    return "\n".join((*_beginning(results), *_scans(results), *_verdicts(results), *_templates(results), *_end()))


def _beginning(results: Results) -> Iterator[str]:
    yield """# Benchmarks

`make bench` wrote this page, its pictures and `benchmarks.json`. Do not edit it.

It scans generated accounts with Permission Guard, Prowler and Cloud Custodian, one after the other, and checks the
repository's own templates with Permission Guard, Checkov and cfn-lint. Every call to AWS goes to a proxy on the same
machine, which takes 40 ms for a call and can enforce Lambda's limits.

## Targets
"""
    rows = [
        (target.what, f"≤ {_number(target.most, target.unit)}", _measured(target.measured, target.unit), _said(reached))
        for target in targets(results)
        for reached in (target.is_reached,)
    ]
    yield from _table(("what", "target", "measured", ""), rows)
    yield """
AWS allows 15 calls of `GetPolicy` and 15 other calls a second, and neither can be raised. So one call of `GetPolicy` a
function takes 67 seconds for 1,000 functions, with any tool.

## Machine and commands
"""
    yield from _table(("", ""), [(name, value) for name, value in results.machine.items()])
    yield f"""
```
{results.command}
```

The whole benchmark took {results.seconds / 60:.0f} minutes. Options: `SIZES="100 1000"` for other accounts, and
`OTHERS=no` to leave out the other tools.
"""


def _scans(results: Results) -> Iterator[str]:
    yield "## Scans\n"
    yield _picture("benchmark-time")
    for limits, title in ((True, "At AWS's limits"), (False, "Without limits")):
        runs = [run for run in results.runs if run.limits is limits]
        if not runs:
            continue
        yield f"### {title}\n"
        yield from _table(_SCAN, map(_scan_row, runs), numbers=(0, *range(2, len(_SCAN))))
        yield ""
    yield """A throttled call is answered with 429 `TooManyRequestsException`, and counts as a call. The other calls go
to other services. CPU is that of the tool alone.
"""
    yield _picture("benchmark-rate")
    yield _picture("benchmark-growth")
    failed = sorted({name for run in results.runs for name in run.failed})
    if failed:
        names = ", ".join(f"`{name}`" for name in failed)
        yield f"The account does not answer {names}: the tools got an error for it.\n"


def _scan_row(run: Run) -> tuple[str, ...]:
    used = run.measurement
    size = f"{run.size:,}" if run.published else f"{run.size:,} without versions"
    return (
        size,
        run.tool,
        f"{used.seconds:,.1f} s",
        f"{used.cpu_seconds:,.1f} s",
        f"{used.peak_bytes / _MIB:,.0f} MiB",
        f"{run.lambda_calls:,}",
        f"{run.lambda_calls / run.size:.2f}",
        f"{run.refusals:,}",
        f"{sum(run.calls.values()) - run.lambda_calls:,}",
    )


def _verdicts(results: Results) -> Iterator[str]:
    runs = verdict_runs(results)
    if not runs:
        return
    yield f"""## Verdicts

Each of the {runs[0].size:,} functions is correct or has one problem, and the benchmark knows which. *Missed* counts the
problems that a check is about by its own description; the others are *not checked*. *False* counts what is reported of
correct functions and roles, and for Permission Guard each finding that is not the expected one.
"""
    yield _picture("benchmark-verdicts")
    rows = [
        (run.tool, *(f"{number:,}" for number in (found.right, found.missed, found.false, found.not_checked)))
        for run in runs
        for found in (run.verdicts,)
    ]
    yield from _table(("tool", "right", "missed", "false", "not checked"), rows, numbers=(1, 2, 3, 4))
    yield "\nReported functions by shape:\n"
    head = ("shape", "kind", *(run.tool for run in runs))
    shapes = [(shape.name, KINDS[shape.kind]) for shape in _SHAPES] + [("shared role", KINDS["role"])]
    rows = [(name, kind, *(_reported(run, name) for run in runs)) for name, kind in shapes]
    yield from _table(head, rows, numbers=range(2, len(head)))
    yield f"""
Prowler runs its check `{PROWLER_CHECK}`, and Cloud Custodian its filter
`cross-account`. Both read the policy of the unqualified function only.
"""


def verdict_runs(results: Results) -> list[Run]:
    """Return the runs whose verdicts are shown: those without limits, on the account that most tools ran on."""
    runs = [run for run in results.runs if not run.limits and run.published and "--full" not in run.tool]
    if not runs:
        return []
    sizes = [run.size for run in runs]
    size = max(set(sizes), key=lambda one: (sizes.count(one), -abs(one - 1000)))
    return [run for run in runs if run.size == size]


def _reported(run: Run, shape: str) -> str:
    found, total = run.verdicts.reported.get(shape, (0, 0))
    return f"{found:,} of {total:,}" if total else ""


def _templates(results: Results) -> Iterator[str]:
    if not results.templates:
        return
    yield "## Templates\n\n`template.yaml` and the templates in `stacks/`, in one process.\n"
    rows = [
        (run.tool, f"{used.seconds:.1f} s", f"{used.cpu_seconds:.1f} s", f"{used.peak_bytes / _MIB:,.0f} MiB")
        for run in results.templates
        for used in (run.measurement,)
    ]
    yield from _table(("tool", "wall", "CPU", "peak memory"), rows, numbers=(1, 2, 3))
    yield """
The tools check different things: cfn-lint the syntax and types of all resources, Checkov hundreds of rules on all
services, and Permission Guard the permissions of functions only.
"""


def _end() -> Iterator[str]:
    account = build(1000)
    functions, sources = account.functions.values(), account.sources
    counts = (
        (account.roles, "roles"),
        (account.policies, "customer managed policies"),
        (account.mappings, "event source mappings"),
        ([alias for function in functions for alias in function.aliases], "aliases"),
        ([version for function in functions for version in function.versions], "versions"),
        (sources.queues, "queues"),
        (sources.tables, "tables"),
        (sources.topics, "topics"),
        (sources.buckets, "buckets"),
        (sources.rules, "rules"),
        (sources.apis, "REST APIs"),
    )
    has = ", ".join(f"{len(things):,} {name}" for things, name in counts)
    yield "## How it is measured\n"
    account_of = f"- **The account** of 1,000 functions has {has}, and a log group for each function. {_LABELS}"
    yield fill(account_of, 120, subsequent_indent="  ")
    yield _HOW


_LABELS: Final = (
    "Each defect is there in about 1 % of the functions. The same size and seed give the same account, and a test "
    "evaluates each label with the rules."
)
_HOW: Final = """\
- **AWS** is one process. It answers for Lambda and IAM from the account, in pages of the sizes that AWS has, and for
  other services with the backends of moto. Answers are computed once, before the first measured run.
- **The limits** are token buckets that hold the tokens of one second: 15 for `GetPolicy`, 100 for `GetFunction`, 15 for
  all other calls to Lambda. Other services have no limits here; Permission Guard stays below theirs all the same.
- **The other tools** run in environments of their own with pinned versions (`benchmarks/scanners/requirements/`). They
  get placeholders as credentials, the proxy as the endpoint of every AWS service, and for all other addresses an HTTP
  proxy that does not exist. So they reach this machine only. Checkov's options turn off its update check, its downloads
  and its uploads. Prowler and Cloud Custodian have none to turn off: Prowler asks for a newer version only with
  `--version`.
- **Permission Guard** runs as `permission-guard scan --rate full`. For the runs without limits, the limits that it sets
  itself on calls to Lambda are off, too (`benchmarks/scanners/unlimited.py`); no option does that.
- **Memory** is the largest resident set of the tool's largest process. **CPU** is that of all its processes.
- The proxy runs on the same machine and takes a share of it. On AWS, latency varies, and other callers share the
  limits.
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> Iterator[str]:
    right = set(numbers)
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if number in right else '---' for number in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _picture(name: str) -> str:
    return f"![{PICTURES[name]}](pictures/{name}.svg)\n"


def _number(value: float, unit: str) -> str:
    return f"{value:g} {unit}".rstrip()


def _measured(value: float | None, unit: str) -> str:
    return "no run" if value is None else _number(round(value, 1 if unit == "s" else 2), unit)


def _said(reached: bool | None) -> str:
    return {True: "reached", False: "**not reached**", None: ""}[reached]
