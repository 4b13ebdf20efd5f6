"""The denoisers that `dip restore` mixes in, alone: its result without a network."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.fitting.ensemble import filters_alone
from dip_experiments.stopping import Split


def restore_filters(noisy: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the mixture of the denoisers of `experiment=restore`, whose law of noise estimates all of it.

    Args:
        noisy: Image "c h w" in [0, 1].
        seed: Of the noise that is added to choose how much of each denoiser is taken.
    """
    settings = read_settings(compose_jobs(["experiment=restore", "image=astronaut"], multirun=False)[0])
    return filters_alone(noisy, cast(Split, settings.stopping), seed)
