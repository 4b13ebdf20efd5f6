"""More ways to fewer iterations, tried on top of the fast Adam: averaged weights and a coarse start."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from joblib import Parallel, delayed
from torch.func import functional_call
from torch.nn.functional import avg_pool2d

from dip_experiments.devices import device_name
from dip_experiments.experiment import Plan, make_fit, plan, read_settings
from dip_experiments.fitting.fit import Fit
from dip_experiments.fitting.progress import ProgressBar
from dip_experiments.fitting.recorder import Recorder
from dip_experiments.fitting.schedule import block_ends, image_iterations
from dip_experiments.fitting.training import train
from dip_experiments.operators import Identity
from dip_experiments.requests import WRONG_REQUEST, compose_jobs, in_plain_words
from dip_experiments.settings import identity
from dip_experiments.store import Store, provenance, signature, write_json
from dip_experiments.tasks import Task

COARSE_ITERATIONS = 0.3
"""Part of the iterations that are done at half the resolution before."""


class AveragedWeights(Fit):
    """The image of the averaged weights at the unperturbed latent in place of the average of the images."""

    def move_average(self) -> None:
        live = dict(self.network.named_parameters())
        if not int(self.row):
            self.weights = {name: value.detach().clone() for name, value in live.items()}
        for name, mean in self.weights.items():
            mean.lerp_(live[name], 1 - self.average_decay)
        self.average.copy_(functional_call(self.network, self.weights, (self.latent,)))


def averaged_weights(planned: Plan) -> Fit:
    """The fit whose average is that of the weights."""
    fit = make_fit(planned)
    return AveragedWeights(fit.problem, planned.settings.fit.iterations, fit.average_decay, fit.guard)


def coarse_start(planned: Plan) -> Fit:
    """The fit whose network has first been fitted to target and latent of half the resolution."""
    settings, fit = planned.settings, make_fit(planned)
    task, latent = fit.problem.task, fit.problem.latent[..., ::2, ::2].clone()
    reference = None if task.reference is None else avg_pool2d(task.reference, 2)
    coarse = replace(fit.problem, latent=latent, task=Task(avg_pool2d(task.measurement, 2), Identity(), reference))
    iterations = round(COARSE_ITERATIONS * settings.fit.iterations)
    start = Fit(coarse, iterations, fit.average_decay, make_fit(planned).guard)
    train(start, block_ends(iterations, settings.fit.block), planned.device, [])
    return fit


TRIED: dict[str, Callable[[Plan], Fit]] = {
    "averaged weights": averaged_weights,
    "coarse start": coarse_start,
}


def carry_out(planned: Plan, name: str, store: Store) -> str:
    """Fits and records like `dip`, unless that is done already. Returns the run's name."""
    settings = planned.settings
    words = {**settings.words(), "tried": name}
    run = store.run(signature({**identity(words, None), "device": planned.device.type}))
    if not run.finished:
        write_json(run.folder / "settings.json", words)
        device = device_name(planned.device)
        record = provenance(settings.seeds, device, torch.get_num_threads(), ["scripts/try_acceleration.py"])
        write_json(run.folder / "provenance.json", record)
        started = time.monotonic()
        fit = TRIED[name](planned)
        iterations = settings.fit.iterations
        recorder = Recorder(fit, run, image_iterations(iterations), checkpoint_every=iterations + 1)
        recorder.seconds_before = time.monotonic() - started
        progress = ProgressBar(f"{settings.image.name}, {name}", fit, settings.fit.iterations)
        train(fit, block_ends(iterations, settings.fit.block), planned.device, [recorder, progress])
        recorder.write_curves(settings.fit.iterations)
        write_json(run.folder / "summary.json", recorder.summary())
    return run.name


def main() -> int:
    """Carries out what is not done yet of every image of conf/experiment/acceleration.yaml in every way."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--scale", choices=("smoke", "laptop", "paper"), default="laptop")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("words", nargs="*", help="further words for dip")
    given = parser.parse_args()
    words = [
        "experiment=acceleration",
        "optimizer=adam",
        f"scale={given.scale}",
        f"paths.results={given.results}",
        *given.words,
    ]
    if given.scale == "smoke":
        words.append("image.size=128")  # half of smoke's 64 pixels is below the five scales' size law
    try:
        plans = [plan(read_settings(job)) for job in compose_jobs([*words, "logger=none"], multirun=True)]
    except WRONG_REQUEST as error:
        print(in_plain_words(error), file=sys.stderr)
        return 2
    store = Store(given.results)
    # Two at a time, as the fits of the experiment they are compared with.
    names = Parallel(n_jobs=2)(delayed(carry_out)(planned, name, store) for name in TRIED for planned in plans)
    store.write_grid("acceleration_tried", given.scale, names)
    return 0


if __name__ == "__main__":
    sys.exit(main())
