"""Norms that adapt to a task: a set encoder sees the support, small networks scale and shift.

z is the mean code of the support. For each norm of the network one small network gives the
change of its scale, one that of its shift: linear, layer norm, ReLU, linear, times a learned
size for each channel.
"""

import jax
import jax.numpy as jnp

import network
from case import BLOCKS

HIDDEN = 64


def norms():
    """The norms that are modulated, in the order of the network."""
    return [f"blocks.{block}.norm" for block in range(BLOCKS)]


def parameter_shapes(case):
    """Name to shape of every parameter that is trained."""
    film, rows = case.film, 2 * BLOCKS * HIDDEN
    shapes = {}
    for block in range(film.blocks):
        name = f"set_encoder.blocks.{block}"
        inputs = case.in_channels if block == 0 else film.channels
        shapes[f"{name}.conv.weight"] = (film.channels, inputs, 3, 3)
        for vector in ("conv.bias", "norm.weight", "norm.bias"):
            shapes[f"{name}.{vector}"] = (film.channels,)
    shapes["film.hidden.weight"] = (rows, film.channels)
    for vector in ("hidden.bias", "norm.weight", "norm.bias"):
        shapes[f"film.{vector}"] = (rows,)
    for norm in norms():
        for kind in ("gamma", "beta"):
            shapes[f"film.{norm}.{kind}.weight"] = (case.channels, HIDDEN)
            shapes[f"film.{norm}.{kind}.bias"] = (case.channels,)
            shapes[f"film.{norm}.{kind}.size"] = (case.channels,)
    return shapes


def codes(case, parameters, images, trace=None):
    """The set encoder: images [N, C, H, W] to codes [N, channels]."""
    groups, x = case.film.groups, images
    for block in range(case.film.blocks):
        name = f"set_encoder.blocks.{block}"
        x = network.convolve(x, parameters[f"{name}.conv.weight"], parameters[f"{name}.conv.bias"])
        count, channels, height, width = x.shape
        grouped = x.reshape(count, groups, channels // groups, height, width)
        x = network.standardise(grouped, axes=(2, 3, 4)).reshape(x.shape)
        scale, shift = parameters[f"{name}.norm.weight"], parameters[f"{name}.norm.bias"]
        x = x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)
        if trace is not None:
            trace.append(x)
        x = network.max_pool(jax.nn.relu(x))
    return jnp.mean(x, axis=(2, 3))


def hidden(parameters, z):
    """The hidden values of all small networks before the ReLU, [networks, HIDDEN]."""
    values = parameters["film.hidden.weight"] @ z + parameters["film.hidden.bias"]
    values = network.standardise(values.reshape(-1, HIDDEN), axes=(1,))
    scale, shift = parameters["film.norm.weight"], parameters["film.norm.bias"]
    return values * scale.reshape(-1, HIDDEN) + shift.reshape(-1, HIDDEN)


def modulate(parameters, base, z):
    """The network's parameters for a task: `base` with scaled and shifted norms."""
    rows = jax.nn.relu(hidden(parameters, z))
    modulated = dict(base)
    for index, norm in enumerate(norms()):

        def output(kind, row):
            name = f"film.{norm}.{kind}"
            value = parameters[f"{name}.weight"] @ row + parameters[f"{name}.bias"]
            return parameters[f"{name}.size"] * value

        gamma, beta = 1.0 + output("gamma", rows[2 * index]), output("beta", rows[2 * index + 1])
        modulated[f"{norm}.weight"] = gamma * base[f"{norm}.weight"]
        modulated[f"{norm}.bias"] = gamma * base[f"{norm}.bias"] + beta
    return modulated


def penalty(case, parameters):
    """The regulariser: the squared sizes of all changes, once for each task."""
    sizes = [value for name, value in parameters.items() if name.endswith(".size")]
    return case.film.regulariser * sum(jnp.sum(size**2) for size in sizes)
