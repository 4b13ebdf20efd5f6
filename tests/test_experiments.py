"""Every experiment composes at every scale; at scale paper it has the settings that the paper's authors published."""

from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from conftest import thorough_after
from omegaconf import OmegaConf

from dip_experiments.config.compose import DRAWS, MOST_REPLICAS, compose_jobs, seed_of
from dip_experiments.config.groups import conf_folder, options
from dip_experiments.config.restoring import EXPERIMENTS
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data.datasets import PICTURES
from dip_experiments.runner.build import network_builder
from dip_experiments.stopping import Fixed, Split

SCALES = ("smoke", "laptop", "paper")


@cache
def jobs(experiment: str, scale: str, *words: str) -> list[Settings]:
    """The jobs of an experiment's grid."""
    asked = [f"experiment={experiment}", f"scale={scale}", *words]
    if experiment in EXPERIMENTS.values():  # of a picture of the user's, whole at every scale
        asked.append("image.path=photo.png")
    return [read_settings(job) for job in compose_jobs(asked, multirun=True)]


FEW = {
    "denoising": "image=cset9/f16",
    "inpainting": "image=standard11/barbara",
    "resolution": "image=set5/baby",
    "fig2": "target=natural architecture=skip",
    "precision": "image=astronaut",
    "acceleration": "image=astronaut",
    "study_stopping": "image=astronaut experiment.draw=0",
    "study_noises": "image=coffee experiment.noise=camera",
    "study_stability": "image=coffee experiment.draw=1",
    "study_selection": "image=astronaut experiment.draw=0",
    "denoisers": "image=cset9/f16",
    "ablation_size": "change=scales_2,width_8 image=astronaut",
    "ablation_layers": "change=nearest image=astronaut",
    "ablation_input": "change=z_depth_1 image=astronaut",
    "ablation_fit": "change=sgd image=astronaut",
    "ablation_lbfgs": "image=astronaut",
    "ablation_pictures": "change=default,no_norm image=cset9/kodim03",
    "ablation_impedance": "change=default target=noise",
    "bands": "change=default target=natural",
    "jacobian": "change=default seed=0",
    "tangent_kernel": "experiment.width=narrow seed=0",
    "degrees_of_freedom": "image=coffee experiment.noise=sigma25",
    "degrees_of_freedom_networks": "change=width_8 image=coffee experiment.noise=sigma25",
    "posterior": "experiment.method=sgld",
    "prior_effect": "regularizer=tv",
    "benchmark": "experiment.problem=deblurring method=plain,self_guided image=coffee",
    "benchmark_lowpass": "method=lowpass20 image=coffee",
    "benchmark_others": "experiment.problem=inpainting method=plain,l1 image=coffee",
    "fig8_others": "architecture=unet",
    "fig9": "task.layer=conv1",
    "fig9_pixels": "task.layer=conv1 regularizer=tv",
    "fig7_missing": "architecture=skip",
    "trajectory": "image=cset9/f16",
    "denoisers_decoder": "image=cset9/f16",
    "denoisers_noise": "image=coffee experiment.noise=white,camera",
}
"""By how an experiment's name ends: the first values of its longest sweeps."""
GROWING = ("fig2", "ablation_size", "restore")
"""Experiments that are composed at every scale in every run of the tests; the first job of all: test_identity.py."""
DEMOS = ("fig2", "precision", "precision_fig2", "acceleration")
"""Experiments that have all that they need from the scale itself."""


def few_of(experiment: str) -> list[str]:
    """The words by which a few jobs of an experiment are chosen."""
    return [word for end, words in FEW.items() if experiment.endswith(end) for word in words.split()]


OTHERS = [experiment for experiment in options("experiment") if experiment not in GROWING]


