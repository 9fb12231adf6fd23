"""Check functions: read, evaluate, reconcile."""
