"""Data terms E(A f; y) that compare what the operator makes of the output with the measurement."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PrivateAttr
from torch import Tensor

from dip_experiments.noise import CorrelatedNoise, known_covariance, local_mean
from dip_experiments.noise.covariance import opponent_basis
from dip_experiments.noise.distributions import gamma_logits, gaussian_logits, poisson_logits
from dip_experiments.noise.estimation import LEAST, different, estimated_sigma
from dip_experiments.schema import Correlation, DefaultForHash, Growth, Part, Width
from dip_experiments.tensors import generator, half_spectrum, mean_power, mean_squared_error

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

    def for_measurement(self, measurement: Measured, complete: bool, growth: float = 1.0) -> DataTerm:
        """Return the loss as a function of the same arguments, for the fit of one measurement: itself, by default.

        Args:
            measurement: y, before a stopping rule changed it.
            complete: False where a mask or a stopping rule hides values.
            growth: Variance of the noise in what is fitted over that in `measurement`: above 1 if a rule adds noise.

        Raises:
            ValueError: Where the loss does not suit it.
        """
        return self

    def facts(self, measurement: Measured) -> Mapping[str, float | str]:
        """Return what it assumes of the measurement's noise, for the log and the summary."""
        return {}

    def fixed(self, measurement: Measured) -> "Loss":
        """Return the loss with the noise of this measurement for good: that of parts of it, too, such as tiles."""
        return self

    def refuse_holes(self, complete: bool) -> None:
        """Raise ValueError unless every value is measured."""
        if not complete:
            raise ValueError(
                f"loss={self.name}: it needs a measurement without holes, and here a mask or a stopping rule hides "
                "pixels; use loss=mse"
            )


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


class PreparedLoss(Loss):
    """A loss that is another function for each measurement: see `for_measurement`."""

    def __call__(self, fitted: Measured, measurement: Measured) -> PerReplica:
        return self.for_measurement(measurement, complete=True)(fitted, measurement)


class Whitened(PreparedLoss):
    """mean w |F U (A f - y)|^2: the residual in opponent planes U and frequencies F, by the power of the noise in them.

    Where the noise is Gaussian with covariance U^T F^* S F U that is its likelihood, with w = 1 / (S + floor max S),
    scaled to mean 1: see `noise.CorrelatedNoise`. For white noise it is the mean squared error. Where the noise grows
    with brightness the residual is multiplied first by 1 / sqrt(v(b) + floor max v), scaled to mean square 1: v is the
    noise's variance at the brightness b, that of y averaged over the pixels around.

    Attributes:
        width: Standard deviation in pixels of the Gaussian by which neighbours share the noise.
        correlation: Of the noise in any two channels.
        floor: So that frequencies and places with hardly any noise do not count without limit.
        growth: Variance at white less that at black, by that at mid-grey.

    What is None is estimated from the measurement.
    """

    name: Literal["whitened"]
    width: Width | None
    correlation: Correlation | None
    floor: Annotated[float, Field(gt=0, le=1)]
    growth: Annotated[Growth | None, DefaultForHash(0.0)] = 0.0
    _noise: CorrelatedNoise | None = PrivateAttr(default=None)

    def config_errors(self, task: str, noise_can_be_estimated: bool) -> Iterator[str]:
        if not noise_can_be_estimated and None in (self.width, self.correlation, self.growth):
            yield (
                f"loss=whitened with task={task}: its noise cannot be estimated; give loss.width in pixels, "
                "loss.correlation of two channels and loss.growth"
            )

    def for_measurement(self, measurement: Measured, complete: bool, growth: float = 1.0) -> DataTerm:
        self.refuse_holes(complete)
        noise = self._noise_of(measurement)
        rows, columns = measurement.shape[2:]
        variance = noise.relative(local_mean(measurement))
        precision = 1 / (variance + self.floor * variance.amax((1, 2, 3), keepdim=True))
        by_place = (precision / precision.mean((1, 2, 3), keepdim=True)).sqrt() if noise.growth else None
        weights = half_spectrum(noise.weights(rows, columns, self.floor)).to(measurement)
        basis = opponent_basis(len(weights)).to(measurement)

        def data_term(fitted: Measured, measurement: Measured) -> PerReplica:
            residual = fitted - measurement
            planes = torch.einsum("pc,rchw->rphw", basis, residual if by_place is None else by_place * residual)
            return mean_power(planes, weights)

        return data_term

    def fixed(self, measurement: Measured) -> "Whitened":
        found = self.model_copy()
        found._noise = self._noise_of(measurement)
        return found

    def _noise_of(self, measurement: Measured) -> CorrelatedNoise:
        """Return the noise of a measurement, up to its strength, or that of which this one is a part."""
        any_sigma = 1.0  # the weights do not depend on it
        return self._noise or known_covariance(measurement, any_sigma, self.width, self.correlation, self.growth)


