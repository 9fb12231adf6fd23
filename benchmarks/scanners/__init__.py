"""Permission Guard beside other tools, on the same generated accounts: `make bench`. Start with `run.py`."""
