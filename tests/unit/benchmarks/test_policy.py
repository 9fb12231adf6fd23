"""The adversarial policies of the benchmark: AWS accepts their size, and no part of the engine is quadratic in it."""

from __future__ import annotations

import sys
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.policies.adversarial import KINDS, RESOURCE_POLICY_BYTES, ordinary
from benchmarks.policy import decide_adversarial
from permission_guard.iam import parse_policy

if TYPE_CHECKING:
    from types import FrameType

UNREADABLE = {"empty statements", "nested", "numbers as statements", "percent-encoded"}


@pytest.mark.parametrize("name", KINDS)
def test_each_policy_is_as_large_as_aws_accepts(name: str) -> None:
    """Most are valid enough to be evaluated; the others are unreadable at once."""
    text = KINDS[name](RESOURCE_POLICY_BYTES)
    assert 0.95 * RESOURCE_POLICY_BYTES < len(text.encode()) <= RESOURCE_POLICY_BYTES
    policy = parse_policy(text)
    assert policy.unreadable == (name in UNREADABLE)
    assert len(ordinary(RESOURCE_POLICY_BYTES)) > 0.95 * RESOURCE_POLICY_BYTES


@pytest.mark.parametrize("name", KINDS)
def test_twice_the_size_takes_about_twice_the_calls(name: str) -> None:
    """Four times, if the time were quadratic. Calls are counted, which does not depend on the machine."""
    half, whole = (_calls(KINDS[name](size)) for size in (3_000, 6_000))
    assert whole < 3 * half + 1_000


def _calls(text: str) -> int:
    """Return how many functions are called to decide a policy."""
    calls = count()

    def counted(_frame: FrameType, event: str, _argument: Any) -> None:
        if event in {"call", "c_call"}:
            next(calls)

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        decide_adversarial(text)
    finally:
        sys.setprofile(before)
    return next(calls)
