"""docs/scaling.md has the numbers of the records, and its commands compose."""

import re
from pathlib import Path

import pytest
from fake_runs import part_of

from dip_experiments.config.compose import read_requests
from dip_experiments.config.overrides import to_hydra_overrides

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "scaling.md").read_text()


def test_the_page_has_what_the_records_cost(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for scale in ("laptop", "paper"):
        (tmp_path / scale).symlink_to(ROOT / "results" / scale)
    part_of("tools/scaling", "main")(["--results", str(tmp_path)])
    told = [line for line in capfd.readouterr().out.splitlines() if line]
    assert len(told) == 8
    assert set(told) <= set(PAGE.splitlines())


def test_what_a_run_leaves_is_counted_without_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    for name, size in (("checkpoint.pt", 1000), ("a", 30), ("inside/b", 12)):
        (tmp_path / name).write_bytes(bytes(size))
    assert part_of("tools/scaling", "counted")([tmp_path]) == (42, 2)


def test_the_search_of_the_page_is_one_that_dip_takes(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs the extra optuna")
    (found,) = re.findall(r"^dip -m (.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    words = [word.strip("'") for word in found.replace("\\\n", " ").split()]
    (request,) = read_requests(to_hydra_overrides(words, multirun=True), multirun=True)
    assert not request.complete
    (job,) = request.jobs
    assert (job.stopping.name, job.scale.width, job.task.noise) == ("split", 16, "none")
