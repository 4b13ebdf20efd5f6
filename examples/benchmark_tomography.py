"""Tomography with the operator of deepinv, as a problem of one's own in the benchmark: its figure and table.

Experiment: benchmark_tomography. Writes: figures/benchmark_tomography, tables/benchmark_tomography.
Command: python benchmark_tomography.py --config-dir conf
"""

import sys
from pathlib import Path

from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.runner.select_runs import select

sys.path.append(str(Path(__file__).parents[1] / "scripts" / "studies"))
from benchmark import draw_figure, draw_table

if __name__ == "__main__":
    pages = {"figures/benchmark_tomography": draw_figure, "tables/benchmark_tomography": draw_table}
    sys.exit(run_script(pages, select, ["benchmark_tomography"]))
