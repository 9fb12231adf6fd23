"""The commands that messages show."""

from __future__ import annotations


def list_command(stack_name: str, region: str) -> str:
    """Return the command that lists the findings of a stack."""
    return f"permission-guard findings list --stack-name {stack_name} --region {region}"
