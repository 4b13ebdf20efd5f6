"""Runs made by hand for what is drawn from them: every number is known or random, and none comes of a fit."""

import ast
import csv
import io
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conftest import composed, load_image

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.style import style
from dip_experiments.config.settings import read_settings
from dip_experiments.metrics import psnr, psnr_y_authors, ssim
from dip_experiments.runner.select_runs import run_id
from dip_experiments.stopping import StoppingRule
from dip_experiments.store import (
    Array,
    Job,
    Origin,
    Run,
    Selection,
    Store,
    write_arrays,
    write_curves,
    write_image,
    write_json,
)

EPOCHS = dict.fromkeys(StoppingRule.registered(), 9)
"""Of a day on which no rule is older than its code."""
ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
SIDE, ITERATIONS, SEEDS = 64, 120, (3, 4)
COLUMNS = ("loss", "psnr_measurement", "psnr_reference", "psnr_average")
CLEAN = load_image("coffee", None, SIDE, "resize")
WORDS: dict[str, Any] = {
    "image": {"name": "coffee", "path": None, "size": SIDE, "fit": "crop"},
    "target": {"name": "natural"},
    "task": {"name": "reconstruction"},
    "architecture": {"name": "skip", "down": [8, 8]},
    "optimizer": {"name": "adam", "lr": 0.01, "betas": [0.9, 0.999]},
    "precision": "float32",
    "scale": {"name": "smoke", "width": 8},
    "fit": {"keep": [20], "iterations": ITERATIONS},
    "seed": SEEDS[0],
    "replicas": len(SEEDS),
    "paths": {"results": "elsewhere"},
}


def make_run(
    results: Path,
    name: str,
    *,
    measurement: Array = CLEAN,
    known: Array | None = None,
    clean: Array = CLEAN,
    curves: Mapping[str, Array] = {},
    summary: Mapping[str, Any] = {},
    seeds: Sequence[int] = SEEDS,
    failed: Sequence[int] = (),
    **words: Any,
) -> Run:
    """A finished run. `curves`: column -> "seeds n", the others are random; `failed`: replicas without numbers."""
    run, draw = Store(results).place(name), np.random.default_rng(list(name.encode()))
    iterations = next(iter(curves.values())).shape[1] if curves else ITERATIONS
    drawn = {column: draw.uniform(1, 20, (len(seeds), iterations)) for column in COLUMNS} | dict(curves)
    each = {"replica": range(len(seeds)), "seed": seeds}
    columns = {name: np.repeat(np.array(values), iterations) for name, values in each.items()}
    columns["iteration"] = np.tile(np.arange(1, iterations + 1), len(seeds))
    write_curves(run.folder / "curves.csv", columns | {name: values.ravel() for name, values in drawn.items()})
    images = {kind: [draw.normal(clean, 0.05) for _ in seeds] for kind in ("output", "average", "unperturbed")}
    write_pictures(run, images, measurement, clean, iterations)
    arrays = {"measurement": np.stack([measurement] * len(seeds)).astype(np.float32)}
    if known is not None:
        arrays["known"] = np.stack([known] * len(seeds))
        for replica in range(len(seeds)):
            write_image(run.image("mask", replica), known.astype(float))
    write_arrays(run.folder / "measurement.npz", **arrays)
    write_json(run.folder / "settings.json", WORDS | {"seed": seeds[0], "replicas": len(seeds)} | words)
    began = "2026-12-01T00:00:00+00:00"
    sittings = [{"command": ["dip", f"paths.results={results}"], "commit": "c0ffee", "began": began}]
    told = {"seeds": list(seeds), "device": "cpu", "epochs": EPOCHS, "sittings": sittings}
    write_json(run.folder / "provenance.json", told)
    images["measurement"] = [measurement] * len(seeds)
    found = {
        "iterations": iterations,
        "wall_seconds": 90.0,
        "target_variance": [0.09] * len(seeds),
        "iterations_explained": [None] * len(seeds),
        "final": {column: blotted(values[:, -1], failed) for column, values in drawn.items()},
        "oracle_peak": {column: blotted(values.max(1), failed) for column, values in drawn.items()},
        "oracle_iteration": {column: blotted(values.argmax(1) + 1, failed) for column, values in drawn.items()},
        "scores": scores(images, clean, failed, "factor" in words.get("task", {})),
        "measurement_sha256": [f"{name} {replica}" for replica in range(len(seeds))],
        "guard": [],
        "lost_iterations": [0] * len(seeds),
        "failed": [{"replica": replica, "seed": seeds[replica], "iteration": 9} for replica in failed],
    }
    run.finish(found | dict(summary))
    return run


