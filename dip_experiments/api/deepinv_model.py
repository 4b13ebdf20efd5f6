"""Deep Image Prior as a reconstruction model of deepinv, which itself is not imported."""

import inspect
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dip_experiments.api.reconstruct import reconstruct
from dip_experiments.operators import as_operator, measure


class DeepinvModel(nn.Module):
    """A model of the form that deepinv calls, `x_hat = model(y, physics)`, which fits a network to each measurement.

        model = DeepinvModel(stopping="split", settings={"stopping.law.sigma": 25.5}, replicas=2)
        deepinv.test(model, loader, physics)

    It has no weights: nothing is trained in advance. Image i of a batch has the seeds `seed + i * replicas` and
    following, so that no two images of a batch share a seed, and a batch is fitted again alike.

    Args:
        options: Keyword arguments of `dip_experiments.reconstruct`. By default `device` is that of the measurement,
            and no progress is shown.

    Raises:
        TypeError: For an option that `reconstruct` does not have.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        inspect.signature(reconstruct).bind(None, None, **options)
        self.options = options

    def forward(self, y: Any, physics: Any, **ignored: Any) -> Float[Tensor, "n c h w"]:
        """Return the reconstructions, on the device and in the type of the measurements, without gradient.

        Args:
            y: Measurements (n, channels, rows, columns) of n images through the same operator; complex ones as two
                real channels.
            physics: A deepinv physics, of which a copy is used without its noise, or any operator of `reconstruct`.
            ignored: What deepinv passes besides, such as `x_net`.

        Raises:
            ValueError: For measurements that are not one real tensor of that form, for a physics with parameters for
                each image of the batch, and as `reconstruct`.
        """
        if not isinstance(y, Tensor) or y.ndim != 4 or not y.is_floating_point():
            given = f"of shape {tuple(y.shape)}, {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
            raise ValueError(f"measurements {given}; give one tensor (n, c, h, w) of real floats")
        if len(y) > 1:
            self._check_shared(y, physics)
        options: dict[str, Any] = {"device": str(y.device), "progress": False, "seed": 0, "replicas": 1} | self.options
        seed, replicas = options["seed"], options["replicas"]
        with torch.inference_mode(False), torch.enable_grad():  # deepinv tests models without gradients
            images = [
                reconstruct(measurement, physics, **{**options, "seed": seed + index * replicas}).image
                for index, measurement in enumerate(y.detach().cpu().double())
            ]
        return torch.from_numpy(np.stack(images)).to(y)

    def _check_shared(self, y: Float[Tensor, "n cy hy wy"], physics: Any) -> None:
        """Raise ValueError for a physics with parameters for each image, which replicas of one image would share."""
        channels, rows, columns = y.shape[1:]
        operator = as_operator(physics, self.options.get("image_shape"))
        measure(operator, torch.zeros(1, *operator.image_shape((channels, rows, columns))).to(y))
