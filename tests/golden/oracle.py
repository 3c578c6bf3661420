"""One task's loss and meta-gradient in float64, by automatic differentiation.

This is the independent answer that `inkling grad` is compared with. It follows the method's
text alone and shares nothing with the Rust and WGSL code: the convolution, the norms and the
pooling come from jax, every derivative from its reverse mode. Speed and memory do not matter
here, so every estimator is one forward pass over the whole task.

    python3 oracle.py --case case.toml --weights w.safetensors --episode e.safetensors \\
        --out g.safetensors
"""

import argparse
import dataclasses
import sys
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file, save_file

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

# A case runs once, so compiling it is what takes the time; the values are the same to rounding.
QUICK_COMPILE = {"xla_backend_optimization_level": 0}

BLOCKS = 4
NORM_EPSILON = 1e-5
# Conv-4 halves the image four times, so a smaller one leaves no pixel.
MIN_IMAGE_SIZE = 2**BLOCKS

KNOWN_KEYS = {
    "model": {"backbone", "channels", "norm", "image_size", "in_channels", "groups"},
    "head": {"kind", "metric", "scale"},
    "gradient": {"estimator", "h", "chunk", "subset", "support_subset", "seed"},
}


class CaseError(ValueError):
    """A case, a weight file or an episode that the oracle cannot answer."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A validated `case.toml`."""

    channels: int
    norm: str
    groups: int
    image_size: int
    in_channels: int
    metric: str
    scale: float
    estimator: str
    h: int | None
    support_subset: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class Episode:
    """A task: images [N, C, H, W] as given, labels [N] counted from zero."""

    support_images: np.ndarray
    support_labels: np.ndarray
    query_images: np.ndarray
    query_labels: np.ndarray

    @property
    def ways(self):
        return int(self.support_labels.max()) + 1


def require(condition, message):
    if not condition:
        raise CaseError(message)


def one_of(value, allowed, key):
    require(value in allowed, f"{key} = {value!r}: expected one of {', '.join(allowed)}")
    return value


def parse_case(text):
    """Reads a case; anything it does not know is an error, so that no key is silently ignored."""
    table = tomllib.loads(text)
    for section, keys in table.items():
        require(section in KNOWN_KEYS, f"unknown section [{section}]")
        unknown = set(keys) - KNOWN_KEYS[section]
        require(not unknown, f"unknown keys in [{section}]: {sorted(unknown)}")
    model, head, gradient = (table.get(name, {}) for name in ("model", "head", "gradient"))
    one_of(model.get("backbone"), ("conv4",), "model.backbone")
    one_of(head.get("kind"), ("prototypes",), "head.kind")
    norm = one_of(model.get("norm"), ("frozen", "batch", "group"), "model.norm")
    metric = one_of(head.get("metric", "euclidean"), ("euclidean", "cosine"), "head.metric")
    estimators = ("full", "chunked", "lite", "subsampled")
    estimator = one_of(gradient.get("estimator"), estimators, "gradient.estimator")

    channels, image_size = model["channels"], model["image_size"]
    require(image_size >= MIN_IMAGE_SIZE, f"model.image_size must be at least {MIN_IMAGE_SIZE}")
    groups = model.get("groups", 0)
    if norm == "group":
        require(groups > 0 and channels % groups == 0, "model.groups must divide model.channels")
    if metric == "cosine":
        require("scale" in head, 'head.metric = "cosine" needs head.scale')
    if norm == "batch":
        # Batch statistics couple the images, so the split into per-image parts does not hold.
        coupled = estimator in ("chunked", "lite")
        require(not coupled, f'model.norm = "batch" does not go with the estimator {estimator}')
    subset = gradient.get("support_subset")
    return Case(
        channels=channels,
        norm=norm,
        groups=groups,
        image_size=image_size,
        in_channels=model["in_channels"],
        metric=metric,
        scale=float(head.get("scale", 1.0)),
        estimator=estimator,
        h=gradient.get("h"),
        support_subset=None if subset is None else tuple(subset),
    )


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


def select(tensors, shapes):
    for name, shape in shapes.items():
        require(name in tensors, f"the weights lack {name}")
        found = tensors[name].shape
        require(found == shape, f"{name} has shape {found}, expected {shape}")
    return {name: tensors[name] for name in shapes}


def check_episode(case, episode):
    image = (case.in_channels, case.image_size, case.image_size)
    for role in ("support", "query"):
        images = getattr(episode, f"{role}_images")
        labels = getattr(episode, f"{role}_labels")
        require(images.shape[1:] == image, f"{role}_images are {images.shape[1:]}, not {image}")
        require(labels.shape == images.shape[:1], f"{role}_labels: one per image is needed")
        require(len(labels) > 0, f"there is no {role} image")
        require(labels.min() >= 0 and labels.max() < episode.ways, f"{role}_labels out of range")
    require(np.bincount(episode.support_labels).min() > 0, "a class has no support image")


def support_rows(case, episode):
    """The subset of support rows, or None where the estimator is exact."""
    support = len(episode.support_labels)
    if case.estimator in ("full", "chunked"):
        return None
    if case.support_subset is None:
        exact = case.h is not None and case.h >= support
        require(exact, "a random draw is not comparable: give gradient.support_subset")
        return None
    rows = np.array(case.support_subset, dtype=np.int64)
    require(len(set(case.support_subset)) == len(rows), "support_subset repeats an index")
    require(np.all((rows >= 0) & (rows < support)), "support_subset has an index out of range")
    if case.estimator == "subsampled":
        present = np.unique(episode.support_labels[rows])
        require(len(present) == episode.ways, "support_subset leaves a class without an image")
    return rows


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


