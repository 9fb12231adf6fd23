"""A generated account of Lambda functions whose permissions are known to be right or wrong."""
