"""Permission Guard: who may invoke every Lambda function, and what its execution role may read."""

from __future__ import annotations

__version__ = "0.1.0"