def make_bare_run(
    results: Path,
    name: str,
    seeds: Sequence[int],
    failed: Sequence[int] = (),
    summary: Mapping[str, Any] = {},
    **words: Any,
) -> Run:
    """A finished run without curves or pictures, in a hundredth of the time."""
    run = Store(results).place(name)
    write_json(run.folder / "settings.json", WORDS | {"seed": seeds[0], "replicas": len(seeds)} | words)
    write_json(run.folder / "provenance.json", {"seeds": list(seeds), "device": "cpu", "sittings": []})
    failures = [{"replica": replica, "seed": seeds[replica], "iteration": 9} for replica in failed]
    known = {"iterations": ITERATIONS, "wall_seconds": 90.0, "guard": [], "lost_iterations": [0] * len(seeds)}
    run.finish({**known, "failed": failures, **summary})
    return run


def name_of(*words: str) -> str:
    """Name of the first run that the words ask for, on a CPU."""
    job, *_ = composed(words, True)
    return run_id(read_settings(job), "cpu")


def a_record(results: Path, *words: str, **said: Any) -> Run:
    """Of the run with these words, which is gone."""
    run = make_run(results, name_of(*words), **said)
    record = Store(results).export_record(run, "smoke")
    shutil.rmtree(run.folder)
    return record


def write_pictures(run: Run, images: dict[str, list[Array]], measurement: Array, clean: Array, last: int) -> None:
    kept = {f"iteration-{last:06d}": "output", "iteration-000100": "output", "average-000020": "average"}
    for replica in range(len(images["output"])):
        pictures = {"target": measurement, "reference": clean}
        pictures |= {kind: images[kind][replica] for kind in ("average", "unperturbed")}
        pictures |= {name: images[kind][replica] for name, kind in kept.items()}
        for name, picture in pictures.items():
            write_image(run.image(name, replica), picture)
    write_image(run.image("flash", 0), CLEAN[::-1])


def blotted(values: Any, failed: Sequence[int]) -> list[Any]:
    return [None if replica in failed else value for replica, value in enumerate(np.asarray(values).tolist())]


def scores(images: dict[str, list[Array]], clean: Array, failed: Sequence[int], enlarged: bool) -> dict[str, Any]:
    metrics = {"psnr": psnr, "ssim": ssim} | ({"psnr_y_authors": psnr_y_authors} if enlarged else {})
    alike = {name: pictures for name, pictures in images.items() if pictures[0].shape == clean.shape}
    found = {
        name: {metric: blotted([of(picture, clean) for picture in pictures], failed) for metric, of in metrics.items()}
        for name, pictures in alike.items()
    }
    sound = [picture for replica, picture in enumerate(images["average"]) if replica not in failed]
    if len(sound) > 1:
        found["mean_of_2"] = {metric: [of((sound[0] + sound[1]) / 2, clean)] for metric, of in metrics.items()}
    return found


def selection(
    results: Path, experiment: str, *jobs: Run | dict[str, Any], scale: str = "smoke", origin: Origin = "runs"
) -> Selection:
    """Jobs with their runs, or words of jobs that were not run."""
    found = [Job(job.settings, job) if isinstance(job, Run) else Job(WORDS | job, None) for job in jobs]
    return Selection(experiment, scale, results, (), tuple(found), origin)


def part_of(script: str, name: str = "draw") -> Any:
    """Something of a script, such as `figures/fig2`, which is not run."""
    path = SCRIPTS / f"{script}.py"
    sys.path.insert(0, str(path.parent))
    try:
        return runpy.run_path(str(path), run_name="drawn")[name]
    finally:
        sys.path.remove(str(path.parent))


def make_targets() -> set[str]:
    """The targets that make can be given by name."""
    database = subprocess.run(
        ["make", "-pRrqf", "Makefile", ":"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return set(re.findall(r"^\.PHONY: (.*)", database.stdout, re.MULTILINE)[0].split())


def drawings() -> Iterator[tuple[str, str, str]]:
    """Every script with a page, the page's place in the results, and the function that draws it."""
    for path in sorted(SCRIPTS.glob("*/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "run_script":
                script, pages = path.relative_to(SCRIPTS).with_suffix("").as_posix(), node.args[0]
                assert isinstance(pages, ast.Dict)
                for place, function in zip(pages.keys, pages.values, strict=True):
                    assert place is not None
                    yield script, ast.literal_eval(place), ast.unparse(function)


def draw(script: str, *selections: Selection, name: str = "draw") -> Artifact:
    """The page that a script draws."""
    style()
    function: Callable[..., Artifact] = part_of(script, name)
    return function(*selections)


def rows(page: Artifact) -> list[dict[str, str]]:
    """What the page's CSV has."""
    return list(csv.DictReader(io.StringIO(page.numbers.to_csv(index=False))))


def files(page: Artifact, folder: Path) -> dict[str, bytes]:
    """The page's files by name."""
    page.write(folder / "page")
    return {path.name: path.read_bytes() for path in folder.iterdir()}
