"""Embeddings of large networks in float64, by jax's own convolutions.

Their weights are too large to commit, so that both sides draw the same: tensor by tensor, in the
order of their names, from SplitMix64. The test is `backbones/embeddings_against_float64`.

    python3 backbones.py      # rewrites embeddings/
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

SIZES = (32, 47)
IMAGES = 2
IMAGE_SEED = 1_000
EPSILON = 1e-3
# Blocks, kernel, stride, expansion, channels (Tan and Le 2019, table 1; Lite scales neither).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def mixed(state):
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def noise(seed, count):
    """Uniform numbers in (-1, 1): those of the Rust tests for the same seed."""
    with np.errstate(over="ignore"):
        first = mixed(np.uint64(seed))
        steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        bits = mixed(first + steps)
    return (bits >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0


class Shapes(dict):
    """Name to shape of every tensor of a network."""

    def conv(self, name, out_channels, in_channels, kernel):
        self[f"{name}.weight"] = (out_channels, in_channels, kernel, kernel)

    def norm(self, name, channels):
        for vector in ("weight", "bias", "running_mean", "running_var"):
            self[f"{name}.{vector}"] = (channels,)


def blocks():
    """Each block's number, input channels, kernel, stride, expansion, output channels."""
    number, inputs = 0, 32
    for count, kernel, stride, expansion, channels in STAGES:
        for index in range(count):
            yield number, inputs, kernel, stride if index == 0 else 1, expansion, channels
            number, inputs = number + 1, channels


def lite0_shapes():
    shapes = Shapes()
    shapes.conv("_conv_stem", 32, 3, 3)
    shapes.norm("_bn0", 32)
    for number, inputs, kernel, _, expansion, channels in blocks():
        name, wide = f"_blocks.{number}", inputs * expansion
        if expansion != 1:
            shapes.conv(f"{name}._expand_conv", wide, inputs, 1)
            shapes.norm(f"{name}._bn0", wide)
        shapes.conv(f"{name}._depthwise_conv", wide, 1, kernel)
        shapes.norm(f"{name}._bn1", wide)
        shapes.conv(f"{name}._project_conv", channels, wide, 1)
        shapes.norm(f"{name}._bn2", channels)
    shapes.conv("_conv_head", 1280, 320, 1)
    shapes.norm("_bn1", 1280)
    return shapes


def draw(shapes):
    """The weights of a network: float32 numbers, as the Rust tests draw them."""
    weights = {}
    for seed, name in enumerate(sorted(shapes)):
        values = noise(seed, int(np.prod(shapes[name])))
        if len(shapes[name]) == 4:
            values = np.sqrt(6.0 / np.prod(shapes[name][1:])) * values
        elif name.endswith("running_var"):
            values = 1.0 + 0.5 * values
        elif name.endswith("weight"):
            values = 1.0 + 0.2 * values
        else:
            values = 0.2 * values
        weights[name] = values.astype(np.float32).astype(np.float64).reshape(shapes[name])
    return weights


def convolve(x, weight, stride=1):
    """TensorFlow's SAME padding; as many groups as the weight's inputs leave."""
    return jax.lax.conv_general_dilated(
        x,
        weight,
        window_strides=(stride, stride),
        padding="SAME",
        dimension_numbers=("NCHW", "OIHW", "NCHW"),
        feature_group_count=x.shape[1] // weight.shape[1],
        precision=jax.lax.Precision.HIGHEST,
    )


def normalise(weights, name, x):
    vector = {kind: weights[f"{name}.{kind}"].reshape(1, -1, 1, 1) for kind in NORM}
    normal = (x - vector["running_mean"]) / jnp.sqrt(vector["running_var"] + EPSILON)
    return normal * vector["weight"] + vector["bias"]


NORM = ("weight", "bias", "running_mean", "running_var")


def relu6(x):
    return jnp.clip(x, 0.0, 6.0)


def lite0(weights, images):
    """EfficientNet-Lite0: images [N, 3, H, W] to embeddings [N, 1280]."""
    x = relu6(normalise(weights, "_bn0", convolve(images, weights["_conv_stem.weight"], 2)))
    for number, inputs, _, stride, expansion, channels in blocks():
        name, before = f"_blocks.{number}", x
        if expansion != 1:
            x = convolve(x, weights[f"{name}._expand_conv.weight"])
            x = relu6(normalise(weights, f"{name}._bn0", x))
        x = convolve(x, weights[f"{name}._depthwise_conv.weight"], stride)
        x = relu6(normalise(weights, f"{name}._bn1", x))
        x = convolve(x, weights[f"{name}._project_conv.weight"])
        x = normalise(weights, f"{name}._bn2", x)
        if stride == 1 and inputs == channels:
            x = x + before
    x = relu6(normalise(weights, "_bn1", convolve(x, weights["_conv_head.weight"])))
    return jnp.mean(x, axis=(2, 3))


NETWORKS = {"efficientnet-lite0": (lite0_shapes, lite0)}


def main():
    folder = Path(__file__).parent / "embeddings"
    folder.mkdir(exist_ok=True)
    for name, (shapes, network) in NETWORKS.items():
        weights, answers = draw(shapes()), {}
        for size in SIZES:
            images = noise(IMAGE_SEED + size, IMAGES * 3 * size * size).reshape(IMAGES, 3, size, size)
            embeddings = network(weights, images)
            answers[str(size)] = np.asarray(embeddings, dtype=np.float32)
        save_file(answers, folder / f"{name}.safetensors")
        print(name, {size: float(np.abs(values).mean()) for size, values in answers.items()})


if __name__ == "__main__":
    main()
