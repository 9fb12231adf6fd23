"""Reads the state and the policies of the resources that execution roles use."""
