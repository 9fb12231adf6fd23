"""The configuration: the settings of each function, and the document `guard.yaml`."""
