"""Services of AWS in memory, with the operations that the stack and its tests use; they reject the others loudly.

The tests in `tests/contracts` hold them, moto and MiniStack to what AWS does.
"""
