"""Draw the pictures of docs/benchmarks.md: `python plots.py RESULTS FOLDER NAME...`.

It runs in an environment of its own, with matplotlib, and imports nothing of the repository. The same results give the
same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

REFERENCE = 1000
LIMIT = 30
COLOURS = {"Permission Guard": "#1f6feb", "Prowler": "#9a6700", "Cloud Custodian": "#8250df"}
INK = "#57606a"
STYLE = {
    "svg.hashsalt": "benchmarks",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": "#d0d7de",
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "legend.frameon": False,
}


def colour(tool: str) -> str:
    """Return the colour of a tool: the invoke-policy rules alone are lighter."""
    name = next(name for name in COLOURS if tool.startswith(name))
    return "#79b8ff" if "invoke" in tool else COLOURS[name]


def label(tool: str) -> str:
    """Return the name of a tool on two lines at most."""
    return tool.replace(", ", ",\n", 1)


def at(runs: list[Any], size: int, *, limits: bool) -> list[Any]:
    """Return the runs on an account of a size, without those of `--full` and without those on unpublished functions."""
    return [
        run
        for run in runs
        if run["size"] == size and run["limits"] is limits and run["published"] and "--full" not in run["tool"]
    ]


def reference(runs: list[Any]) -> int:
    """Return the size that the pictures of one size are about."""
    sizes = {run["size"] for run in runs}
    return REFERENCE if REFERENCE in sizes else max(sizes)


def draw_time(runs: list[Any]) -> Any:
    """Draw bars of the wall time, at the limits and without."""
    size = reference(runs)
    figure, axes = plt.subplots(2, 1, figsize=(8, 5.4), layout="constrained")
    for panel, limits in zip(axes, (True, False), strict=True):
        shown = at(runs, size, limits=limits)
        seconds = [run["measurement"]["seconds"] for run in shown]
        bars = panel.barh([label(run["tool"]) for run in shown], seconds, color=[colour(run["tool"]) for run in shown])
        panel.bar_label(bars, [f"{value:,.1f} s" for value in seconds], padding=4, color=INK)
        panel.invert_yaxis()
        panel.margins(x=0.14)
        panel.set_title(f"{size:,} functions, {'at the limits of AWS' if limits else '40 ms a call, no limits'}")
        panel.xaxis.set_visible(False)
        panel.spines["bottom"].set_visible(False)
        panel.tick_params(left=False)
    return figure


def draw_rate(runs: list[Any]) -> Any:
    """Draw the admitted and refused calls of each second at the limits, a panel for each tool."""
    shown = at(runs, reference(runs), limits=True)
    figure, axes = plt.subplots(len(shown), 1, figsize=(8, 1.5 * len(shown) + 0.9), layout="constrained", sharex=True)
    longest = max((len(run["each_second"]) for run in shown), default=1)
    for panel, run in zip([axes] if len(shown) == 1 else axes, shown, strict=True):
        admitted = [pair[0] for pair in run["each_second"]]
        refused = [pair[1] for pair in run["each_second"]]
        seconds = range(len(admitted))
        panel.fill_between(seconds, admitted, step="post", color=colour(run["tool"]), alpha=0.85, linewidth=0)
        top = [a + b for a, b in zip(admitted, refused, strict=True)]
        panel.fill_between(seconds, admitted, top, step="post", color="#cf222e", alpha=0.8, linewidth=0)
        panel.axhline(LIMIT, color=INK, linewidth=0.8, linestyle="--")
        panel.set_title(f"{run['tool']}: {sum(refused):,} throttled")
        panel.set_xlim(0, longest)
        panel.set_ylim(0, 62)
        panel.set_yticks([0, 15, 30, 60])
    figure.supylabel("calls to Lambda a second; throttled calls in red, on top", fontsize=10, color=INK)
    figure.supxlabel("seconds", fontsize=10, color=INK)
    return figure


def draw_growth(runs: list[Any]) -> Any:
    """Draw calls and peak memory by the number of functions."""
    sizes = sorted({run["size"] for run in runs})
    tools = list(dict.fromkeys(run["tool"] for run in at(runs, reference(runs), limits=False)))
    figure, (calls, memory) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    for tool in tools:
        found = [run for size in sizes for run in at(runs, size, limits=False) if run["tool"] == tool]
        known = [run["size"] for run in found]
        lambda_calls = [
            sum(count for name, count in run["calls"].items() if name.startswith("lambda:")) for run in found
        ]
        style = {"marker": "o", "markersize": 4, "color": colour(tool), "linewidth": 1.6}
        calls.plot(known, lambda_calls, label=tool, **style)
        memory.plot(known, [run["measurement"]["peak_bytes"] / 2**20 for run in found], **style)
    calls.set_title("calls to Lambda")
    memory.set_title("peak memory, MiB")
    for panel in (calls, memory):
        panel.set_ylim(bottom=0)
        panel.set_xlim(left=0)
        panel.set_xticks(sizes[-2:] if len(sizes) > 1 else sizes)
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.yaxis.set_major_formatter("{x:,.0f}")
        panel.set_xlabel("functions")
        panel.grid(axis="y", color="#eaeef2")
        panel.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def draw_verdicts(runs: list[Any]) -> Any:
    """Draw, for each tool, bars of right, missed, not checked and false."""
    shown = at(runs, reference(runs), limits=False)
    figure, panel = plt.subplots(figsize=(8, 3.4), layout="constrained")
    names = [label(run["tool"]) for run in shown]
    start = [0] * len(shown)
    kinds = {"right": "#2da44e", "missed": "#cf222e", "not_checked": "#d0d7de", "false": "#bf8700"}
    for kind, shade in kinds.items():
        counts = [run["verdicts"][kind] for run in shown]
        bars = panel.barh(names, counts, left=start, color=shade, label=kind.replace("_", " "))
        panel.bar_label(bars, [str(count) if count else "" for count in counts], label_type="center", fontsize=9)
        start = [a + b for a, b in zip(start, counts, strict=True)]
    panel.invert_yaxis()
    panel.set_title(f"Problems of {reference(runs):,} functions and their roles")
    panel.xaxis.set_visible(False)
    panel.spines["bottom"].set_visible(False)
    panel.tick_params(left=False)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


DRAWINGS = {
    "benchmark-time": draw_time,
    "benchmark-rate": draw_rate,
    "benchmark-growth": draw_growth,
    "benchmark-verdicts": draw_verdicts,
}


def main() -> None:
    """Draw each picture that is named."""
    results, folder, *names = sys.argv[1:]
    runs = json.loads(Path(results).read_text())["runs"]
    mpl.rcParams.update(STYLE)
    for name in names:
        figure = DRAWINGS[name](runs)
        figure.savefig(Path(folder) / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
