"""Short fits whose numbers are pinned: `python tests/pinned.py` writes them anew, once an epoch was raised for it."""

import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from dip_experiments.baselines import zs_n2n
from dip_experiments.baselines.classical import DENOISERS, Array, wiener
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.data.pictures import Frame
from dip_experiments.data.reading import read_picture
from dip_experiments.fitting.ensemble import denoiser_ensembles
from dip_experiments.fitting.schedule import block_ends
from dip_experiments.fitting.summary import summary
from dip_experiments.fitting.trainer import train
from dip_experiments.runner.build import build_fit
from dip_experiments.runner.validate import validate
from dip_experiments.store import write_image, write_json
from dip_experiments.store.files import finite

PINNED = Path(__file__).with_name("pinned.json")
LIBRARIES = ("torch", "numpy", "scipy", "scikit-image", "pillow")
SMALL = [
    "scale=smoke", "logger=none", "device=cpu", "precision=float64", "image.size=24", "replicas=2", "fit.iterations=8",
    "fit.block=4", "latent.channels=8",
]  # fmt: skip
GRID = 2**-8
"""What weights at the start are rounded to multiples of."""
SKIP = "architecture.down=[4,4] architecture.skip=[2,2]"
PLAIN = f"task=denoising task.noise.clip=false {SKIP}"
SHOWN = "latent=adjoint latent.channels=3"
CLASSIFIER = "task/classifier=custom task.classifier._target_=small_classifier.classifier"
SPLIT = "stopping=split stopping.patience=4 stopping.law.sigma=25"
CASES = {
    "adam": f"{SKIP} target=noisy latent.optimise=both",
    "unet, adam_one_cycle": "architecture=unet architecture.widths=[4,8] optimizer=adam_one_cycle fit.iterations=6",
    "resnet, sgd": "architecture=resnet architecture.widths=[4,4] optimizer=sgd",
    "sgld": f"{SKIP} optimizer=sgld target=noisy",
    "deep_decoder, lbfgs": "architecture=deep_decoder architecture.widths=[4,4] optimizer=lbfgs replicas=1 "
    "target=shuffled fit.iterations=4",
    "pixels, tv": "architecture=pixels regularizer=tv target=noise",
    "layers": f"{SKIP} architecture.norm=group architecture.activation=gelu "
    "architecture.upsample=learnt fit.weight_noise=0.02",
    "denoising, stopping": f"{PLAIN} stopping=split stopping.patience=4 stopping.law.sigma=25 "
    "observe=[windowed_variance,moving_variance,fixed] observe.windowed_variance.window=3 "
    "observe.windowed_variance.patience=4 observe.moving_variance.patience=4 observe.moving_variance.warm_up=2 "
    "observe.fixed.iteration=3",
    "denoising, mixing": f"{PLAIN} stopping=split stopping.patience=4 stopping.mix=[nlm,dct,tv,wavelet,wiener]",
    "poisson, held-out pixels": f"task=denoising {SKIP} task/noise=poisson stopping=split stopping/law=poisson "
    "stopping.patience=4 observe=[held_out_pixels] observe.held_out_pixels.patience=4",
    "sure, discrepancy": f"{PLAIN} latent=measurement latent.channels=3 observe=[sure,discrepancy] "
    "observe.sure.patience=4",
    "inpainting": f"{SKIP} task=inpainting observe=[held_out_pixels] observe.held_out_pixels.patience=4",
    "super-resolution": f"{SKIP} task=super_resolution image.size=32",
    "jpeg": f"{SKIP} task=jpeg",
    "flash": SKIP + " task=flash_no_flash task.flash={flash} latent.channels=3",
    "inpainting, split": f"{SKIP} task=inpainting shared=[task] {SPLIT}",
    "super-resolution, split": f"{SKIP} task=super_resolution image.size=32 {SPLIT}",
    "nearest upsampling": f"{SKIP} architecture.upsample=nearest",
    "autoencoding": f"{PLAIN} {SHOWN} guidance=autoencoding",
    "self-guided": f"{PLAIN} {SHOWN} guidance=self_guided latent.optimise=both guidance.amplitude=0.5 "
    "guidance.weight=1",
    "self-diffusion": f"{PLAIN} {SHOWN} guidance=self_diffusion guidance.levels=3",
    "self-diffusion of noise": f"{PLAIN} latent=normal latent.channels=3 guidance=self_diffusion guidance.levels=3",
    "target moving": f"{PLAIN} guidance=target_moving guidance.every=3",
    "distributional loss": f"{PLAIN} loss=distributional loss.sigma=25",
    "fourier loss and features, low-pass upsampling": f"{SKIP} target=noisy loss=fourier latent=fourier_features "
    "architecture.upsample=lowpass60",
    "siren": "architecture=siren architecture.widths=[8,8] target=natural",
    "random projector": f"{SKIP} target=noisy latent.optimise=z_and_norms regularizer=tv",
    "deblurring, l1": f"{SKIP} task=deblurring loss=l1",
    "inverse, huber": f"{SKIP} task=inverse task.operator._target_=pinned.neighbours loss=huber",
    "whitened, correlated, mixing by patches": f"task=denoising task/noise=blurred_gaussian {SKIP} loss=whitened "
    "loss.width=0.7 loss.correlation=0.2 loss.growth=0.1 stopping=split stopping/law=correlated stopping.law.sigma=25 "
    "stopping.law.width=0.7 stopping.law.correlation=0.2 stopping.patience=4 stopping.mix=[nl_ridge,lichi]",
    "poisson-gaussian law": f"task=denoising task/noise=poisson_gaussian {SKIP} stopping=split stopping.patience=4 "
    "stopping/law=poisson_gaussian stopping.law.gain=0.02 stopping.law.sigma=5",
    "gamma law": f"task=denoising task/noise=gamma {SKIP} stopping=split stopping/law=gamma stopping.law.looks=10 "
    "stopping.patience=4",
    "feature inversion": f"{SKIP} task=feature_inversion task.layer=relu2 {CLASSIFIER}",
    "activation maximisation": f"{SKIP} task=activation_maximisation task.layer=fc3 task.unit=3 "
    f"task.activation=0.1 {CLASSIFIER}",
}
"""Each task, network, optimizer, regularizer, loss and rule: few iterations, so that rounding has not grown yet."""


