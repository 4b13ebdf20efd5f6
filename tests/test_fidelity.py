"""Ours against the paper's numbers: what is run is compared, what is not says so, and a picture counts by its job."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_runs import draw, make_run, rows, selection
from scipy import stats
from test_restoration_tables import AUTHORS, larger, made_up

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.table import MOST_COLUMNS, WIDEST
from dip_experiments.baselines import classical
from dip_experiments.data.datasets import PICTURES
from dip_experiments.store import Job, Run, Selection

TABLES = ("denoising", "super_resolution", "inpainting")


def page(
    results: Path, *, scale: str = "paper", fig4: Run | None = None, trajectories: Sequence[Run] = (), **runs: Run
) -> Artifact:
    asked = [selection(results, name, *([runs[name]] if name in runs else []), scale=scale) for name in TABLES]
    fits = selection(results, "fig4", *([fig4] if fig4 else []), scale=scale)
    return draw("tables/fidelity", *asked, fits, selection(results, "trajectory", *trajectories, scale=scale))


def test_every_printed_mean_has_a_row_also_before_anything_is_run(tmp_path: Path) -> None:
    found = rows(page(tmp_path))
    assert {row["ours"] for row in found} == {"not run"}
    printed = {(row["of"], row["image"]): row["published"] for row in found}
    assert printed["denoising, authors' noise", "mean of cset9, averaged"] == "30.43"
    assert printed["super-resolution, x4", "mean of set5"] == "29.90"
    assert printed["inpainting, 50 % missing", "mean of standard11"] == "33.48"


def test_a_run_is_compared_with_its_number_and_the_page_can_be_read(tmp_path: Path) -> None:
    run = made_up(tmp_path, "a", "cset9/f16", AUTHORS)
    written = page(tmp_path, denoising=run)
    (row,) = [row for row in rows(written) if row["image"] == "cset9/f16"]
    ours = run.scores("average", "psnr").mean()
    assert (row["ours"], row["published"]) == (f"{ours:.2f}", "33.69")
    assert row["difference"] == f"{ours - 33.69:+.2f}"
    assert row["within"] == ("yes" if abs(ours - 33.69) <= 0.3 else "no") == "no"
    lines = [line for line in str(written.shown).splitlines() if line.startswith("|")]
    assert all(len(line) <= WIDEST and len(line.split("|")) - 2 <= MOST_COLUMNS for line in lines)
    assert "0 of 1 numbers are within 0.3 dB" in " ".join(str(written.shown).split())
    assert "Behind it: 1 independent noise draw, 3 seeds, 1 picture." in " ".join(str(written.shown).split())
    assert row["why"] == "a"
    assert "\na: " in str(written.shown)
    assert "\nb: " not in str(written.shown)  # no row asks for it


def test_a_mean_says_in_a_note_which_output_it_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(classical.DENOISERS):
        monkeypatch.delitem(classical.DENOISERS, name)
    images = [image for image in PICTURES if image.startswith("cset9/")]
    runs = [made_up(tmp_path, image[6:], image, AUTHORS) for image in images]
    asked = [selection(tmp_path, "denoising", *runs, scale="paper")]
    written = draw("tables/fidelity", *asked, *(selection(tmp_path, "any", scale="paper") for _ in range(4)))
    means = {row["image"]: row for row in rows(written) if row["ours"] != "not run" and "mean" in row["image"]}
    for name, kind, note, theirs in (
        ("raw", "output", "b", "29.22"),
        ("unperturbed", "unperturbed", "e", "29.22"),
        ("averaged", "average", "d", "30.43"),
    ):
        row = means[f"mean of cset9, {name}"]
        assert row["ours"] == f"{np.mean([run.scores(kind, 'psnr') for run in runs]):.2f}"
        assert (row["published"], row["why"]) == (theirs, note)


def test_figure_4_is_compared_at_its_peak(tmp_path: Path) -> None:
    run = make_run(tmp_path, "f", summary={"oracle_peak": {"psnr_reference": [30.5, 30.7]}}, seeds=(0, 1))
    (row,) = [row for row in rows(page(tmp_path, fig4=run)) if row["of"] == "Figure 4"]
    assert (row["published"], row["ours"], row["within"]) == ("30.68", "30.60", "yes")


def test_a_picture_that_another_experiment_fitted_under_another_name_fills_its_row(tmp_path: Path) -> None:
    run = made_up(tmp_path, "z", "paper/zebra", larger(4))
    asked = run.settings | {"image": run.settings["image"] | {"name": "set14/zebra"}}
    fits = Selection("super_resolution", "paper", tmp_path, (), (Job(asked, run),))
    denoising, inpainting, fig4, trajectories = (selection(tmp_path, "any", scale="paper") for _ in range(4))
    found = rows(draw("tables/fidelity", denoising, fits, inpainting, fig4, trajectories))
    assert "set14/zebra" in {row["image"] for row in found}


def test_seeds_of_one_fit_say_how_far_two_means_are_apart_by_chance(tmp_path: Path) -> None:
    finals = {"a": ("gamma_one", [30.0, 30.2, 30.1]), "b": ("gamma_uniform", [28.0, 28.4]), "c": ("other", [25.0])}
    runs = [
        make_run(
            tmp_path, name, seeds=range(len(values)), experiment={"name": "trajectory", "setting": setting},
            curves={"psnr_reference": np.repeat(np.array(values)[:, None], 1900, 1)},
        )
        for name, (setting, values) in finals.items()
    ]  # fmt: skip
    text = " ".join(str(page(tmp_path, trajectories=runs).shown).split())
    deviation = ((2 * 0.1**2 + 2 * 0.2**2) / 3) ** 0.5
    apart = stats.t.ppf(0.975, 3) * deviation * (2 / 9) ** 0.5
    assert f"differ by {deviation:.2f} dB (standard deviation of 5 trajectories of 2 settings)" in text
    assert f"differ by more than {apart:.2f} dB by chance" in text
    assert "seeds of one picture" not in str(page(tmp_path).shown)


def test_below_the_papers_size_nothing_is_compared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="add --scale paper"):
        page(tmp_path, scale="laptop")
