"""What the command line uses of AWS, with the credentials of who runs it."""

from __future__ import annotations

from permission_guard.aws.senders.configuration import ConfigurationSender
from permission_guard.aws.senders.signed_requests import send_decision, send_finding_request

__all__ = ["ConfigurationSender", "send_decision", "send_finding_request"]
