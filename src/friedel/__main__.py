"""`python -m friedel` is the command `friedel`."""

import sys

from friedel.cli import main

if __name__ == "__main__":
    sys.exit(main())
