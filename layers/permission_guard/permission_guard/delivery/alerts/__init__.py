"""Alert channels: one folder a system, formatter and client side by side."""
