"""Data terms E(A f; y) that compare what the operator makes of the output with the measurement."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor

from dip_experiments.noise import known_covariance
from dip_experiments.noise.covariance import opponent_basis
from dip_experiments.schema import Correlation, Part, Width
from dip_experiments.tensors import mean_squared_error

Measured = Float[Tensor, "r c hy wy"]
PerReplica = Float[Tensor, " r"]
DataTerm = Callable[[Measured, Measured], PerReplica]


class Loss(Part):
    """A data term: the mean of an error over all values of the measurement, one number for each replica.

    Subclass it for a loss of your own. Where a mask hides values, both arguments are 0.
    """

    kind: ClassVar[str] = "loss"

    def config_errors(self, task: str, noise_can_be_estimated: bool) -> Iterator[str]:
        """Yield a message for each reason why it does not suit the task of that name."""
        yield from ()

    @abstractmethod
    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        """Return the loss of each replica.

        Args:
            fitted: A f, the operator applied to the output.
            measurement: y.
        """

    def for_measurement(self, measurement: Measured, complete: bool) -> DataTerm:
        """Return the loss as a function of the same arguments, for the fit of one measurement: itself, by default.

        Args:
            measurement: y, before a stopping rule changed it.
            complete: False where a mask or a stopping rule hides values.

        Raises:
            ValueError: Where the loss does not suit it.
        """
        return self


class MeanSquaredError(Loss):
    """mean (A f - y)^2 (Ulyanov et al. 2018, Eq. 3)."""

    name: Literal["mse"]

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        return mean_squared_error(fitted, measurement)


MSE = MeanSquaredError(name="mse")


class L1(Loss):
    """mean |A f - y|: outliers such as salt and pepper count less."""

    name: Literal["l1"]

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        return (fitted - measurement).abs().flatten(1).mean(1)


class Huber(Loss):
    """d^2 / 2 where |d| = |A f - y| is at most `delta`, delta (|d| - delta / 2) elsewhere; the mean of it (Huber 1964).

    `delta`: in units of the image, whose range is 1.
    """

    name: Literal["huber"]
    delta: PositiveFloat

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        values: Tensor = F.huber_loss(fitted, measurement, reduction="none", delta=self.delta)
        return values.flatten(1).mean(1)


class Whitened(Loss):
    """mean w |F U (A f - y)|^2: the residual in opponent planes U and frequencies F, by the power of the noise in them.

    Where the noise is Gaussian with covariance U^T F^* S F U that is its likelihood, with w = 1 / (S + floor max S),
    scaled to mean 1: see `noise.CorrelatedNoise`. For white noise it is the mean squared error.

    Attributes:
        width: Standard deviation in pixels of the Gaussian by which neighbours share the noise.
        correlation: Of the noise in any two channels.
        floor: So that frequencies with hardly any noise do not count without limit.

    What is None is estimated from the measurement.
    """

    name: Literal["whitened"]
    width: Width | None
    correlation: Correlation | None
    floor: Annotated[float, Field(gt=0, le=1)]

    def config_errors(self, task: str, noise_can_be_estimated: bool) -> Iterator[str]:
        if not noise_can_be_estimated and (self.width is None or self.correlation is None):
            yield (
                f"loss=whitened with task={task}: its noise cannot be estimated; give loss.width in pixels and "
                "loss.correlation of two channels"
            )

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        return self.for_measurement(measurement, complete=True)(fitted, measurement)

    def for_measurement(self, measurement: Measured, complete: bool) -> DataTerm:
        if not complete:
            raise ValueError(
                "loss=whitened: it needs a measurement without holes, and here a mask or a stopping rule hides pixels; "
                "use loss=mse"
            )
        any_sigma = 1.0  # the weights do not depend on it
        noise = known_covariance(measurement, any_sigma, self.width, self.correlation)
        rows, columns = measurement.shape[2:]
        weights = noise.weights(rows, columns, self.floor)[..., : columns // 2 + 1]
        weights[..., 1 : (columns + 1) // 2] *= 2  # the frequencies that a real image has twice
        weights, basis = weights.to(measurement), opponent_basis(len(weights)).to(measurement)

        def data_term(fitted: Measured, measurement: Measured) -> PerReplica:
            planes = torch.einsum("pc,rchw->rphw", basis, fitted - measurement)
            spectrum = torch.fft.rfft2(planes, norm="ortho")
            power = spectrum.real.square() + spectrum.imag.square()
            return (weights * power).flatten(1).sum(1) / planes[0].numel()

        return data_term
