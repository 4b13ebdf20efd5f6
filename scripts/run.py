"""`python scripts/run.py target=noise` is `dip target=noise`."""

import sys

from dip_experiments.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
