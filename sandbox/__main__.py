"""`python -m sandbox`."""

from sandbox.client.cli import app

if __name__ == "__main__":
    app()
