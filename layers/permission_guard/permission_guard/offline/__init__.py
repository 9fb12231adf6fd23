"""Read templates and policy files into the same model as a live account."""
