"""Lets ``python -m syncd`` be the same as ``syncd``."""

from syncd.cli import main

if __name__ == "__main__":
    main()