@pytest.mark.parametrize("experiment", thorough_after(len(GROWING), [*GROWING, *OTHERS]))
def test_every_experiment_composes_at_every_scale_with_its_own_name_and_sizes_that_grow(experiment: str) -> None:
    grids = [jobs(experiment, scale, *few_of(experiment)) for scale in SCALES]
    assert len({len(grid) for grid in grids}) == 1
    for scale, grid in zip(SCALES, grids, strict=True):
        assert {(job.experiment.name, job.scale.name) for job in grid} == {(experiment, scale)}
        assert len({str(job.to_dict()) for job in grid}) == len(grid)
    for smoke, laptop, paper in zip(*grids, strict=True):
        assert smoke.fit.iterations <= laptop.fit.iterations <= paper.fit.iterations
        assert (smoke.image.size or 0) < (laptop.image.size or 0) or smoke.image.name == "file"
        assert {job.image.name for job in (smoke, laptop, paper)} == {smoke.image.name}


@pytest.mark.parametrize("experiment", [*DEMOS, "fig3", "table_denoising", "study_stopping", "samples"])
def test_an_experiment_has_a_demo_or_names_the_scales_that_it_has(experiment: str) -> None:
    if experiment in DEMOS:
        assert {job.fit.iterations for job in jobs(experiment, "demo", *few_of(experiment))}
        return
    with pytest.raises(ValueError, match=f"experiment={experiment} has no scale=demo; it has smoke, laptop, paper"):
        jobs(experiment, "demo")


@pytest.mark.parametrize("experiment", thorough_after(len(GROWING), [*GROWING, *OTHERS]))
def test_every_experiment_composes_at_the_papers_scale_with_its_own_name(experiment: str) -> None:
    grid = jobs(experiment, "paper", *few_of(experiment))
    assert {(job.experiment.name, job.scale.name) for job in grid} == {(experiment, "paper")}
    assert len({str(job.to_dict()) for job in grid}) == len(grid)


STUDIES = {
    "study_stopping": ["experiment.noise=gaussian50", "experiment.kind=held_out"],
    "study_noises": ["experiment.noise=camera"],
    "study_stability": ["experiment.varies=rounding"],
    "study_selection": ["experiment.setting=low_rate"],
}


def test_pictures_and_draws_of_a_study_share_no_seed_and_all_fits_of_a_draw_have_the_same() -> None:
    draws: dict[tuple[str, int], set[tuple[int, ...]]] = {}
    for study, words in STUDIES.items():
        for job in jobs(study, "laptop", *words):
            said = job.experiment.model_extra or {}
            draws.setdefault((job.image.name, said["draw"]), set()).add(tuple(job.seeds))
    assert len(draws) == 6 * 3
    assert all(len(seeds) == 1 for seeds in draws.values())
    every = [seed for seeds in draws.values() for seed in next(iter(seeds))]
    assert len(every) == len(set(every)) == 6 * 3 * 4


def test_any_picture_has_seeds_of_its_own_in_a_study_and_a_seed_that_is_asked_for_counts() -> None:
    bases = sorted(seed_of(name, None, draw, 1) for name in (*PICTURES, *options("image")) for draw in range(DRAWS))
    distinct = sorted(set(bases))
    assert len(distinct) == DRAWS * len({*PICTURES, *options("image")})
    assert min(after - before for before, after in pairwise(distinct)) == MOST_REPLICAS
    own = jobs("study_selection", "smoke", "experiment.setting=default", "image=file", "image.path=a/1.png,a/2.png")
    assert len({job.seed for job in own}) == 2 * 3
    assert seed_of("file", "a/1.png", 2, 4) == seed_of("file", "b/1.png", 2, 4) in {job.seed for job in own}
    few = ["experiment.setting=default", "image=camera,coffee", "experiment.draw=1", "seed=7"]
    assert [job.seed for job in jobs("study_selection", "smoke", *few)] == [7, 7]
    with pytest.raises(ValueError, match=r"experiment\.draw=10: a picture has draws 0 to 9"):
        seed_of("camera", None, 10, 1)
    with pytest.raises(ValueError, match="replicas=101: a draw of a study has at most 100"):
        seed_of("camera", None, 0, 101)


def test_what_a_rule_changes_of_a_fit_is_in_no_other_rules_fit() -> None:
    few = ["image=coffee", "experiment.noise=gaussian50", "experiment.draw=0"]
    plain, split, held_out = jobs("study_stopping", "laptop", *few)
    passive = {"windowed_variance", "moving_variance", "discrepancy", "fixed"}
    assert [set(job.rules) for job in (plain, split, held_out)] == [passive, {"split"}, {"held_out_pixels"}]
    assert all(job.stopping.name == "none" and job.shared == ["task"] for job in (plain, split, held_out))
    fixed = plain.observe["fixed"]
    assert isinstance(fixed, Fixed)
    assert plain.fit.iterations >= fixed.iteration == 1800


