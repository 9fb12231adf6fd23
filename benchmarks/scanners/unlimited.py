"""Run `permission-guard` without the limits that it sets itself: `python -m benchmarks.scanners.unlimited scan ...`.

No option turns them off: on AWS they keep calls from being throttled. Without them, a run shows the cost of the calls.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from permission_guard.cli import main


def _turn_limits_off() -> None:
    scan: Any = import_module("permission_guard.bootstrap.scan")
    rates_of = scan.rates_of
    scan.rates_of = lambda _policy_rate, _rate, *more: rates_of(None, None, *more)


if __name__ == "__main__":
    _turn_limits_off()
    main()
