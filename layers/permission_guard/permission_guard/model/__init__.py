"""The data model: targets, state, verdicts, findings and ARNs."""
