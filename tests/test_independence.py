"""What stands behind a table is counted as what is independent: a draw of noise that five pictures share is one."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from fake_runs import make_bare_run

from dip_experiments.analysis.artifact import sources
from dip_experiments.analysis.independence import Independent, count_independent, describe_independence
from dip_experiments.analysis.table import make_table
from dip_experiments.store import Run
from dip_experiments.tasks.noise import Gaussian, GreyGaussian
from dip_experiments.tensors import generator

GAUSSIAN = {"name": "denoising", "noise": {"name": "gaussian", "sigma": 25.0, "clip": False}}


def study(folder: Path, pictures: int = 1, first: int = 0, replicas: int = 8, **words: Any) -> list[Run]:
    """A run of each picture with as many seeds."""
    seeds, words = range(first, first + replicas), {"task": GAUSSIAN} | words
    names = [f"picture {n}" for n in range(pictures)]
    made = len(list(folder.glob("runs/*")))
    return [
        make_bare_run(folder, f"run{made + n}", seeds, image={"name": name, "path": None}, **words)
        for n, name in enumerate(names)
    ]


def test_a_draw_that_pictures_or_replicas_share_is_one(tmp_path: Path) -> None:
    shared, own = study(tmp_path, 5, shared=["task"]), study(tmp_path, 5, shared=[])
    assert count_independent(shared) == Independent(noise_draws=1, mask_draws=0, seeds=8, pictures=5)
    assert count_independent(own) == Independent(noise_draws=8, mask_draws=0, seeds=8, pictures=5)
    further = study(tmp_path, 1, 100, shared=["task"])
    assert count_independent([*shared, *further]) == Independent(2, 0, 16, 5)
    assert count_independent(study(tmp_path, 5, shared=["init", "latent", "perturbation"])).noise_draws == 8


def test_another_strength_or_law_of_the_same_seed_is_no_other_draw(tmp_path: Path) -> None:
    laws = [{"name": "gaussian", "sigma": 50.0, "clip": True}, {"name": "grey_gaussian", "sigma": 25.0}]
    runs = [run for law in laws for run in study(tmp_path, replicas=1, task={"name": "denoising", "noise": law})]
    assert count_independent([*study(tmp_path, replicas=1), *runs]).noise_draws == 1
    grey, colour = torch.full((1, 8, 16), 0.5), torch.full((3, 8, 16), 0.5)
    laws_of_one = Gaussian(name="gaussian", sigma=25.0, clip=False), GreyGaussian(name="grey_gaussian", sigma=25.0)
    noises = [law.apply(image, generator(0, "task"))[0] for law in laws_of_one for image in (grey, colour)]
    assert all(torch.equal(noise, noises[0]) for noise in noises)


def test_published_noise_is_a_draw_of_each_picture_and_a_random_target_one_of_each_seed(tmp_path: Path) -> None:
    published = study(tmp_path, 3, replicas=4, task={"name": "denoising", "noise": {"name": "noisy25"}})
    assert count_independent(published) == Independent(3, 0, 4, 3)
    targets = {
        name: study(tmp_path, 2, replicas=3, task={"name": "reconstruction"}, target={"name": name})
        for name in ("natural", "noisy", "noise")
    }
    assert [count_independent(runs).noise_draws for runs in targets.values()] == [0, 3, 3]
    assert count_independent([*targets["noisy"], *targets["noise"], *published]) == Independent(6, 0, 4, 3)


def test_tasks_without_noise_have_no_draws_but_of_a_random_mask(tmp_path: Path) -> None:
    masks = [{"name": "bernoulli", "missing": 0.5, "per": "pixel"}, {"name": "authors"}]
    drawn, read = ([*study(tmp_path, 2, replicas=2, task={"name": "inpainting", "mask": mask})] for mask in masks)
    enlarged = study(tmp_path, 1, replicas=1, task={"name": "super_resolution", "factor": 4})
    assert count_independent(drawn) == Independent(0, 2, 2, 2)
    assert count_independent(read) == Independent(0, 0, 2, 2)
    assert count_independent(enlarged) == Independent(0, 0, 1, 1)
    assert describe_independence(drawn) == "Behind it: no noise drawn, 2 independent mask draws, 2 seeds, 2 pictures."
    assert describe_independence(enlarged) == "Behind it: no noise drawn, 1 seed, 1 picture."


def test_seeds_that_failed_stand_behind_nothing(tmp_path: Path) -> None:
    run = make_bare_run(tmp_path, "a", range(3), failed=[0], task=GAUSSIAN)
    assert count_independent([run]) == Independent(2, 0, 2, 1)


def test_every_table_and_what_lies_next_to_it_say_what_stands_behind(tmp_path: Path) -> None:
    runs = study(tmp_path, 5, shared=["task"])
    page = make_table(pd.DataFrame({"a": ["1"]}), {"a": "a"}, runs, "Notes.", "")
    found = " ".join(str(page.shown).split())
    assert "Behind it: 1 independent noise draw, 8 seeds, 5 pictures. Some pictures share a noise draw." in found
    assert "share" not in describe_independence(runs[:1])
    assert sources(runs)["independent"] == {"noise_draws": 1, "mask_draws": 0, "seeds": 8, "pictures": 5}
    assert "Behind it" not in str(make_table(pd.DataFrame({"a": ["1"]}), {"a": "a"}, [], "Notes.", "").shown)
