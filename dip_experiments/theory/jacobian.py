"""The Jacobian J of a network's images in its parameters, in products: never as a matrix."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call, vjp

from dip_experiments.architectures import ModuleNetwork, Network
from dip_experiments.tensors import generator

Parameters = dict[str, Tensor]


def trainable(network: Network) -> Parameters:
    """Return the parameters that a fit changes, by name, detached."""
    return {name: value.detach() for name, value in network.named_parameters() if value.requires_grad}


def evaluation(network: Network, z: Float[Tensor, "r cz hz wz"]) -> Callable[[Parameters], Tensor]:
    """Return theta -> f_theta(z) of the network's definition; a call leaves its buffers as they are."""
    plain = network.plain()

    def evaluate(parameters: Parameters) -> Tensor:
        buffers = {name: value.clone() for name, value in plain.named_buffers()}
        return functional_call(plain, {**buffers, **parameters}, (z,))

    return evaluate


def jacobian_product(
    network: Network, z: Float[Tensor, "r cz hz wz"], direction: Mapping[str, Tensor]
) -> Float[Tensor, "r c h w"]:
    """Return J v, the derivative of the images along a direction of the parameters.

    As the derivative of u -> J^T u, which is linear: PyTorch's forward mode loads code that it warns of as deprecated.

    Args:
        network: Evaluated by its definition, in the mode in which it is.
        z: A latent for each replica.
        direction: v, a tensor for each trainable parameter, by name.

    Raises:
        ValueError: If `direction` has other names than the trainable parameters.
    """
    parameters = trainable(network)
    if direction.keys() != parameters.keys():
        raise ValueError(
            f"direction has {sorted(direction)}, the trainable parameters are {sorted(parameters)}: "
            "give one tensor for each of them"
        )
    image, pull_back = vjp(evaluation(network, z), parameters)[:2]
    transposed = vjp(lambda u: pull_back(u)[0], torch.zeros_like(image))[1]
    product: Tensor = transposed({name: direction[name] for name in parameters})[0]
    return product


def transposed_product(network: Network, z: Float[Tensor, "r cz hz wz"], image: Float[Tensor, "r c h w"]) -> Parameters:
    """Return J^T u, the gradient of <f_theta(z), u> in each trainable parameter, by name.

    Args:
        network: Evaluated by its definition, in the mode in which it is.
        z: A latent for each replica.
        image: u, of the shape of the network's images.
    """
    gradient: Parameters = vjp(evaluation(network, z), trainable(network))[1](image)[0]
    return gradient


def gradient_norms(
    network: Network, z: Float[Tensor, "r cz hz wz"], image: Float[Tensor, "r c h w"]
) -> Float[Tensor, " r"]:
    """Return the norm of grad_theta <f_theta(z_r), v_r> over the convolutions' weights, for each replica r.

    How far a first step of gradient descent can move the image towards v (Heckel & Soltanolkotabi, ICLR 2020, Fig. 12).
    The weights are the parameters of four dimensions; of `Pixels`, whose image is its parameter, it is |v_r|. One
    backward pass through the network as it is evaluated in a fit.

    Args:
        network: R replicas.
        z: A latent for each replica.
        image: v, an image for each replica.
    """
    weights = {name: value for name, value in network.named_parameters() if value.ndim == 4 and value.requires_grad}
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    with torch.enable_grad():
        product = (functional_call(network, buffers, (z,)) * image).sum()
        gradients = torch.autograd.grad(product, list(weights.values()), allow_unused=True, materialize_grads=True)
    squares = image.new_zeros(network.replicas)
    for name, gradient in zip(weights, gradients, strict=True):
        if isinstance(network, ModuleNetwork):  # whose replicas are modules: members.<replica>.<name>
            squares[int(name.split(".")[1])] += gradient.square().sum()
        else:
            squares += gradient.unflatten(0, (network.replicas, -1)).flatten(1).square().sum(1)
    return squares.sqrt()


def noise_like(
    image: Float[Tensor, "r c h w"], seeds: Sequence[int], centred: bool = False
) -> Float[Tensor, "r c h w"]:
    """Return U(0, 1) noise with the norm of each replica's image (Heckel & Soltanolkotabi, ICLR 2020, Fig. 12).

    Args:
        image: Its shape, type and norms are those of the noise.
        seeds: One for each replica.
        centred: The noise is less its mean.
    """
    draws = [generator(seed, "theory/noise") for seed in seeds]
    noise = torch.stack([torch.rand(image.shape[1:], generator=draw, dtype=torch.float64) for draw in draws])
    noise = (less_mean(noise) if centred else noise).to(image)
    norms, wanted = (torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True) for x in (noise, image))
    return noise * (wanted / norms)


def less_mean(image: Float[Tensor, "r c h w"]) -> Float[Tensor, "r c h w"]:
    """Return images less the mean of each."""
    return image - image.mean((1, 2, 3), keepdim=True)
