"""Alert channels: one folder for each system, with its formatter and its client."""
