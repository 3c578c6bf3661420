"""Gradients through the adaptation of large networks (MAML's) in float64, by PyTorch's own layers and
its differentiated backward passes.

Weights and gradients are too large to commit. Both sides draw the weights, tensor by tensor in the
order of their names, from SplitMix64; of the gradients there are, tensor by tensor, the norm and
the products with drawn directions. The tests are `hessian/maml_of_*`.

    python3 adapted.py      # rewrites adapted/
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

torch.set_default_dtype(torch.float64)

WAYS = 2
SUPPORT = 4
QUERIES = 3
INNER_STEPS = 2
TASK_SEED = 5
DIRECTION_SEED = 10_000
DIRECTIONS = 3
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


class Layers:
    """The layers of a network by name; without tensors it notes the shapes that they need."""

    def __init__(self, tensors=None):
        self.tensors, self.shapes = tensors, {}

    def tensor(self, name, *shape):
        if self.tensors is None:
            self.shapes[name] = shape
            return torch.zeros(shape)
        return self.tensors[name]

    def conv(self, name, x, channels, kernel, stride=1, padding="same", groups=1, bias=False):
        """Padding on all sides, or TensorFlow's: where it is odd, one more zero follows than precedes."""
        weight = self.tensor(f"{name}.weight", channels, x.shape[1] // groups, kernel, kernel)
        shift = self.tensor(f"{name}.bias", channels) if bias else None
        if padding == "same":
            zeros = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:]]
            x = F.pad(x, [side for count in reversed(zeros) for side in (count // 2, count - count // 2)])
            padding = 0
        return F.conv2d(x, weight, shift, stride, padding, 1, groups)

    def norm(self, name, x, epsilon=1e-5, groups=None):
        kinds = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self.tensor(f"{name}.{kind}", x.shape[1]) for kind in kinds)
        if groups:
            return F.group_norm(x, groups, weight, bias, epsilon)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, epsilon)


def efficientnet(layers, x, active, excited):
    x = active(layers.norm("_bn0", layers.conv("_conv_stem", x, 32, 3, 2), 1e-3))
    number = 0
    for blocks, kernel, first_stride, expansion, channels in STAGES:
        for block in range(blocks):
            name, before, stride = f"_blocks.{number}", x, first_stride if block == 0 else 1
            wide = x.shape[1] * expansion
            if expansion != 1:
                x = active(layers.norm(f"{name}._bn0", layers.conv(f"{name}._expand_conv", x, wide, 1), 1e-3))
            x = layers.conv(f"{name}._depthwise_conv", x, wide, kernel, stride, groups=wide)
            x = active(layers.norm(f"{name}._bn1", x, 1e-3))
            if excited:
                gates = x.mean((2, 3), keepdim=True)
                gates = F.silu(layers.conv(f"{name}._se_reduce", gates, before.shape[1] // 4, 1, bias=True))
                x = x * torch.sigmoid(layers.conv(f"{name}._se_expand", gates, wide, 1, bias=True))
            x = layers.norm(f"{name}._bn2", layers.conv(f"{name}._project_conv", x, channels, 1), 1e-3)
            if x.shape == before.shape:
                x = x + before
            number += 1
    x = active(layers.norm("_bn1", layers.conv("_conv_head", x, 1280, 1), 1e-3))
    return x.mean((2, 3))


def resnet12(layers, x):
    """Group norm of four groups."""
    # Float32's number.
    leak = float(np.float32(0.1))

    def layer(name, norm, x, channels, kernel):
        return layers.norm(norm, layers.conv(name, x, channels, kernel, 1, kernel // 2), groups=4)

    for number, channels in enumerate((64, 160, 320, 640), 1):
        name, before = f"layer{number}.0", x
        for part in (1, 2, 3):
            x = layer(f"{name}.conv{part}", f"{name}.bn{part}", x, channels, 3)
            x = F.leaky_relu(x, leak) if part < 3 else x
        x = x + layer(f"{name}.downsample.0", f"{name}.downsample.1", before, channels, 1)
        x = F.max_pool2d(F.leaky_relu(x, leak), 2)
    return x.mean((2, 3))


def resnet18(layers, x):
    def layer(name, norm, x, channels, kernel, stride):
        return layers.norm(norm, layers.conv(name, x, channels, kernel, stride, kernel // 2))

    x = F.max_pool2d(F.relu(layer("conv1", "bn1", x, 64, 7, 2)), 3, 2, 1)
    for number, channels in enumerate((64, 128, 256, 512), 1):
        for block in (0, 1):
            name, before, stride = f"layer{number}.{block}", x, 2 if number > 1 and block == 0 else 1
            x = F.relu(layer(f"{name}.conv1", f"{name}.bn1", x, channels, 3, stride))
            x = layer(f"{name}.conv2", f"{name}.bn2", x, channels, 3, 1)
            if x.shape != before.shape:
                before = layer(f"{name}.downsample.0", f"{name}.downsample.1", before, channels, 1, stride)
            x = F.relu(x + before)
    return x.mean((2, 3))


# The network, its smallest images, the centre of the drawn variances (with 1, SiLU and the gates of B0
# leave next to nothing of the images), and the rate of the inner steps.
NETWORKS = {
    "efficientnet-lite0": (lambda layers, x: efficientnet(layers, x, F.relu6, False), 32, 1.0, 0.001),
    "efficientnet-b0": (lambda layers, x: efficientnet(layers, x, F.silu, True), 32, 0.8, 0.1),
    "resnet-12": (resnet12, 16, 1.0, 0.01),
    "resnet-18": (resnet18, 32, 1.0, 0.001),
}


def logits(network, tensors, images):
    layers = Layers(tensors)
    embeddings = network(layers, images)
    weight = layers.tensor("classifier.weight", WAYS, embeddings.shape[1])
    return embeddings @ weight.T + layers.tensor("classifier.bias", WAYS), layers.shapes


def draw(shapes, variance):
    """Float32 numbers, as the Rust tests draw them."""
    tensors = {}
    for seed, name in enumerate(sorted(shapes)):
        values = noise(seed, int(np.prod(shapes[name])))
        if len(shapes[name]) > 1:
            values = np.sqrt(6.0 / np.prod(shapes[name][1:])) * values
        elif name.endswith("running_var"):
            values = variance + 0.5 * variance * values
        elif name.endswith("weight"):
            values = 1.0 + 0.2 * values
        else:
            values = 0.2 * values
        tensors[name] = torch.tensor(values.astype(np.float32).astype(np.float64).reshape(shapes[name]))
    return tensors


def answer(network, size, variance, rate):
    """The query loss after steps on the support, its exact gradient by the start, and the share of it
    that first order leaves out."""
    count = SUPPORT + QUERIES
    images = torch.tensor(noise(TASK_SEED, count * 3 * size * size).reshape(count, 3, size, size))
    labels = torch.tensor([index % WAYS for index in (*range(SUPPORT), *range(QUERIES))])
    shapes = logits(network, None, images[:1])[1]
    tensors = draw(shapes, variance)
    names = sorted(name for name in tensors if "running" not in name)

    def loss(w, part):
        return F.cross_entropy(logits(network, tensors | dict(zip(names, w)), images[part])[0], labels[part])

    start = [tensors[name].requires_grad_() for name in names]
    w = start
    for _ in range(INNER_STEPS):
        slope = torch.autograd.grad(loss(w, slice(0, SUPPORT)), w, create_graph=True)
        w = [at - float(np.float32(rate)) * slope for at, slope in zip(w, slope)]
    value = loss(w, slice(SUPPORT, None))
    exact = torch.autograd.grad(value, start, retain_graph=True)
    first_order = torch.autograd.grad(value, w)
    norm = sum((a**2).sum() for a in exact) ** 0.5
    share = sum(((a - b) ** 2).sum() for a, b in zip(exact, first_order)) ** 0.5 / norm
    return float(value), [gradient.numpy().ravel() for gradient in exact], float(share)


def main():
    folder = Path(__file__).parent / "adapted"
    folder.mkdir(exist_ok=True)
    for name, settings in NETWORKS.items():
        loss, gradient, share = answer(*settings)
        sums = np.zeros((len(gradient), 1 + DIRECTIONS), dtype=np.float32)
        for row, values in enumerate(gradient):
            seeds = range(DIRECTION_SEED + DIRECTIONS * row, DIRECTION_SEED + DIRECTIONS * (row + 1))
            sums[row] = [np.linalg.norm(values), *(values @ noise(seed, values.size) for seed in seeds)]
        save_file({"loss": np.array([loss], dtype=np.float32), "sums": sums}, folder / f"{name}.safetensors")
        print(f"{name}: loss {loss:.4f}, norms {sums[:, 0].min():.1e} to {sums[:, 0].max():.1e}, Hessians {share:.2f}")
        assert share > 0.05, "too little to be seen"


if __name__ == "__main__":
    main()
