"""What a drawing shows is found by what its experiment is, whatever else was asked for or lies in the store."""

import subprocess
import sys
from pathlib import Path

import pytest
from fake_runs import SCRIPTS, make_run

from dip_experiments.analysis.figure_cli import command_line
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.runner.select_runs import run_id, select


def names(*words: str, device: str = "cpu") -> list[str]:
    settings = map(read_settings, compose_jobs(words, multirun=True))
    return [run_id(one, device) for one in settings]


def test_a_partial_sweep_fills_its_rows_and_empties_none(tmp_path: Path) -> None:
    plain, lower, *_ = names("experiment=precision", "scale=smoke")
    assert [job.run for job in select("precision", "smoke", tmp_path).jobs] == [None] * 6
    make_run(tmp_path, lower)
    make_run(tmp_path, plain)
    make_run(tmp_path, "another")
    selection = select("precision", "smoke", tmp_path)
    assert [run.name for run in selection.runs] == [plain, lower]
    assert [words["image"]["name"] for words in selection.missing] == ["camera", "camera", "coffee", "coffee"]
    assert selection.command == f"dip -m experiment=precision scale=smoke paths.results={tmp_path}"


def test_jobs_that_are_the_same_run_are_all_there_by_their_own_overrides(tmp_path: Path) -> None:
    found = select(
        "ablation_impedance", "paper", tmp_path, ["change=default,width_128", "image=cset9/f16", "target=natural"]
    )
    assert len(set(names("experiment=ablation_impedance", "scale=paper", *found.overrides))) == 1
    assert [job.config["experiment"]["change"] for job in found.jobs] == ["default", "width_128"]


def test_further_overrides_are_composed_too(tmp_path: Path) -> None:
    selection = select("precision", "smoke", tmp_path, ["precision=float32"])
    assert [job.config["precision"] for job in selection.jobs] == ["float32"] * 3
    assert selection.command.endswith("precision=float32")


def test_a_run_made_on_a_gpu_is_found_and_comes_first(tmp_path: Path) -> None:
    (gpu,) = names("experiment=fig10", "scale=smoke", device="cuda")
    (cpu,) = names("experiment=fig10", "scale=smoke")
    make_run(tmp_path, gpu)
    assert select("fig10", "smoke", tmp_path).only.name == gpu
    make_run(tmp_path, cpu)
    assert select("fig10", "smoke", tmp_path).only.name == gpu


def test_at_paper_scale_a_run_in_bf16_stands_in_for_one_in_float32_that_is_not_there(tmp_path: Path) -> None:
    (full,), (lower,) = (names("experiment=fig10", "scale=paper", f"precision={p}") for p in ("float32", "bf16"))
    make_run(tmp_path, lower)
    assert select("fig10", "paper", tmp_path).only.name == lower
    assert not select("fig10", "paper", tmp_path, ["precision=float64"]).runs
    make_run(tmp_path, full)
    assert select("fig10", "paper", tmp_path).only.name == full
    assert select("fig10", "paper", tmp_path, ["precision=bf16"]).only.name == lower


@pytest.mark.parametrize(("experiment", "scale"), [("precision", "paper"), ("fig10", "laptop")])
def test_nowhere_else_is_a_run_in_bf16_taken_for_one_in_float32(tmp_path: Path, experiment: str, scale: str) -> None:
    lower, *_ = names(f"experiment={experiment}", f"scale={scale}", "precision=bf16")
    make_run(tmp_path, lower)
    assert not [
        job for job in select(experiment, scale, tmp_path).jobs if job.run and job.config["precision"] != "bf16"
    ]


