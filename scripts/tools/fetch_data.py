"""`python scripts/fetch_data.py` fetches the paper's pictures, as `python -m dip_experiments.data.datasets` does."""

import sys

from dip_experiments.data.datasets import main

if __name__ == "__main__":
    sys.exit(main())