def test_fits_to_noise_of_cameras_differ_in_what_their_kind_says_and_in_nothing_else() -> None:
    found = jobs("study_noises", "laptop", "image=coffee", "experiment.noise=both", "experiment.draw=0")
    plain, whitened, restore = found
    assert [(job.loss.name, job.stopping.name) for job in found] == [
        ("mse", "fixed"), ("whitened", "fixed"), ("whitened", "split"),
    ]  # fmt: skip
    assert isinstance(restore.stopping, Split)
    assert restore.stopping.law.name == "correlated"
    assert isinstance(plain.stopping, Fixed)
    assert plain.stopping == whitened.stopping
    assert plain.stopping.iteration == 600 < plain.fit.iterations
    of_the_kind = {"loss", "stopping", "observe", "experiment"}
    same = [job.model_dump(exclude=of_the_kind) for job in (plain, whitened, restore)]
    assert same[0] == same[1] == same[2]


def test_the_study_of_noise_fits_what_the_command_restore_does() -> None:
    (study,) = jobs("denoisers_noise", "laptop", "image=coffee", "experiment.noise=white", "experiment.draw=0")
    (command,) = jobs("restore", "laptop")
    for part in ("loss", "stopping", "optimizer", "fit", "replicas", "architecture", "latent"):
        assert getattr(study, part) == getattr(command, part), part


@pytest.mark.parametrize(
    ("table", "folders", "count"),
    [
        ("table_denoising", ("cset9",), 9),
        ("table_inpainting", ("standard11",), 11),
        ("table_super_resolution", ("set5", "set14"), 19),
    ],
)
def test_a_table_is_of_all_pictures_of_its_sets(table: str, folders: tuple[str, ...], count: int) -> None:
    words = OmegaConf.load(conf_folder() / "experiment" / f"{table}.yaml")
    names = words.hydra.sweeper.params.image.split(",")
    assert sorted(names) == sorted(name for name in PICTURES if name.split("/")[0] in folders)
    assert len(names) == count


WIDE, FOUR, NONE = [128] * 5, [4] * 5, [0] * 5
SNAIL = ([8, 16, 32, 64, 128], [0, 0, 0, 4, 4])
BILINEAR, NEAREST, FINEST = ["bilinear"] * 5, ["nearest"] * 5, ["nearest"] * 2 + ["bilinear"] * 3
N32, N3, GRID, FLASH = ("noise", 32), ("noise", 3), ("meshgrid", 2), ("flash", 3)
X4, X8 = "experiment.setting=x4", "experiment.setting=x8"
AUTHORS: list[tuple[Any, ...]] = [
    # experiment and words, down = up and skip channels, upsample, z, sigma_p, rate, iterations, colours, parameters
    ("fig4", WIDE, FOUR, BILINEAR, N32, 1 / 30, 0.01, 3000, 3, 2217831),
    ("table_denoising image=cset9/f16 task/noise=noisy25", WIDE, FOUR, BILINEAR, N32, 1 / 30, 0.01, 1800, 3, 2217831),
    ("fig3", *SNAIL, BILINEAR, N3, 1 / 30, 0.01, 50000, 3, 572827),
    (f"fig5 {X4}", WIDE, FOUR, BILINEAR, N32, 0.03, 0.01, 2000, 3, 2217831),
    (f"fig5 {X8}", WIDE, FOUR, BILINEAR, N32, 0.05, 0.01, 4000, 3, 2217831),
    (f"table_super_resolution image=set5/baby {X4}", WIDE, FOUR, BILINEAR, N32, 0.03, 0.01, 2000, 3, 2217831),
    (f"table_super_resolution image=set14/face {X8}", WIDE, FOUR, BILINEAR, N32, 0.05, 0.01, 4000, 3, 2217831),
    ("fig6 optimizer.lr=0.01", WIDE, NONE, NEAREST, GRID, 0.03, 0.01, 5001, 3, 2157955),
    ("fig7_text", WIDE, WIDE, NEAREST, N32, 0.03, 0.01, 6001, 3, 3002627),
    ("fig7_missing", WIDE, FOUR, BILINEAR, N32, 0.03, 0.001, 11000, 1, 2217573),
    ("table_inpainting image=standard11/lena", WIDE, FOUR, BILINEAR, N32, 0.03, 0.001, 11000, 1, 2217573),
    ("fig10", WIDE, FOUR, FINEST, FLASH, 0, 0.1, 601, 3, 2184307),
    ("prior_effect architecture=skip regularizer=none", WIDE, FOUR, BILINEAR, N3, 1 / 30, 0.01, 2000, 3, 2184307),
]
"""PAPER, settings per task (the authors' code); Fig. 3 goes on to 50,000 iterations, the table stops at 1800."""


