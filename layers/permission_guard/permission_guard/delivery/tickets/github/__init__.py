"""Issues of a GitHub repository."""
