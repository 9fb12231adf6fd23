"""Findings of Security Hub in memory: what a provider imports, and what people and integrations update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tests.in_memory.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.in_memory.service import Operations


_PEOPLES = frozenset({"Note", "UserDefinedFields", "VerificationState", "Workflow"})
"""What an import does not change."""


class SecurityHub(Service):
    """The findings of an account and region, by their ids."""

    def __init__(self) -> None:
        self.findings: dict[str, dict[str, Any]] = {}

    def _import(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Import findings. An older one than is held changes nothing.

        The workflow of one that people resolved is new again when it becomes active.
        https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
        https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
        """
        for new in params["Findings"]:
            held = self.findings.get(new["Id"])
            if held is None:
                self.findings[new["Id"]] = {**new, "Workflow": {"Status": "NEW"}}
            elif new["UpdatedAt"] > held["UpdatedAt"]:
                is_back = (held["RecordState"], new["RecordState"]) == ("ARCHIVED", "ACTIVE")
                held.update({name: value for name, value in new.items() if name not in _PEOPLES})
                if is_back and held["Workflow"]["Status"] in ("RESOLVED", "NOTIFIED"):
                    held["Workflow"] = {"Status": "NEW"}
        return {"FailedCount": 0, "SuccessCount": len(params["Findings"]), "FailedFindings": []}

    def _update(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Update the fields of people, such as the note and the workflow.

        https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
        """
        processed, unprocessed = [], []
        for one in params["FindingIdentifiers"]:
            held = self.findings.get(one["Id"])
            if held is None or held["ProductArn"] != one["ProductArn"]:
                unprocessed.append({"FindingIdentifier": one, "ErrorCode": "FindingNotFound"})
                continue
            held.update({name: params[name] for name in ("Note", "Workflow") if name in params})
            processed.append(one)
        return {"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}

    def _get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the findings that match each filter, by one of its values."""
        filters = params.get("Filters", {})
        assert all(one["Comparison"] == "EQUALS" for values in filters.values() for one in values), filters
        wanted = {name: {one["Value"] for one in values} for name, values in filters.items()}
        found = (one for one in self.findings.values() if all(one[name] in values for name, values in wanted.items()))
        return {"Findings": list(found)}

    operations: ClassVar[Operations] = {
        "BatchImportFindings": _import,
        "BatchUpdateFindings": _update,
        "GetFindings": _get,
    }