class Fourier(PreparedLoss):
    """mean w(k) |F (A f - y)|^2 over frequencies k, w(k) = max(|k|, k_min)^-slope, scaled to mean 1.

    Attributes:
        slope: 0 is the loss of the deep spectral prior (Cheng et al., 2025, arXiv 2505.19873), which weights no
            frequency: by Parseval's theorem the mean squared error. Other weights are ours. Above 0 coarse structure
            is fitted before detail, in which noise is stronger than an image.

    |k| in cycles per pixel; k_min, one cycle over the longer side, is for the mean, whose own |k| is 0.
    """

    name: Literal["fourier"]
    slope: NonNegativeFloat

    def for_measurement(self, measurement: Measured, complete: bool, growth: float = 1.0) -> DataTerm:
        weights = half_spectrum(self.weights(*measurement.shape[2:])).to(measurement)

        def data_term(fitted: Measured, measurement: Measured) -> PerReplica:
            return mean_power(fitted - measurement, weights)

        return data_term

    def weights(self, rows: int, columns: int) -> Float[Tensor, "h w"]:
        """Return w(k), in float64."""
        down, across = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (rows, columns))
        frequency = torch.hypot(down[:, None], across).clamp_min(1 / max(rows, columns))
        weights = frequency**-self.slope
        return weights / weights.mean()


class DistributionalConsistency(PreparedLoss):
    """mean |t_(i) - u_i| with t = logit s, s = P(noisy value < y given A f), sorted, and u_i = logit((i - 1/2) / N).

    0 if the residual has the values of the noise, whichever pixel has which: it may become neither too large nor too
    small, as in an overfitted image (Webber & Reader, ICLR 2026, arXiv 2510.13972; Wasserstein-1 distance to the
    logistic law of t under the noise). Over all channels and pixels of a replica. For Gaussian noise s is
    Phi((y - A f) / sigma) and the logit is exact; the paper takes an asymptote where s is within 1e-4 of 0 or 1, up to
    0.06 nearer to 0, as is done here for the two others. Counts of photons have steps: s is at a place in its step that
    is drawn once (Dunn & Smyth 1996).

    Attributes:
        sigma: Standard deviation of Gaussian noise in grey levels of 255; None, as gain and looks: estimated from the
            measurement, the mean over replicas. Noise that a stopping rule adds to the measurement is added to it.
        gain: Of counted photons, y = gain k with k ~ Poisson(A f / gain), for an image in [0, 1]; None: not such noise.
        looks: Of speckle, y = A f s, s ~ Gamma with mean 1 and variance 1 / looks; None: not such noise.
    """

    name: Literal["distributional"]
    sigma: Annotated[float, Field(gt=0, le=255)] | None
    gain: Annotated[PositiveFloat | None, DefaultForHash(None)] = None
    looks: Annotated[PositiveFloat | None, DefaultForHash(None)] = None
    _fixed: float | None = PrivateAttr(default=None)

    def config_errors(self, task: str, noise_can_be_estimated: bool) -> Iterator[str]:
        given = [f"loss.{name}={value:g}" for name, value in self._levels.items() if value is not None]
        if len(given) > 1:
            yield f"{' '.join(given)}: they are of different noise; give one of them"
        if not noise_can_be_estimated and not given:
            yield (
                f"loss=distributional with task={task}: its noise cannot be estimated; give loss.sigma in grey levels "
                "of 255, loss.gain or loss.looks"
            )

    @property
    def _levels(self) -> dict[str, float | None]:
        return {"sigma": self.sigma, "gain": self.gain, "looks": self.looks}

    def facts(self, measurement: Measured) -> Mapping[str, float | str]:
        for name in ("gain", "looks"):
            if (value := self._levels[name]) is not None:
                return {name: value, f"{name}_from": "given"}
        return {"sigma": 255 * self._deviation(measurement), "sigma_from": "given" if self.sigma else "estimated"}

    def for_measurement(self, measurement: Measured, complete: bool, growth: float = 1.0) -> DataTerm:
        self.refuse_holes(complete)
        logits = self._logits(measurement, growth)
        count = measurement[0].numel()
        quantiles = torch.logit((torch.arange(count, dtype=torch.float64) + 0.5) / count).to(measurement)

        def data_term(fitted: Measured, measurement: Measured) -> PerReplica:
            return (logits(fitted, measurement).flatten(1).sort(1).values - quantiles).abs().mean(1)

        return data_term

    def _logits(self, measurement: Measured, growth: float) -> Callable[[Measured, Measured], Measured]:
        """Return t as a function of A f and of what is fitted, whose noise has `growth` times the variance."""
        if self.gain is not None:
            self._check_positive("gain", measurement)
            gain, place = self.gain * growth, torch.rand(1, *measurement.shape[1:], generator=generator(0, "steps"))
            return lambda fitted, y: poisson_logits(fitted / gain, y / gain, place.to(y))
        if self.looks is not None:
            self._check_positive("looks", measurement)
            looks = self.looks / growth
            return lambda fitted, y: gamma_logits(fitted, y, looks)
        sigma = self._deviation(measurement) * growth**0.5
        return lambda fitted, y: gaussian_logits((y - fitted) / sigma)

    def _check_positive(self, name: str, measurement: Measured) -> None:
        if measurement.min() < 0:
            raise ValueError(
                f"loss=distributional loss.{name}: the measurement has values below 0, which such noise never makes; "
                "give loss.sigma"
            )

    def fixed(self, measurement: Measured) -> "DistributionalConsistency":
        if self.gain is not None or self.looks is not None:
            return self
        found = self.model_copy()
        found._fixed = self._deviation(measurement)
        return found

    def _deviation(self, measurement: Measured) -> float:
        """Return sigma in units of the image."""
        if known := self._fixed or (self.sigma and self.sigma / 255):
            return known
        found = [estimated_sigma(image) for image in different(measurement)]
        sigma = sum(found) / len(found)
        if 255 * sigma < LEAST:
            raise ValueError(
                "loss=distributional: no noise is found in the measurement; give loss.sigma in grey levels of 255, or "
                "use loss=mse"
            )
        return sigma
