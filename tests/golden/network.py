"""Conv-4 by jax's own convolution and pooling: images [N, C, H, W] to embeddings [N, d]."""

import jax
import jax.numpy as jnp

from case import BLOCKS

NORM_EPSILON = 1e-5


def parameter_shapes(case):
    """Name to shape of every trainable parameter, in the order of the network."""
    shapes = {}
    for block in range(BLOCKS):
        inputs = case.in_channels if block == 0 else case.channels
        shapes[f"blocks.{block}.conv.weight"] = (case.channels, inputs, 3, 3)
        shapes[f"blocks.{block}.conv.bias"] = (case.channels,)
        shapes[f"blocks.{block}.norm.weight"] = (case.channels,)
        shapes[f"blocks.{block}.norm.bias"] = (case.channels,)
    return shapes


def statistic_shapes(case):
    """Name to shape of what a frozen norm reads: no gradient, and unused by the other norms."""
    return {
        f"blocks.{block}.norm.{name}": (case.channels,)
        for block in range(BLOCKS)
        for name in ("running_mean", "running_var")
    }


def embedding_size(case):
    """d: channels times the pixels that four halvings leave, channel by channel."""
    return case.channels * (case.image_size >> BLOCKS) ** 2


def normalise(case, x, weight, bias, statistics, prefix):
    """The affine norm of x [images, channels, height, width]."""
    images, channels, height, width = x.shape
    if case.norm == "frozen":
        mean = statistics[f"{prefix}.running_mean"].reshape(1, channels, 1, 1)
        variance = statistics[f"{prefix}.running_var"].reshape(1, channels, 1, 1)
        normal = (x - mean) / jnp.sqrt(variance + NORM_EPSILON)
    elif case.norm == "batch":
        normal = standardise(x, axes=(0, 2, 3))
    else:
        grouped = x.reshape(images, case.groups, channels // case.groups, height, width)
        normal = standardise(grouped, axes=(2, 3, 4)).reshape(x.shape)
    return normal * weight.reshape(1, channels, 1, 1) + bias.reshape(1, channels, 1, 1)


def standardise(x, axes):
    mean = jnp.mean(x, axis=axes, keepdims=True)
    variance = jnp.mean((x - mean) ** 2, axis=axes, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + NORM_EPSILON)


def max_pool(x):
    window = (1, 1, 2, 2)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")


def convolve(x, weight, bias):
    """A 3 by 3 convolution that keeps the size."""
    x = jax.lax.conv_general_dilated(
        x,
        weight,
        window_strides=(1, 1),
        padding=((1, 1), (1, 1)),
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
        precision=jax.lax.Precision.HIGHEST,
    )
    return x + bias.reshape(1, -1, 1, 1)


def embed(case, parameters, statistics, images, trace=None):
    """Conv-4: images [N, C, H, W] to embeddings [N, d].

    `trace`, when given, collects each block's values before the ReLU.
    """
    x = images
    for block in range(BLOCKS):
        conv, norm = f"blocks.{block}.conv", f"blocks.{block}.norm"
        x = convolve(x, parameters[f"{conv}.weight"], parameters[f"{conv}.bias"])
        weight, bias = parameters[f"{norm}.weight"], parameters[f"{norm}.bias"]
        x = normalise(case, x, weight, bias, statistics, norm)
        if trace is not None:
            trace.append(x)
        x = max_pool(jax.nn.relu(x))
    return x.reshape(x.shape[0], -1)
