"""``python -m tests.fuzz``; see `tests.fuzz.supervisor`. A module of its own, which child processes can import."""

import sys

from tests.fuzz.supervisor import main

if __name__ == "__main__":
    sys.exit(main())
