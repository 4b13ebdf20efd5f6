"""Options that are composed once for all tests give them what Hydra composes."""

import re

import fast_composition
import pytest
from conftest import SMALL, thorough_after
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from dip_experiments.config.groups import conf_folder


@pytest.mark.parametrize(
    "overrides",
    thorough_after(
        2,
        [
            [],
            SMALL,
            [*SMALL, "task=denoising", "task.noise={name:gaussian,sigma:9,clip:true}", "stopping=split"],
            ["experiment=fig2", "seed=3", "paths.results='/tmp/a b'", "+fit.x=1", "~fit.keep", "hydra.job.name=x"],
            ["task=inpainting", "task/mask=text", "latent.jitter=1e-6", "image=file", "output=${image.name}.png"],
        ],
    ),
)
def test_options_composed_once_give_the_tests_what_hydra_composes(overrides: list[str]) -> None:
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        for _ in range(2):
            ours = fast_composition.compose("config", overrides, return_hydra_config=True)
            assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(compose("config", overrides, return_hydra_config=True))
            assert fast_composition.compose("config", overrides) == compose("config", overrides)


@pytest.mark.parametrize("override", ["fit.iteration=3", "x=1", "task=nope", "seed=1,2", "+seed=3", "~fit.x"])
def test_what_hydra_refuses_the_tests_refuse_likewise(override: str) -> None:
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        with pytest.raises(HydraException) as theirs:
            compose("config", [override])
        with pytest.raises(HydraException, match=re.escape(str(theirs.value))):
            fast_composition.compose("config", [override])
