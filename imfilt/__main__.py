"""`python -m imfilt`."""

from imfilt.cli import entry

if __name__ == "__main__":
    entry()
