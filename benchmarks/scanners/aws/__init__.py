"""AWS for the benchmark: one process on the loopback interface, with Lambda's limits, a latency and counts."""
