"""What time changes: suppressions end, exceptions expire or match nothing, the baseline ends, digests are due."""
