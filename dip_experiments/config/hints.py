"""Hints for requests in the names that other tools use: `lr`, `arch`, `fig2`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dip_experiments.config.groups import did_you_mean, options

RESTORE = "dip restore {}"
"""Command that restores a noisy picture."""
KEYS: Mapping[str, Sequence[str]] = {
    "optimizer.lr": ("lr", "learning_rate", "step_size", "rate"),
    "architecture": ("arch", "net", "network", "model", "backbone"),
    "fit.iterations": ("max_epochs", "epochs", "iterations", "iters", "n_iter", "num_iter", "max_steps", "steps"),
    "fit.average_decay": ("ema", "ema_decay", "exp_weight", "average"),
    "latent.perturbation": ("reg_noise_std", "jitter", "input_noise"),
    "task.noise.sigma=25 with task=denoising; of a noisy picture of your own stopping.law.sigma=25": (
        "sigma", "noise_level", "noise_std",
    ),
    "task/noise=poisson (or another one) with task=denoising": ("noise",),
    "task.mask=mask.png with task=inpainting": ("mask", "mask_path"),
    "task.factor=4 with task=super_resolution": ("factor", "upscale"),
    "image.path=photo.png": ("path", "input", "file", "picture", "image_path", "img", "photo"),
    "output=restored.png": ("out", "save", "output_path"),
    "paths.results=folder": ("results", "output_dir", "out_dir", "save_dir", "results_dir"),
    "image.size": ("size", "resolution"),
    "scale.width": ("width", "channels"),
    "replicas=3, fits side by side with the seeds seed, seed + 1, ...": ("seeds", "n_seeds", "num_seeds", "batch_size"),
    "device=cuda": ("gpu", "gpus", "cuda", "accelerator"),
    "logger=wandb or logger=none": ("wandb", "log"),
    "stopping=split": ("early_stopping", "early_stop", "patience"),
}  # fmt: skip
"""Setting or group -> its names elsewhere."""
OPTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "loss": {"l1": ("mae", "L1"), "mse": ("l2", "L2"), "huber": ("smooth_l1",)},
    "task": {"super_resolution": ("sr", "superres"), "deblurring": ("deconvolution",), "denoising": ("denoiser",)},
    "target": {"natural": ("clean", "image"), "noise": ("random", "pure_noise"), "shuffled": ("permuted",)},
    "logger": {"none": ("false", "False", "off", "no", "null", "disabled"), "wandb": ("true", "True", "on")},
    "stopping": {"none": ("false", "False", "off", "no", "null"), "split": ("auto", "true", "True")},
    "latent": {"noise": ("random", "uniform")},
    "optimizer": {"adam": ("Adam", "adamw")},
}  # fmt: skip
"""Group -> option -> its names elsewhere."""
NO_COMMANDS: Mapping[str, str] = {
    "run": "a fit needs no command: dip scale=smoke",
    "fit": "a fit needs no command: dip scale=smoke",
    "train": "a fit needs no command: dip scale=smoke",
    "denoise": f"a noisy picture is restored by {RESTORE.format('photo.png')}",
    "list": "dip status lists your runs",
    "ls": "dip status lists your runs",
    "delete": "dip remove removes a run",
    "rm": "dip remove removes a run",
    "sweep": "-m makes a sweep: dip -m seed=0,1,2 scale=smoke",
}
"""First argument that is no command -> what does what it says."""


def key_hint(key: str) -> str:
    """Return the setting or group that a wrong key may mean; an empty string if none is known."""
    group, _, leaf = key.rpartition(".")
    found = (right for right, others in KEYS.items() if leaf in others and right.startswith(group))
    return next(found, "")


def no_option(group: str, option: str) -> ValueError:
    """Return the error for an option that a group does not have."""
    if not option:
        return ValueError(f"{group}=: a name is missing after =; choose from {', '.join(options(group))}")
    hint = _option_hint(group, option)
    return ValueError(f"{group}={option}: no such option{hint}; choose from {', '.join(options(group))}")


def _option_hint(group: str, option: str) -> str:
    named = OPTIONS.get(group, {}).items()
    if meant := next((right for right, others in named if option in others), ""):
        return f" (did you mean {group}={meant}?)"
    if group == "image" and (is_url(option) or os.path.exists(option) or "." in Path(option).name):
        return f"; a picture of your own is given by image.path={option}"
    return did_you_mean(option, options(group))


def command_hint(name: str, others: Sequence[str]) -> str:
    """Return what a first argument may mean that is neither a setting nor a command; empty for no idea.

    `others`: the arguments after it.
    """
    if others[:1] == ["="] or name.endswith("="):
        return "a setting has no spaces around its =: dip scale=smoke"
    if name in options("experiment"):
        return f"that is an experiment: {' '.join(['dip -m', f'experiment={name}', *others])}"
    if os.path.isfile(name) or Path(name).suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy"):
        return f"that is a picture: {RESTORE.format(name)}"
    return NO_COMMANDS.get(name, "")


def experiment_hint(name: str) -> str:
    """Return how to find an experiment that lies in a folder of the user's; an empty string if none has it."""
    folders = (path.parents[1] for path in sorted(Path().glob(f"*/experiment/{name}.yaml")))
    return next((f"; there is one in {folder}: add --config-dir={folder}" for folder in folders), "")


def is_url(name: str) -> bool:
    """Return True for an address such as https://example.org/photo.png, in which one of two slashes may be lost."""
    scheme, colon, _ = name.partition(":/")
    return bool(colon) and scheme in ("http", "https", "ftp", "s3", "file")
