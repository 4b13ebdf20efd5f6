"""A sweep's W&B runs, read back from their offline files, have what is stored of its fits."""

import io
import math
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import SMALL
from wandb_offline import history, sent, summary_values

from dip_experiments.cli.main import main
from dip_experiments.store import Run, stop_image

SWEEP = ["task=denoising", "stopping=split", "replicas=2", "fit.keep=[17]", "-m", "optimizer.lr=0.01,0.003"]
LONG = "x" * 70
IMAGES = [1, 3, 10, 17, 30, 40]


class Sweep(NamedTuple):
    """The offline folders and the stored runs of a sweep, in the order of its jobs, and what was printed."""

    offline: list[Path]
    runs: list[Run]
    printed: str


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        patch.chdir(folder)
        for name in ("MODE", "DISABLED", "NAME", "RUN_GROUP", "ENTITY", "API_KEY"):
            patch.delenv(f"WANDB_{name}", raising=False)
        patch.setenv("WANDB_TAGS", f"of the environment,,{LONG}")
        patch.setenv("WANDB_PROJECT", "mine")
        patch.setenv("WANDB_NOTES", "why")
        assert main([*[word for word in SMALL if word != "logger=none"], *SWEEP]) == 0
    offline = sorted((folder / "results" / "wandb").glob("offline-run-*"))
    runs = [Run(folder / "results" / "runs" / path.name.rpartition("-")[2]) for path in offline]
    return Sweep(offline, runs, printed.getvalue())


def stored(run: Run, name: str) -> Any:
    """A curve, "seeds iterations"."""
    return np.stack([curves[name] for curves in run.curves])


def values_of(entries: list[dict[str, Any]], name: str) -> dict[int, Any]:
    return {entry["iteration"]: entry[name] for entry in entries if name in entry}


@pytest.mark.thorough
def test_runs_have_the_name_of_what_was_swept_and_the_group_and_tags_of_the_sweep(sweep: Sweep) -> None:
    records = [sent(folder)[0] for folder in sweep.offline]
    assert [record.display_name for record in records] == ["denoising lr=0.01", "denoising lr=0.003"]
    assert {record.run_group for record in records} == {"optimizer.lr=0.01,0.003"}
    assert {(record.project, record.notes, record.job_type) for record in records} == {("mine", "why", "fit")}
    tags = ["denoising", "astronaut", "smoke", "of the environment", LONG[:64]]
    assert [list(record.tags) for record in records] == [tags, tags]


def test_the_summary_is_flat_numbers_that_are_those_of_the_stored_curves(sweep: Sweep) -> None:
    for folder, run in zip(sweep.offline, sweep.runs, strict=True):
        summary, average = summary_values(folder), stored(run, "psnr_average")
        expected = {
            "final/psnr_average": average[:, -1],
            "final/psnr_reference": stored(run, "psnr_reference")[:, -1],
            "final/psnr_measurement": stored(run, "psnr_measurement")[:, -1],
            "final/loss": stored(run, "loss")[:, -1],
            "oracle/psnr_average": average.max(1),
            "oracle/iteration": average.argmax(1) + 1,
            "stop/split/psnr_average": run.scores(stop_image("split", "average"), "psnr"),
            "stop/split/iteration": run.summary["stopping"]["split"]["iteration"],
        }
        for name, values in expected.items():
            assert summary[f"{name}_mean"] == pytest.approx(np.mean(values), rel=1e-6), name
            assert summary[f"{name}_sd"] == pytest.approx(np.std(values, ddof=1), rel=1e-4), name
        assert summary["final/psnr_ensemble"] == run.scores("mean", "psnr")[0]
        assert (summary["iteration"], summary["wall_seconds"]) == (40, run.summary["wall_seconds"])
        assert "oracle_peak" not in summary
        flat = [
            value
            for name, value in summary.items()
            if name != "_wandb" and not (isinstance(value, dict) and "caption" in value)
        ]
        assert all(math.isfinite(value) for value in flat if not isinstance(value, str))


def test_every_curve_has_a_line_for_each_seed_and_one_for_their_mean(sweep: Sweep) -> None:
    for folder, run in zip(sweep.offline, sweep.runs, strict=True):
        entries = history(folder)
        for name in ("loss", "psnr_measurement", "psnr_reference", "psnr_average", "split_mse"):
            curve, mean = stored(run, name), values_of(entries, f"{name}/mean")
            assert len(mean) > 20
            for iteration, value in mean.items():
                assert value == pytest.approx(curve[:, iteration - 1].mean(), rel=1e-6)
            assert values_of(entries, f"{name}/seed1")[17] == pytest.approx(curve[1, 16], rel=1e-6)
        for column, name in (("psnr_mean", "psnr_average"), ("split_mean_mse", "split_mse")):
            ensemble = values_of(entries, f"{name}/ensemble")
            assert ensemble == pytest.approx({n: stored(run, column)[0, n - 1] for n in ensemble}, rel=1e-6)
            assert not [entry for entry in entries if f"{column}/seed0" in entry]


def test_steps_are_iterations_and_images_are_in_the_step_of_theirs(sweep: Sweep) -> None:
    for folder in sweep.offline:
        entries = history(folder)
        steps = [entry["_step"] for entry in entries]
        assert steps == sorted(set(steps))
        curves = [entry for entry in entries if "loss/seed0" in entry or "target/seed0" in entry]
        assert [entry["_step"] for entry in curves] == [entry["iteration"] for entry in curves]
        for kind in ("output", "average"):
            shown = [entry for entry in entries if f"{kind}/seed1" in entry]
            assert [entry["_step"] for entry in shown] == [entry["iteration"] for entry in shown] == IMAGES
            assert all("loss/seed1" in entry for entry in shown)
        assert {entry["iteration"] for entry in entries if "psnr_stopped_split/seed0" in entry} <= set(range(1, 41))


def test_captions_say_what_is_shown_of_which_seed_at_which_iteration_and_its_psnr(sweep: Sweep) -> None:
    for folder, run in zip(sweep.offline, sweep.runs, strict=True):
        entries = history(folder)
        for kind, name in (("output", "psnr_reference"), ("average", "psnr_average")):
            for iteration, image in values_of(entries, f"{kind}/seed1").items():
                quality = stored(run, name)[1, iteration - 1]
                assert image["caption"] == f"{kind}, seed 1, iteration {iteration}, {quality:.2f} dB"
        noisy = run.scores("measurement", "psnr")[0]
        assert values_of(entries, "target/seed0")[0]["caption"] == f"target, seed 0, iteration 0, {noisy:.2f} dB"
        assert values_of(entries, "reference/seed1")[0]["caption"] == "reference, seed 1, iteration 0"


def test_the_last_line_of_the_sweep_says_where_the_files_are(sweep: Sweep) -> None:
    assert sweep.printed.splitlines()[-1] == (
        "W&B: 2 offline runs in results/wandb; make dashboard shows them, "
        "wandb sync results/wandb/offline-run-* sends them"
    )
