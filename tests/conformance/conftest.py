"""The sandbox, for the tests that hold it against recorded material."""

from tests.e2e.conftest import code, make_role, sandbox

__all__ = ["code", "make_role", "sandbox"]
