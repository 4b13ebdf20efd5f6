"""Figure 4 with the paper's network on a smaller image, for machines without a GPU.

Experiment: fig4_stand_in. Writes: figures/fig4_stand_in. Command: make stand-in
"""

import sys

from fig4 import draw

from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.runner.select_runs import select

if __name__ == "__main__":
    sys.exit(run_script({"figures/fig4_stand_in": draw}, select, ["fig4_stand_in"]))
