"""Readers: read state from AWS, write nothing."""
