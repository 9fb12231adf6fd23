"""Run `make prove`: the work is in a module of its own, because the processes that share it import it by its name."""

import sys

from tests.proof.run import main

if __name__ == "__main__":
    sys.exit(main())