def embed(case, parameters, statistics, images, trace=None):
    """Conv-4: images [N, C, H, W] to embeddings [N, d].

    `trace`, when given, collects each block's values before the ReLU.
    """
    x = images
    for block in range(BLOCKS):
        conv, norm = f"blocks.{block}.conv", f"blocks.{block}.norm"
        x = jax.lax.conv_general_dilated(
            x,
            parameters[f"{conv}.weight"],
            window_strides=(1, 1),
            padding=((1, 1), (1, 1)),
            dimension_numbers=("NCHW", "OIHW", "NCHW"),
            precision=jax.lax.Precision.HIGHEST,
        )
        x = x + parameters[f"{conv}.bias"].reshape(1, -1, 1, 1)
        weight, bias = parameters[f"{norm}.weight"], parameters[f"{norm}.bias"]
        x = normalise(case, x, weight, bias, statistics, norm)
        if trace is not None:
            trace.append(x)
        x = max_pool(jax.nn.relu(x))
    return x.reshape(x.shape[0], -1)


def head_logits(metric, scale, support, labels, ways, query):
    """Logits [M, ways] of query embeddings [M, d] against the class means of the support."""
    members = jax.nn.one_hot(labels, ways, dtype=support.dtype)  # [N, ways]
    prototypes = (members.T @ support) / jnp.sum(members, axis=0)[:, None]
    if metric == "euclidean":
        return -jnp.sum((query[:, None, :] - prototypes[None, :, :]) ** 2, axis=-1)

    def unit(rows):
        return rows / jnp.sqrt(jnp.sum(rows**2, axis=-1, keepdims=True))

    return scale * (unit(query) @ unit(prototypes).T)


def mean_cross_entropy(logits, labels):
    log_probability = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.mean(jnp.take_along_axis(log_probability, labels[:, None], axis=-1))


def attach(embeddings, constant, rows):
    """The support embeddings as `lite` differentiates them; their values do not change.

    Rows outside the subset are constants; those inside carry N/H times their derivative.
    `constant` holds the same values without a derivative.
    """
    support = embeddings.shape[0]
    factor = np.zeros((support, 1), dtype=embeddings.dtype)
    if len(rows) > 0:
        factor[rows] = support / len(rows)
    return constant + factor * (embeddings - constant)


def task_loss(case, parameters, scale, statistics, episode, rows):
    """The task's loss, whose derivative is the estimator's expected answer."""
    support_images, labels = episode.support_images, episode.support_labels
    if case.estimator == "subsampled" and rows is not None:
        support_images, labels = support_images[rows], labels[rows]
    support = embed(case, parameters, statistics, support_images)
    if case.estimator == "lite" and rows is not None:
        support = attach(support, jax.lax.stop_gradient(support), rows)
    query = embed(case, parameters, statistics, episode.query_images)
    logits = head_logits(case.metric, scale, support, labels, episode.ways, query)
    return mean_cross_entropy(logits, episode.query_labels)


def prepare(case, weights, episode, dtype):
    """Checks the inputs and casts them: (parameters, statistics, episode, rows)."""
    check_episode(case, episode)
    parameters = select(weights, parameter_shapes(case))
    statistics = select(weights, statistic_shapes(case)) if case.norm == "frozen" else {}
    known = parameter_shapes(case) | statistic_shapes(case)
    extra = sorted(set(weights) - set(known))
    require(not extra, f"the weights hold tensors that Conv-4 does not: {extra}")

    def cast(tensors):
        return {name: jnp.asarray(value, dtype=dtype) for name, value in tensors.items()}

    task = Episode(
        jnp.asarray(episode.support_images, dtype=dtype),
        np.asarray(episode.support_labels),
        jnp.asarray(episode.query_images, dtype=dtype),
        np.asarray(episode.query_labels),
    )
    return cast(parameters), cast(statistics), task, support_rows(case, episode)


def solve(case, weights, episode, dtype=np.float64):
    """Loss [1] and gradients by name, as arrays of `dtype`."""
    parameters, statistics, task, rows = prepare(case, weights, episode, dtype)
    scale = jnp.asarray(case.scale, dtype=dtype)

    # The images are arguments, or the compiler would spend its time folding them as constants.
    def loss_of(parameters, scale, support_images, query_images):
        images = {"support_images": support_images, "query_images": query_images}
        episode = dataclasses.replace(task, **images)
        return task_loss(case, parameters, scale, statistics, episode, rows)

    derivative = jax.value_and_grad(loss_of, argnums=(0, 1))
    compiled = jax.jit(derivative, compiler_options=QUICK_COMPILE)
    arguments = (parameters, scale, task.support_images, task.query_images)
    loss, (gradient, scale_gradient) = compiled(*arguments)
    answer = {"loss": np.asarray(loss).reshape(1)}
    answer |= {name: np.asarray(value) for name, value in gradient.items()}
    if case.metric == "cosine":
        answer["head.scale"] = np.asarray(scale_gradient).reshape(1)
    return answer


def load_episode(path):
    tensors = load_file(path)
    fields = [field.name for field in dataclasses.fields(Episode)]
    missing = [name for name in fields if name not in tensors]
    require(not missing, f"{path} lacks {missing}")
    return Episode(**{name: tensors[name] for name in fields})


def load_inputs(case_path, weights_path, episode_path):
    case = parse_case(Path(case_path).read_text(encoding="utf-8"))
    return case, load_file(weights_path), load_episode(episode_path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("case", "weights", "episode", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--precision", choices=("float64", "float32"), default="float64")
    arguments = parser.parse_args()
    try:
        case, weights, episode = load_inputs(arguments.case, arguments.weights, arguments.episode)
        answer = solve(case, weights, episode, dtype=np.dtype(arguments.precision))
    except CaseError as error:
        sys.exit(f"oracle: {error}")
    save_file(answer, arguments.out)


if __name__ == "__main__":
    main()
