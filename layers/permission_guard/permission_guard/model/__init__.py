"""The nouns: targets, state, verdicts, findings, ARNs."""