def test_at_paper_scale_a_run_of_more_seeds_counts_where_one_is_requested(tmp_path: Path) -> None:
    asked = ["experiment=table_denoising", "scale=paper", "task/noise=noisy25", "image=cset9/f16"]
    one, two = (names(*asked, f"replicas={count}", "precision=bf16")[0] for count in (1, 2))
    make_run(tmp_path, one)
    assert [run.name for run in select("table_denoising", "paper", tmp_path, asked[2:]).runs] == [one]
    make_run(tmp_path, two, seeds=[0, 1], experiment={"name": "trajectory"})
    assert [run.name for run in select("table_denoising", "paper", tmp_path, asked[2:]).runs] == [one]
    make_run(tmp_path, two, seeds=[0, 1], experiment={"name": "table_denoising"})
    assert [run.name for run in select("table_denoising", "paper", tmp_path, asked[2:]).runs] == [two]
    swept = select("table_denoising", "paper", tmp_path, [*asked[2:], "seed=0,1"])
    assert [job.run and job.run.name for job in swept.jobs] == [one, None]
    assert not select("table_denoising", "paper", tmp_path, [*asked[2:], "replicas=3"]).runs


def test_nothing_stands_in_for_what_the_overrides_say_themselves(tmp_path: Path) -> None:
    several, *_ = names("experiment=fig10", "scale=paper", "replicas=3", "precision=bf16")
    make_run(tmp_path, several, seeds=[0, 1, 2], experiment={"name": "fig10"})
    assert select("fig10", "paper", tmp_path, ["precision=bf16"]).only.name == several
    for words in (["precision=float32"], ["precision=bf16", "replicas=1"], ["precision=bf16", "seed=0"]):
        assert not select("fig10", "paper", tmp_path, words).runs


def test_a_damaged_run_counts_as_missing(tmp_path: Path) -> None:
    (name,) = names("experiment=fig10", "scale=smoke")
    run = make_run(tmp_path, name)
    run.image("average", 0).write_bytes(b"")
    assert select("fig10", "smoke", tmp_path).runs == []


def test_wrong_overrides_are_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="experiment=fig10 imgae=camera") as found:
        select("fig10", "smoke", tmp_path, ["imgae=camera"])
    assert len(str(found.value).splitlines()) == 1


def script(name: str, results: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / name), "--scale", "smoke", *words, "--results", str(results)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=results)


@pytest.mark.slow
def test_a_script_without_its_runs_names_the_command_or_passes_where_nothing_is_kept(tmp_path: Path) -> None:
    answer = script("figures/fig10.py", tmp_path, "optimizer.lr=0.2")
    assert answer.returncode == 2
    assert f"dip -m experiment=fig10 scale=smoke paths.results={tmp_path} optimizer.lr=0.2" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not (tmp_path / "smoke").exists()
    assert script("figures/fig10.py", tmp_path, "--if-kept").returncode == 0
    (init,) = names("experiment=study_stability", "scale=smoke", "experiment.varies=init", "image=camera")
    make_run(tmp_path, init, experiment={"name": "study_stability", "varies": "init"})
    assert script("studies/stability.py", tmp_path, "--if-kept").returncode == 0, "too few runs, and no page yet"
    assert script("studies/stability.py", tmp_path).returncode == 2
    committed = tmp_path / "smoke" / "figures" / "fig10.csv"
    committed.parent.mkdir(parents=True)
    committed.touch()
    assert script("figures/fig10.py", tmp_path, "--if-kept", "--records").returncode == 2
    assert committed.exists()


@pytest.mark.parametrize(("word", "option"), [("scale=paper", "--scale paper"), ("paths.results=a", "--results a")])
def test_a_script_is_told_its_scale_and_results_by_options_alone(
    word: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["figures/fig10.py", word])
    with pytest.raises(SystemExit) as ended:
        command_line("Draws.")
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{word}: a drawing takes it as {option}\n"


@pytest.mark.thorough
def test_a_script_draws_what_its_experiment_is(tmp_path: Path) -> None:
    (name,) = names("experiment=fig10", "scale=smoke")
    make_run(tmp_path, name)
    answer = script("figures/fig10.py", tmp_path)
    assert answer.returncode == 0, answer.stderr
    drawn = {path.name for path in (tmp_path / "reproduced" / "smoke" / "figures").iterdir()}
    assert drawn == {f"fig10.{ending}" for ending in ("png", "pdf", "csv", "json")}
