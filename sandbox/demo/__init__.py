"""The demo: a misconfigured function is found, reported, ticketed and repaired, on a real AWS API."""
