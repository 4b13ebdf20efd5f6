"""A value for what an experiment sweeps over takes the place of the experiment's values."""

from pathlib import Path

import pytest

from dip_experiments.config.compose import read_requests
from dip_experiments.config.groups import search_in
from dip_experiments.config.overrides import to_hydra_overrides

SWEPT = """\
# @package _global_
defaults:
  - override /task: inverse
experiment:
  name: mine
task:
  operator:
    _target_: blur.make
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      seed: 0,1
      +task.operator.width: 3,7
"""


@pytest.mark.parametrize("prefix", ["", "+"])
@pytest.mark.parametrize(("value", "widths"), [("3", [3]), ("5,9", [5, 9])])
def test_a_value_for_what_an_experiment_sweeps_over_takes_the_place_of_its_values(
    prefix: str, value: str, widths: list[int], tmp_path: Path
) -> None:
    (tmp_path / "experiment").mkdir()
    text = SWEPT if prefix else SWEPT.replace("+task", "task").replace("blur.make", "blur.make\n    width: 3")
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    given = [f"--config-dir={tmp_path}", "experiment=mine", f"task.operator.width={value}"]
    overrides = to_hydra_overrides(given, multirun=True)
    with search_in([tmp_path]):
        (request,) = read_requests(overrides, multirun=True)
    assert sorted(job.task.operator.width for job in request.jobs) == sorted(widths * 2)
    said = [one for line in request.job_overrides for one in line if "width" in one]
    assert sorted(said) == sorted([f"{prefix}task.operator.width={width}" for width in widths] * 2)
    assert sum("width" in one for one in request.overrides) == 1  # of Hydra's own sweeper too