def each(value: Any) -> list[Any]:
    """One value per scale of the network."""
    return list(value) if isinstance(value, list) else [value] * 5


@pytest.mark.parametrize("row", AUTHORS, ids=lambda row: row[0])
def test_at_scale_paper_an_experiment_has_the_settings_and_the_parameters_of_the_authors(
    row: tuple[Any, ...],
) -> None:
    words, channels, skip, upsample, z, sigma_p, rate, iterations, colours, parameters = row
    experiment, *more = words.split()
    (job,) = jobs(experiment, "paper", *more)
    network: dict[str, Any] = dict(job.architecture.model_extra or {})
    assert (network["down"], network["up"], network["skip"]) == (channels, channels, skip)
    assert each(network["kernel_down"]) == each(network["kernel_up"]) == [3] * 5
    assert each(network["upsample"]) == upsample
    assert each(network["downsample"]) == ["stride"] * 5
    assert (network["up_1x1"], network["padding"]) == (True, "reflection")
    assert (job.latent.name, job.latent.channels) == z
    assert job.latent.scale == (0.1 if job.latent.name == "noise" else 1.0)
    assert job.latent.perturbation == pytest.approx(sigma_p, abs=1e-6)
    assert job.latent.optimise == "theta"
    assert (job.optimizer.name, job.optimizer.lr) == ("adam", rate)
    assert (job.regularizer.name, job.precision) == ("none", "float32")
    assert job.fit.iterations == iterations
    assert job.fit.average_decay == 0.99
    assert job.image.size is None
    assert (colours == 1) == job.image.name.startswith("standard11")
    built = network_builder(job, (1, colours, 64, 64))[0](1)
    assert sum(parameter.numel() for parameter in built.parameters()) == parameters


@pytest.mark.parametrize(
    ("words", "rate", "parameters"),
    [
        ("fig8 experiment.network=depth_6", 0.01, 2996467),
        ("fig8 experiment.network=depth_4", 0.01, 1060339),
        ("fig8 experiment.network=depth_2", 0.01, 59635),
        ("fig8_others architecture=unet", 0.001, 1616315),
        ("fig8_others architecture=resnet", 0.001, 158979),
        ("kate98", 0.01, 1027379),
    ],
)
def test_at_scale_paper_the_other_holes_have_the_settings_of_the_authors(
    words: str, rate: float, parameters: int
) -> None:
    experiment, *more = words.split()
    (job,) = jobs(experiment, "paper", *more)
    library = experiment != "kate98"
    hourglass = experiment == "fig8"
    assert (job.latent.name, job.latent.channels) == ("noise", 1 if library else 32)
    assert (job.latent.perturbation, job.fit.weight_noise) == (0, 1 / 50 if hourglass else 0)
    assert (job.optimizer.name, job.optimizer.lr, job.image.size) == ("adam", rate, None)
    assert job.fit.iterations == (3001 if library else 1000)
    built = network_builder(job, (1, 3, 448 if library else 512, 704 if library else 512))[0](1)
    assert sum(weights.numel() for weights in built.parameters()) == parameters


def test_figures_keep_the_images_of_the_papers_iterations() -> None:
    assert 2400 in jobs("fig3", "paper")[0].fit.keep
    assert 1800 in jobs("fig4", "paper")[0].fit.keep
    assert {job.optimizer.lr for job in jobs("fig6", "paper")} == {0.1, 0.01, 0.001}
