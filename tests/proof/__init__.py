"""Proof of the certificates by an independent solver: `make prove`, not part of `make test`."""
