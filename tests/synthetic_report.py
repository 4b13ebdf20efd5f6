"""Results folders for the report: runs made by hand, some of them many times, with what a user might have typed."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from fake_runs import CLEAN, WORDS, make_run

from dip_experiments.report.page import Written, write_report
from dip_experiments.report.settings import Config
from dip_experiments.store import (
    THUMBNAIL,
    Run,
    Store,
    make_thumbnail,
    read_json,
    thumbnail_images,
    write_image,
    write_json,
    write_text,
)

NASTY = """<img src=x onerror="document.title='broken'">"""
CLOSING = "</script><script>document.title='broken'</script>"
ITERATIONS = np.arange(1, 121)
RISING = np.stack([10 + ITERATIONS / 10, 12 + ITERATIONS / 10])
"""PSNR of two seeds: 0.1 dB an iteration."""
GREY = np.full((3, 64, 64), 128 / 255)
STOPS = {
    "fixed": {"iteration": [50, 50], "final": [True, True], "joint": 50, "joint_final": True, "facts": {}},
    "split": {
        "iteration": [80, 90],
        "final": [True, False],
        "joint": 85,
        "joint_final": False,
        "facts": {"sigma": 24.9876, "sigma_from": "estimated"},
        "estimate": {"mse": 0.001, "mse_se": 0.0001},
    },
}
EXPERIMENT = """# @package _global_
# Figure 4 of the paper: denoising.
# Expected at paper: 30.7 dB.
# Time: 6 minutes. Command: make reproduce-fig4
"""


def denoising(results: Path, name: str = "a" * 16, image: str = "coffee", **more: Any) -> Run:
    """A run whose output is 10 grey levels too bright everywhere, with stops."""
    words = {
        "task": {"name": "denoising", "noise": {"name": "gaussian", "sigma": 25.0}},
        "image": WORDS["image"] | {"name": image},
        "experiment": {"name": "fig4"},
    }
    scores = {"stop-split-average": {"psnr": [18.0, 21.0]}, "stop-fixed-average": {"psnr": [15.0, 17.0]}}
    run = make_run(
        results,
        name,
        curves={"psnr_average": RISING, "psnr_reference": RISING - 1, "loss": 1 / RISING},
        **{**words, **more},
    )
    for replica in range(2):
        write_image(run.image("reference", replica), GREY)
        write_image(run.image("iteration-000100", replica), GREY + 10 / 255)
    refinish(run, stopping=STOPS, ended_by=None, scores=run.summary["scores"] | scores)
    return Run(run.folder)


def refinish(run: Run, **summary: Any) -> None:
    """The same run with other numbers, whole again."""
    said = read_json(run.folder / "summary.json") | summary
    run.finish({name: value for name, value in said.items() if name not in ("files", "seal")})


def many(results: Path, count: int) -> None:
    """Copies of a run under other names, settings and seeds, without its pictures; the last two have nasty names."""
    first = denoising(results)
    for number in range(1, count):
        folder = results / "smoke" / "records" / f"{number:016x}"
        shutil.copytree(first.folder, folder, ignore=shutil.ignore_patterns("images", "measurement.npz", "*.part"))
        words = read_json(folder / "settings.json")
        words["image"]["name"] = (
            NASTY if number == count - 1 else CLOSING if number == count - 2 else f"set/{number % 7}"
        )
        words["experiment"]["name"] = f"study_{number % 5}"
        words["optimizer"]["lr"] = number / 1000
        if number == 7:
            words["architecture"]["norm"] = "none"
            command(folder, "change=no_norm")
        if number == 9:
            words["architecture"]["down"] = [32, 32]
        write_json(folder / "settings.json", words)
        if number == 2:
            (folder / THUMBNAIL).write_bytes(make_thumbnail(thumbnail_images(first).values()))
        refinish(Run(folder), final={"psnr_average": [20 + number % 11, 20 + number % 11]})


def figure(results: Path, run: Run) -> Path:
    """A figure and a table drawn of a run, and the folder of the experiments."""
    page = {"minutes_of_fitting": 1.5, "lost_iterations": 0, "runs": [{"run": run.name, "settings": run.settings}]}
    for place in ("figures/fig4", "tables/denoising"):
        write_json(results / "smoke" / f"{place}.json", page)
    write_image(results / "smoke" / "figures" / "fig4.png", CLEAN)
    curves = "curve,iteration,psnr_mean\n" + "".join(f"output,{n},{n * (200 - n)}\n" for n in (1, 100, 120))
    write_text(results / "smoke" / "figures" / "fig4.csv", curves)
    write_text(
        results / "smoke" / "tables" / "denoising.csv",
        "image,setting,ours,published,difference,x\nf16,fresh,29,30,-1,0\n",
    )
    write_text(
        results / "smoke" / "tables" / "denoising.md",
        f"Words {NASTY}\n\n### Part\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n",
    )
    experiments = results.parent / "experiments"
    write_text(experiments / "fig4.yaml", EXPERIMENT)
    return experiments


def composed(experiment: str | None, scale: str) -> Config:
    """Defaults: those of the experiment have another rate."""
    return WORDS | {"optimizer": WORDS["optimizer"] | {"lr": 0.01 if experiment is None else 0.02}}


def report(results: Path, experiments: Path | None = None) -> Written:
    return write_report(results, experiments or results / "none", composed)


def page(results: Path) -> str:
    return (results / "report" / "index.html").read_text()


def details(results: Path, run: Run) -> dict[str, Any]:
    """The data of a run's scripts."""
    found = re.fullmatch(r"dipRun\((.*)\);\n", asset(results, run))
    assert found
    return dict(json.loads(found[1]))


def sweep(results: Path, name: str, began: str, *words: str, **settings: Any) -> Run:
    """A run of a sweep over all these words, which began at that time."""
    run = denoising(results, name, **settings)
    command(run.folder, *words, began=began)
    refinish(run)
    return Run(run.folder)


def command(folder: Path, *words: str, began: str = "2026-12-01T00:00:00+00:00") -> None:
    """Writes that a run was started by these words, all of which were swept."""
    session = {"command": ["dip", *words, "scale=smoke"], "swept": [word.partition("=")[0] for word in words]}
    sittings = [session | {"began": began}]
    write_json(folder / "provenance.json", read_json(folder / "provenance.json") | {"sittings": sittings})


def asset(results: Path, run: Run) -> str:
    return (results / "report" / "assets" / "runs" / f"{run.name}.js").read_text()


def record_of(results: Path, run: Run) -> Run:
    """Its record; the whole run is gone."""
    record = Store(results).export_record(run, "smoke", ["reference"])
    shutil.rmtree(run.folder)
    return record