def neighbours() -> Callable[[torch.Tensor], torch.Tensor]:
    """An operator of one's own, which adds half of its right neighbour to each pixel."""
    return lambda image: image + image.roll(-1, 3) / 2


def pinned() -> dict[str, Any]:
    """What today's code gives, by case; `versions` of what else it depends on."""
    found = {name: finite(fitted(words)) for name, words in CASES.items()}
    return found | {"other methods": finite(denoised()), "versions": versions()}


def versions() -> dict[str, str]:
    """Of the libraries that may change the numbers too."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def fitted(words: str) -> dict[str, Any]:
    """Final values of all curves, what the rules found, and the energy of the average, of a fit of these words."""
    with tempfile.TemporaryDirectory() as folder:
        flash = Path(folder) / "flash.png"
        write_image(flash, Frame(24, "resize", 1).part(read_picture("coffee", None)))
        asked = [*SMALL, *words.format(flash=flash).split(), f"paths.results={folder}"]
        settings = read_settings(compose_jobs(asked, multirun=False)[0])
        fit = build_fit(validate(settings), [])
        on_grid(fit.network)
        train(fit, block_ends(settings.fit.iterations, settings.fit.block), torch.device("cpu"), [])
        mixtures = denoiser_ensembles(fit.monitors)
        told = summary(fit, 0.0, fit.unperturbed().numpy(), mixtures)
    stops = {name: found_by(rule) for name, rule in told.get("stopping", {}).items()}
    return {"final": told["final"], "stopping": stops, "average": float(fit.average.square().mean())}


def on_grid(network: torch.nn.Module) -> torch.nn.Module:
    """Round a network's weights, drawn in float32, which kernels with and without FMA round otherwise; return it."""
    for weights in network.parameters():
        weights.data = (weights.data / GRID).round() * GRID
    return network


STOPS = ("iteration", "joint", "estimate", "mix")
OF_MEASUREMENT = "measurement_estimate"
"""What a rule estimates where the operator is not the identity."""


def found_by(rule: dict[str, Any]) -> dict[str, Any]:
    """What a rule found, out of the summary of a fit."""
    estimate = {OF_MEASUREMENT: rule[OF_MEASUREMENT]} if OF_MEASUREMENT in rule else {}
    return {key: rule.get(key) for key in STOPS} | estimate


def denoised() -> dict[str, float]:
    """Energy of what the methods that are written here make of noise."""
    noisy = np.random.default_rng(0).normal(0.5, 0.2, (3, 16, 16))
    guide = np.clip(noisy, 0.3, 0.7)
    images = {"zs_n2n": zero_shot(noisy), "wiener": wiener(noisy, guide, 40.0)}
    images |= {name: DENOISERS[name](noisy, 40.0) for name in ("dct", "nl_ridge", "lichi")}
    return {name: float(np.square(image).mean()) for name, image in images.items()}


def zero_shot(noisy: Array) -> Array:
    """What ZS-N2N makes of a picture in four iterations, in float64 and from rounded weights, as the fits are."""
    drawn = zs_n2n.residual_network
    with (
        mock.patch.object(zs_n2n, "residual_network", lambda channels: on_grid(drawn(channels)).double()),
        mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
    ):
        return zs_n2n.zs_n2n(noisy, seed=0, iterations=4)


def differences(ours: Any, theirs: Any, name: str = "") -> list[str]:
    """Where two nested values are not the same to 1e-9, in words."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        named = {key: f"{name} {key}".strip() for key in {**theirs, **ours}}
        alone = [f"{named[key]}: new" for key in ours if key not in theirs]
        alone += [f"{named[key]}: no longer there" for key in theirs if key not in ours]
        both = [key for key in ours if key in theirs]
        return alone + [line for key in both for line in differences(ours[key], theirs[key], named[key])]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [line for one, other in zip(ours, theirs, strict=True) for line in differences(one, other, name)]
    if isinstance(ours, float) and isinstance(theirs, float) and np.isclose(ours, theirs, rtol=1e-9, atol=1e-12):
        return []
    return [] if ours == theirs else [f"{name}: {ours} where {theirs} was"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = pinned()
    before = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    for line in differences(found, before) if before else []:
        print(line)
    write_json(PINNED, found)
    sys.exit(0)
