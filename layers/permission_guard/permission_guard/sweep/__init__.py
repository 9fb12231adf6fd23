"""The scheduled sweep of one account and region."""
