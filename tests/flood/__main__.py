"""Run `make flood`."""

import sys

from tests.flood.run import main

if __name__ == "__main__":
    sys.exit(main())
