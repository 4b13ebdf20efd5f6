"""`python scripts/fetch_data.py` fetches the paper's pictures, as `python -m dip_experiments.datasets` does."""

import sys

from dip_experiments.datasets import main

if __name__ == "__main__":
    sys.exit(main())
