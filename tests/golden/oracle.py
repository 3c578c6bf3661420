"""One task's loss and meta-gradient in float64, by automatic differentiation.

This is the independent answer that `inkling grad` is compared with. It follows the method's
text alone and shares nothing with the Rust and WGSL code: the convolution, the norms and the
pooling come from jax, every derivative from its reverse mode. Speed and memory do not matter
here, so every estimator is one forward pass over the whole task.

case.py reads a case; network.py, heads.py and learners.py are what it may ask for.

    python3 oracle.py --case case.toml --weights w.safetensors --episode e.safetensors \\
        --out g.safetensors
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file, save_file

import film
import heads
import learners
import network
import solver
from case import CaseError, parse_case, require

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

# A case runs once, so compiling it is what takes the time; the values are the same to rounding.
QUICK_COMPILE = {"xla_backend_optimization_level": 0}


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


def encoder_rows(case, support):
    """The set encoder's rows, or None where it is differentiated through all of them."""
    if case.film is None or case.estimator != "lite" or case.support_subset is None:
        return None
    require(case.encoder_subset is not None, "FiLM draws twice: give gradient.encoder_subset")
    rows = np.array(case.encoder_subset, dtype=np.int64)
    require(len(set(case.encoder_subset)) == len(rows), "encoder_subset repeats an index")
    require(np.all((rows >= 0) & (rows < support)), "encoder_subset has an index out of range")
    return rows


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


def task_loss(case, parameters, own, statistics, episode, rows):
    """(the task's loss, the solver's History or None).

    The loss's derivative is the estimator's expected answer. `own` are the head's parameters.
    """
    support_images, labels = episode.support_images, episode.support_labels
    if case.estimator == "subsampled" and rows is not None:
        support_images, labels = support_images[rows], labels[rows]
    of_head = parameters
    if case.film is not None:
        parameters = adapt(case, parameters, statistics, support_images)
    support = network.embed(case, parameters, statistics, support_images)
    if case.estimator == "lite" and rows is not None:
        support = attach(support, jax.lax.stop_gradient(support), rows)
    query = network.embed(case, parameters, statistics, episode.query_images)
    ways, query_labels = episode.ways, episode.query_labels
    return heads.query_loss(case.head, own, of_head, support, labels, ways, query, query_labels)


def adapt(case, parameters, base, support_images):
    """The network's parameters for the task, from those of the set encoder and the rest of FiLM."""
    codes = film.codes(case, parameters, support_images)
    rows = encoder_rows(case, len(support_images))
    if rows is not None:
        codes = attach(codes, jax.lax.stop_gradient(codes), rows)
    return film.modulate(parameters, base, jnp.mean(codes, axis=0))


def parameter_shapes(case, ways):
    """Name to shape of every parameter in the weights that an answer holds a gradient of."""
    own = {} if case.head is None else heads.parameter_shapes(case.head, network.embedding_size(case))
    if case.film is not None:
        return film.parameter_shapes(case) | own
    if case.learner is None:
        return network.parameter_shapes(case) | own
    return learners.parameter_shapes(case, ways)


def prepare(case, weights, episode, dtype):
    """Checks the inputs and casts them: (parameters, statistics, episode, rows)."""
    check_episode(case, episode)
    shapes = parameter_shapes(case, episode.ways)
    parameters = select(weights, shapes)
    statistic_shapes = network.statistic_shapes(case)
    statistics = select(weights, statistic_shapes) if case.norm == "frozen" else {}
    # What FiLM starts from is not trained.
    base = {} if case.film is None else network.parameter_shapes(case)
    statistics |= select(weights, base)
    shapes = shapes | base
    extra = sorted(set(weights) - set(shapes | statistic_shapes))
    require(not extra, f"the weights hold tensors that the network does not: {extra}")

    def cast(tensors):
        return {name: jnp.asarray(value, dtype=dtype) for name, value in tensors.items()}

    task = Episode(
        jnp.asarray(episode.support_images, dtype=dtype),
        np.asarray(episode.support_labels),
        jnp.asarray(episode.query_images, dtype=dtype),
        np.asarray(episode.query_labels),
    )
    return cast(parameters), cast(statistics), task, support_rows(case, episode)


def solve_with_history(case, weights, episode, dtype=np.float64):
    """(loss [1] and gradients by name as arrays of `dtype`, the solver's History or None)."""
    parameters, statistics, task, rows = prepare(case, weights, episode, dtype)
    own = {}
    if case.head is not None:
        values = heads.parameters(case.head)
        own = {name: jnp.asarray(value, dtype=dtype) for name, value in values.items()}

    # The images are arguments, or the compiler would spend its time folding them as constants.
    def answer_of(parameters, own, support_images, query_images):
        images = {"support_images": support_images, "query_images": query_images}
        episode = dataclasses.replace(task, **images)
        if case.learner is not None:
            return learners.meta_gradient(case, parameters, statistics, episode)

        def loss_of(parameters, own):
            loss, history = task_loss(case, parameters, own, statistics, episode, rows)
            whole = loss if case.film is None else loss + film.penalty(case, parameters)
            return whole, (loss, history)

        derivative = jax.value_and_grad(loss_of, argnums=(0, 1), has_aux=True)
        (_, (loss, history)), (gradient, own_gradient) = derivative(parameters, own)
        return loss, gradient | own_gradient, history

    compiled = jax.jit(answer_of, compiler_options=QUICK_COMPILE)
    arguments = (parameters, own, task.support_images, task.query_images)
    loss, gradient, history = compiled(*arguments)
    answer = {name: np.asarray(value) for name, value in gradient.items()}
    answer |= {name: answer[name].reshape(1) for name in own}
    return {"loss": np.asarray(loss).reshape(1)} | answer, history


def solve(case, weights, episode, dtype=np.float64):
    """Loss [1] and gradients by name, as arrays of `dtype`."""
    answer, history = solve_with_history(case, weights, episode, dtype)
    if history is not None:
        solver.check(history)
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
