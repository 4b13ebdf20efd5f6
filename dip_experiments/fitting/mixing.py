"""The replicas' mean mixed with what another denoiser makes of the same measurements, by the weight a split chooses."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from dip_experiments.baselines import DENOISERS
from dip_experiments.stopping import Split, Watch


@dataclass(frozen=True)
class Mixture:
    """(1 - w) of the averages at the joint stop and w of the other denoiser's images, replica by replica.

    That denoiser sees what the replica saw and is told its standard deviation, the mean one where it varies.
    """

    rule: Split
    watch: Watch

    @cached_property
    def others(self) -> Float[Tensor, "r c h w"]:
        """What the other denoiser makes of each replica's part of the split."""
        evidence, denoise = self.watch.evidence, DENOISERS[str(self.rule.mix)]
        seen = (evidence["y"] + evidence["extra"]).cpu().double().numpy()
        sigma = 255 * float(evidence["noise"].mean() * (1 + self.rule.a**2)) ** 0.5
        return torch.stack([torch.from_numpy(denoise(image, sigma)) for image in seen]).to(self.watch.together)

    @cached_property
    def weight(self) -> float:
        """w."""
        return self.rule.weight(self.watch.together, self.others, self.watch.evidence)

    @cached_property
    def images(self) -> Float[Tensor, "r c h w"]:
        """The mixture of each replica."""
        return torch.lerp(self.watch.together, self.others, self.weight)

    @property
    def mean(self) -> Float[Tensor, "c h w"]:
        """Their mean, without replicas that failed."""
        return self.images.nanmean(0)

    @property
    def estimate(self) -> dict[str, float]:
        """Estimated mean squared error of the mean, with its standard error."""
        return self.rule.estimate(self.images, self.watch.evidence)


def mixture(watch: Watch) -> Mixture | None:
    """What is mixed at a rule's joint stop, if anything is."""
    rule = watch.rule
    if not isinstance(rule, Split) or rule.mix is None or watch.stops()[1].iteration is None:
        return None
    return Mixture(rule, watch)


def means_at_stop(watch: Watch, mixed: Mixture | None) -> dict[str, Float[Tensor, "c h w"]]:
    """What stands for all replicas at the joint stop, if there is one: their `mean`, and what is `mixed`."""
    if watch.stops()[1].iteration is None:
        return {}
    return {"mean": watch.mean, **({} if mixed is None else {"mixed": mixed.mean})}
