"""The clients of one boto3 session: one profile, one region, for the command line."""

from __future__ import annotations

import os
from threading import Lock
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from permission_guard.aws.clients import CONFIG
from permission_guard.aws.plain_errors import plain_errors
from permission_guard.errors import ConfigurationError


class ProfileClients:
    """Returns the client of a service, one for each. All share the credentials. Safe for threads."""

    def __init__(self, *, profile: str | None, region: str | None) -> None:
        """Start a session. ConfigurationError if the profile does not exist, or no region is configured."""
        try:
            self._session = boto3.Session(profile_name=profile)
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"the AWS profile cannot be used: {error}") from error
        found = region or os.environ.get("AWS_REGION") or self._session.region_name
        if not found:
            raise ConfigurationError("no region is configured: name one with --region")
        self.region = found
        self._lock = Lock()
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """Return a client. ConfigurationError if none can be created."""
        with self._lock:  # a session is not safe for threads that create clients at the same time
            if service not in self._clients:
                try:
                    created = self._session.client(service, region_name=self.region, config=CONFIG)  # type: ignore[call-overload]
                except (BotoCoreError, ValueError) as error:
                    raise ConfigurationError(f"boto3 cannot create a client for {service}: {error}") from error
                self._clients[service] = created
            return self._clients[service]

    def account(self) -> str:
        """Return the account of the credentials, from AWS STS. ConfigurationError or RetryableError in plain words."""
        with plain_errors("sts:GetCallerIdentity", f"region {self.region}"):
            account: str = self("sts").get_caller_identity()["Account"]
        return account
