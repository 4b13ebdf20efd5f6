"""The networks are the authors' networks, and replicas are independent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference_outputs import build_skip, load_by_role
from torch import nn

from dip_experiments.architectures import (
    DeepDecoder,
    FastSkip,
    Network,
    Pixels,
    ResNet,
    Siren,
    Skip,
    UNet,
    build_replicas,
    polyphase,
)
from dip_experiments.architectures.layers import (
    Gamma,
    Lanczos,
    centre,
    concatenated,
    doubling,
    norm,
    pooling,
    upsampled,
)

GOLDEN: dict[str, dict[str, Any]] = {
    "skip_bilinear_d3": {
        "input_channels": 8,
        "output_channels": 3,
        **{key: [6, 8, 8] for key in ("down", "up")},
        "skip": [2, 2, 2],
        **dict.fromkeys(("kernel_down", "kernel_up"), 3),
        "upsample": "bilinear",
        "downsample": "stride",
        "up_1x1": True,
        "padding": "reflection",
    },
    "skip_nearest_noskip_k5_no1x1": {
        "input_channels": 1,
        "output_channels": 3,
        **{key: [4, 8, 8, 8] for key in ("down", "up")},
        "skip": [0, 0, 0, 0],
        "kernel_down": 5,
        "kernel_up": 3,
        "upsample": "nearest",
        "downsample": "stride",
        "up_1x1": False,
        "padding": "reflection",
    },
}
BUILDERS: dict[str, Callable[[int], Network]] = {
    "skip": lambda r: Skip(2, 3, (16, 16), [4, 5], [5, 4], [3, 0], upsample=["bilinear", "nearest"], replicas=r),
    "pooled": lambda r: Skip(2, 3, (16, 16), [4, 4], [4, 4], [2, 2], downsample=["lanczos2", "average"], replicas=r),
    "group": lambda r: Skip(2, 3, (16, 16), [4, 8], [8, 6], [3, 0], norm="group", activation="gelu", replicas=r),
    "instance": lambda r: Skip(2, 3, (16, 16), [4, 5], [5, 4], [3, 0], norm="instance", upsample="learnt", replicas=r),
    "no norm": lambda r: FastSkip(2, 3, (16, 16), [4, 5], [5, 4], [3, 0], norm="none", activation="relu", replicas=r),
    "unet": lambda r: UNet(2, 3, (16, 16), [4, 4, 8], replicas=r),
    "resnet": lambda r: ResNet(2, 1, (16, 16), [4, 4], padding="zero", replicas=r),
    "deep_decoder": lambda r: DeepDecoder(2, 3, (16, 16), [6, 6, 5], replicas=r),
    "pixels": lambda r: Pixels(2, 3, (16, 16), replicas=r),
    "siren": lambda r: Siren(2, 3, (16, 16), [6, 5], replicas=r),
    "lowpass": lambda r: Skip(2, 3, (16, 16), [4, 5], [5, 4], [3, 0], upsample=["lowpass60", "lowpass20"], replicas=r),
}


@pytest.mark.parametrize("evaluation", [Skip, FastSkip])
@pytest.mark.parametrize("name", GOLDEN)
def test_outputs_and_gradients_are_those_of_the_authors_network(
    name: str, evaluation: type[Skip], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polyphase, "FEW_VALUES", 0)  # the golden maps are small
    arrays = np.load(shared / "golden" / f"{name}.npz")
    network = build_skip(evaluation, **GOLDEN[name])
    roles = load_by_role(network, arrays)
    output = network(torch.from_numpy(arrays["input"]))
    assert (output - torch.from_numpy(arrays["output"])).abs().max() < 1e-5
    output.square().mean().backward()
    expected = {role: float(arrays[f"grad_norm/{role}"]) for role in roles}
    # A bias before a norm has no gradient; what the files hold there is rounding, below 1e-6 of the largest.
    rounding = 1e-6 * max(expected.values())
    for role, parameter in roles.items():
        assert parameter.grad is not None
        assert parameter.grad.norm().item() == pytest.approx(expected[role], rel=1e-4, abs=rounding), role


@pytest.mark.parametrize("lobes", [2, 3])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_lanczos_downsampling_is_that_of_the_authors(lobes: int, factor: int, shared: Path) -> None:
    arrays = np.load(shared / "golden" / "downsampler.npz")
    ours = Lanczos(factor, lobes)(torch.from_numpy(arrays["x"]))
    assert np.abs(ours.numpy() - arrays[f"lanczos{lobes}_x{factor}"]).max() < 1e-5


def test_average_and_maximum_pooling_follow_a_convolution_at_stride_one() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert pooling("average")(x).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pooling("maximum")(x).flatten().tolist() == [5.0, 7.0, 13.0, 15.0]
    network = build_skip(**{**GOLDEN["skip_bilinear_d3"], "downsample": "avg"})
    assert network.get_submodule("scale0.down.conv").stride == (1, 1)


def test_a_concatenation_crops_to_the_centre_of_the_smaller_and_keeps_replicas_together() -> None:
    skip, deeper = torch.rand(1, 2 * 2, 5, 7), torch.rand(1, 3 * 2, 6, 8)
    joined = concatenated(skip, deeper, replicas=2)
    assert joined.shape == (1, 10, 5, 7)
    assert torch.equal(joined[:, 5:7], skip[:, 2:])
    assert torch.equal(joined[:, 7:], centre(deeper, 5, 7)[:, 3:])


def library(scales: int) -> Network:
    widths = [16, 32, 64, 128, 128, 128][:scales]
    return Skip(1, 3, (704, 448), widths, widths, [0] * scales, kernel_down=5, upsample="nearest", up_1x1=False)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (lambda: Skip(32, 3, (512, 512), [128] * 5, [128] * 5, [4] * 5), 2_217_831),
        (lambda: Skip(3, 3, (384, 256), [8, 16, 32, 64, 128], [8, 16, 32, 64, 128], [0, 0, 0, 4, 4]), 572_827),
        (lambda: Skip(32, 3, (512, 512), [128] * 5, [128] * 5, [128] * 5), 3_002_627),
        (lambda: Skip(2, 3, (320, 320), [128] * 5, [128] * 5, [0] * 5), 2_157_955),
        (lambda: library(6), 2_996_467),
        (lambda: library(4), 1_060_339),
        (lambda: library(2), 59_635),
        (lambda: UNet(1, 3, (704, 448), [8, 16, 32, 64, 128, 128]), 1_616_315),
        (lambda: ResNet(1, 3, (704, 448), [32] * 8), 158_979),
        (lambda: Skip(32, 1, (512, 512), [128] * 5, [128] * 5, [4] * 5), 2_217_573),
        (lambda: Skip(32, 3, (512, 512), [16, 32, 64, 128, 128], [16, 32, 64, 128, 128], [0] * 5), 1_027_379),
        (lambda: Skip(3, 3, (768, 704), [128] * 5, [128] * 5, [4] * 5), 2_184_307),
    ],
)
def test_parameter_counts_are_the_papers(network: Callable[[], Network], count: int) -> None:
    assert sum(parameter.numel() for parameter in network().parameters()) == count


@pytest.mark.parametrize("name", BUILDERS)
def test_a_replica_gives_the_output_and_gradient_of_the_single_network_with_its_seed(name: str) -> None:
    build, seeds = BUILDERS[name], [3, 4, 5]
    folded = build_replicas(build, seeds).double()
    latent = torch.rand(3, *folded.latent_shape, dtype=torch.float64)
    images = folded(latent)
    images.square().flatten(1).mean(1).sum().backward()
    for r, seed in enumerate(seeds):
        single = build_replicas(build, [seed]).double()
        image = single(latent[r : r + 1])
        torch.testing.assert_close(images[r : r + 1], image, rtol=1e-10, atol=1e-12)
        image.square().mean().backward()
        for (_, ours), (_, theirs) in zip(folded.named_parameters(), single.named_parameters(), strict=True):
            assert ours.grad is not None
            part = ours.grad.view(3, -1)[r]
            torch.testing.assert_close(part, theirs.grad.flatten(), rtol=1e-8, atol=1e-12)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", BUILDERS)
def test_every_architecture_maps_its_latent_to_images_in_the_unit_range(name: str) -> None:
    network = build_replicas(BUILDERS[name], [0])
    image = network(torch.rand(1, *network.latent_shape))
    assert image.shape[-2:] == (16, 16)
    assert 0 <= image.min() <= image.max() <= 1


SIZES: dict[str, Callable[[tuple[int, int]], Network]] = {
    "skip": lambda size: Skip(2, 3, size, [4] * 3, [4] * 3, [2] * 3),
    "unet": lambda size: UNet(2, 3, size, [4] * 4),
    "resnet": lambda size: ResNet(2, 3, size, [4, 4]),
    "deep_decoder": lambda size: DeepDecoder(2, 3, size, [4] * 4),
    "pixels": lambda size: Pixels(2, 3, size),
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("size", [(17, 30), (24, 25), (32, 16)])
def test_an_image_of_any_size_is_the_centre_of_what_the_padded_network_computes(
    name: str, size: tuple[int, int]
) -> None:
    small = build_replicas(lambda replicas: SIZES[name](size), [0])
    image = small(latent := torch.rand(1, *small.latent_shape))
    assert image.shape == (1, 3, *size)
    if name in ("resnet", "pixels"):
        assert small.latent_shape[1:] == size
        return
    law = (-(-size[0] // 8) * 8, -(-size[1] // 8) * 8)
    whole = build_replicas(lambda replicas: SIZES[name](law), [0])(latent)
    top, left = (law[0] - size[0]) // 2, (law[1] - size[1]) // 2
    assert torch.equal(image, whole[..., top : top + size[0], left : left + size[1]])


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "group"},
        {"norm": "none"},
        {"activation": "relu"},
        {"upsample": ["bilinear", "learnt"]},
        {"upsample": "bilinear_aligned"},
        {"upsample": ["lowpass100", "bilinear"]},
    ],
)
def test_what_the_paper_does_not_have_is_evaluated_as_it_is_defined(options: dict[str, Any]) -> None:
    network = build_replicas(lambda r: FastSkip(2, 3, (16, 16), [4, 5], [5, 4], [3, 2], **options, replicas=r), [0])
    latent = torch.rand(1, *network.latent_shape)
    assert torch.equal(network(latent), network.plain()(latent))


def test_norms_are_what_they_are_called() -> None:
    x = 3 + 2 * torch.rand(1, 12, 5, 7)
    batch, instance, group = (norm(6, 2, name)(x) for name in ("batch", "instance", "group"))  # two replicas
    torch.testing.assert_close(batch, instance)  # before the batch's scales are learnt
    assert norm(6, 2, "none")(x) is x
    groups = x.view(4, 3, 5, 7)  # gcd(6, 4) = 2 groups a replica, of three channels
    wanted = (groups - groups.mean((1, 2, 3), keepdim=True)) / (
        groups.var((1, 2, 3), False, keepdim=True) + 1e-5
    ).sqrt()
    torch.testing.assert_close(group, wanted.view_as(x))
    assert [sum(p.numel() for p in norm(6, 2, n).parameters()) for n in ("batch", "group", "instance")] == [24, 24, 0]


def test_upsampling_with_aligned_corners_keeps_the_corners_and_a_ramp() -> None:
    ramp = torch.arange(5.0).expand(1, 1, 4, 5)
    there = upsampled(ramp, "bilinear_aligned")
    torch.testing.assert_close(there[0, 0, 3], torch.linspace(0, 4, 10))
    assert not torch.allclose(upsampled(ramp, "bilinear")[0, 0, 3], there[0, 0, 3])


def test_upsampling_that_is_learnt_can_learn_to_be_bilinear() -> None:
    layer, x = doubling(2, 3), torch.rand(1, 6, 5, 7)
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    with torch.no_grad():
        layer.bias.zero_()  # type: ignore[union-attr]
        layer.weight.copy_((torch.eye(2)[:, :, None, None] * torch.outer(taps, taps)).repeat(3, 1, 1, 1))
    inside = slice(1, -1)  # beyond the border lie zeros
    torch.testing.assert_close(layer(x)[..., inside, inside], upsampled(x, "bilinear")[..., inside, inside])


def test_building_a_network_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    build_replicas(BUILDERS["skip"], [1, 2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_norm_uses_the_image_at_hand_also_in_eval_mode() -> None:
    network = build_replicas(BUILDERS["skip"], [0])
    latent = torch.rand(1, *network.latent_shape)
    assert torch.equal(network(latent), network.eval()(latent))
    assert not [name for name, _ in network.named_buffers() if "running" in name]


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda: Skip(2, 3, (32, 32), [4] * 5, [4] * 5, [4] * 5), "at least 64"),
        (lambda: Skip(2, 3, (23, 64), [4] * 3, [4] * 3, [4] * 3, kernel_up=[7, 7, 5]), "3 scales need at least 24"),
        (lambda: Skip(2, 3, (64, 64), [4] * 5, [4] * 4, [4] * 5), "one width per scale"),
        (lambda: Skip(2, 3, (64, 64), [4, -4], [4, 4], [4, 4]), "positive"),
        (lambda: Skip(2, 3, (64, 64), [4, 4], [4, 4], [4, 4], kernel_down=4), "odd"),
        (lambda: Skip(2, 3, (64, 64), [4, 4], [4, 4], [4, 4], kernel_up=[3]), "2 scales"),
        (lambda: UNet(2, 3, (24, 40), [4, 4, 4, 4, 4]), "24 x 40 pixels: 4 scales need at least 32"),
        (lambda: ResNet(2, 3, (16, 16), [4, 5]), "equal"),
        (lambda: Pixels(2, 3, (16, 16), replicas=0), "at least 1"),
        (lambda: Siren(2, 3, (16, 16), [8, 0]), "one positive width"),
        (lambda: Siren(2, 3, (16, 16), [8], omega_0=0.0), "a positive omega_0"),
    ],
)
def test_a_network_that_cannot_be_built_says_what_would_fit(build: Callable[[], nn.Module], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        build()


@pytest.mark.parametrize("evaluation", [Skip, FastSkip])
def test_norms_start_at_one_or_uniformly_and_replicas_as_their_single_networks(evaluation: type[Skip]) -> None:
    words: dict[str, Any] = {"down": [8, 8], "up": [8, 8], "skip": [4, 4]}

    def build(gamma: Gamma, seeds: list[int]) -> Network:
        return build_replicas(lambda r: evaluation(2, 3, (16, 16), **words, gamma=gamma, replicas=r), seeds)

    plain, old = build("ones", [0]), build("uniform", [0])
    for name, parameter in plain.named_parameters():
        if "norm.weight" in name:
            assert parameter.unique().item() == 1
        else:  # the same weights: what is drawn for the norms comes last
            assert torch.equal(parameter, old.get_parameter(name))
    gammas = torch.cat(
        [p.detach() for name, p in build("uniform", list(range(9))).named_parameters() if "norm.w" in name]
    )
    assert gammas.min() >= 0
    assert gammas.max() <= 1
    assert gammas.mean().item() == pytest.approx(0.5, abs=5 * (1 / 12 / len(gammas)) ** 0.5)
    both, z = build("uniform", [3, 4]), torch.rand(2, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(both(z)[1:], build("uniform", [4])(z[1:]))
    torch.testing.assert_close(both(z), both.plain()(z))
