"""What the command line uses of AWS, with the credentials of who runs it."""

from __future__ import annotations

from permission_guard.aws.senders.signed_requests import send_decision, send_finding_request

__all__ = ["send_decision", "send_finding_request"]
