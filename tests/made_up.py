"""Finished runs whose numbers are known, without a fit."""

from pathlib import Path
from typing import Any

import numpy as np

from dip_experiments.store import Run, Store, write_columns, write_image, write_json


def make_run(
    results: Path, name: str, *, iterations: int = 100, replicas: int = 1, failed: int | None = None, **words: Any
) -> Run:
    """A finished run with smooth curves and small pictures; replica `failed` has no numbers. `words`: its settings."""
    run = Store(results).place(name)
    n = np.arange(1, iterations + 1)
    columns = {
        "replica": np.repeat(np.arange(replicas), iterations),
        "seed": np.repeat(np.arange(replicas), iterations),
        "iteration": np.tile(n, replicas),
        "loss": np.concatenate([1 / (n + r) for r in range(replicas)]),
        "psnr_average": np.concatenate([20 + np.log(n + r) for r in range(replicas)]),
    }
    write_columns(run.folder / "curves.csv", columns)
    write_json(run.folder / "settings.json", {"fit": {"iterations": iterations, "keep": []}, **words})
    write_json(run.folder / "provenance.json", {"seeds": [*range(replicas)], "device": "cpu", "sittings": []})
    draw = np.random.default_rng(0)
    for r in range(replicas):
        for kind in ("target", "average", "iteration-000001"):
            write_image(run.image(kind, r), draw.uniform(size=(3, 8, 8)))
    values = [None if r == failed else 20.0 + r for r in range(replicas)]
    run.finish(
        {
            "iterations": iterations,
            "wall_seconds": 60.0,
            "final": {"loss": values},
            "scores": {"average": {"psnr": values}},
            "lost_iterations": [0] * replicas,
            "guard": [],
            "failed": [] if failed is None else [{"replica": failed, "seed": failed, "iteration": 50}],
        }
    )
    return run
