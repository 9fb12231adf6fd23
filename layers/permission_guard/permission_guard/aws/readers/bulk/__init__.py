"""The readers of a whole account and region: what many functions share is read once, by lists.

They have the methods of the readers of one function, so that `StateReader` makes the same snapshots of them.
"""
