"""`python -m imfilt`."""

import sys

from imfilt.cli import main

if __name__ == "__main__":
    sys.exit(main())
