"""The tables of this stack, in DynamoDB."""
