"""OpsItems of AWS Systems Manager OpsCenter."""
