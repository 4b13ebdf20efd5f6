"""The examples are found by `--config-dir`, fitted, and selected again; each is one Python class and one YAML file."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import EXAMPLES, Dip, only_run, thorough_after
from test_api import CLEAN, WORDS, as_file

import dip_experiments as dipx

CONF = EXAMPLES / "conf"
FURTHER = {
    "stopping/smallest_step": ["stopping.patience=5"],
    "task/noise/stripes": ["task=denoising"],
    "task/mask/checkerboard": ["task=inpainting"],
    "guidance/slow_latent": ["latent=adjoint", "latent.channels=1"],
    "method/slow_latent": ["latent.channels=1"],
}
"""What an option needs besides itself."""
OPTIONS = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.rglob("*.yaml"))


pytestmark = pytest.mark.usefixtures("examples")


@pytest.mark.parametrize(
    "option", thorough_after(5, [option for option in OPTIONS if not option.startswith("experiment/")])
)
def test_an_option_of_ones_own_is_fitted(option: str, dip: Dip, tmp_path: Path) -> None:
    group, _, name = option.rpartition("/")
    words = WORDS[:2] if group == "architecture" else WORDS
    picture = as_file(tmp_path, (255 * CLEAN).astype(np.uint8))
    chosen = [f"{group}={name}", *FURTHER.get(option, [])]
    assert dip(*words, "fit.block=5", "--config-dir", str(CONF), picture, *chosen, "fit.iterations=30") == 0
    loss = np.asarray(only_run(tmp_path).stored_columns()["loss"], float)
    assert loss[-1] < 0.9 * loss[0]


def test_an_experiment_of_ones_own_is_swept_and_its_curves_are_a_table(dip: Dip, tmp_path: Path) -> None:
    words = ["experiment=my_sweep", "fit.iterations=5", "image.size=32", *WORDS]
    assert dip("--config-dir", str(CONF), "-m", *words) == 0
    chosen = [*words[1:3], *WORDS[1:], f"--config-dir={CONF}"]
    runs = dipx.load_runs("my_sweep", *chosen, scale="smoke", results=tmp_path / "results")
    assert len(runs) == 2
    curves = runs.curves()
    assert sorted(curves["loss.name"].unique()) == ["Charbonnier", "mse"]
    assert len(curves) == 2 * 5
    summary = runs.summary()
    for run in runs:
        last = curves[(curves["run"] == run.name) & (curves["iteration"] == 5)]["psnr_average"].item()
        assert summary[summary["run"] == run.name]["final.psnr_average"].item() == pytest.approx(last)


@pytest.mark.thorough
def test_a_figure_of_ones_own_is_drawn(dip: Dip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["fit.iterations=5", "image.size=32", *WORDS[1:]]
    flags = ["--config-dir", str(CONF)]
    assert dip(*flags, "-m", "experiment=my_sweep", WORDS[0], *words) == 0
    monkeypatch.setattr(sys, "argv", ["my_figure.py", *flags, "--scale", "smoke", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLES / "my_figure.py"), run_name="__main__")
    assert ended.value.code == 0
    drawn = list((tmp_path / "results" / "reproduced" / "smoke" / "figures").glob("my_sweep*"))
    assert {path.suffix for path in drawn} == {".png", ".pdf", ".csv", ".json"}
    (table,) = (pd.read_csv(path) for path in drawn if path.suffix == ".csv")
    assert sorted(table["loss"].unique()) == ["Charbonnier", "mse"]


@pytest.mark.thorough
def test_a_method_of_ones_own_gets_its_row_of_the_benchmark(dip: Dip, tmp_path: Path) -> None:
    flags = ["--config-dir", "conf"]
    words = ["experiment.problem=sigma25", "image=coffee", "method=plain,slow_latent", "fit.iterations=5", *WORDS[1:]]
    assert dip("--config-dir", str(CONF), "-m", "experiment=benchmark", WORDS[0], *words) == 0
    places = ["--scale", "smoke", "--results", str(tmp_path / "results")]
    command = [sys.executable, "../scripts/studies/benchmark.py", *flags, *places, *words]
    subprocess.run(command, cwd=EXAMPLES, check=True)  # as in docs/extending.md, where nothing else finds the class
    (table,) = (tmp_path / "results" / "reproduced" / "smoke" / "tables").glob("benchmark-*.csv")
    found = pd.read_csv(table)
    assert found["method"].tolist() == ["plain", "slow_latent"]
    assert np.isfinite(found["peak"].str.lstrip(">").astype(float)).all()


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.glob("run_*.py")))
def test_a_script_runs(script: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(EXAMPLES / script)], cwd=tmp_path, check=True)
