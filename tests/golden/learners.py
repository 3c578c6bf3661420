"""Learners whose inner steps move every parameter of Conv-4 and its linear classifier.

The parameters are a dictionary by name: Conv-4's, `classifier.weight` [ways, d] and
`classifier.bias` [ways]. Batch statistics are those of each pass: the support's in the inner
steps and in Hessian-vector products, the query set's in the query loss.
"""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

import heads
import network
import solver


def parameter_shapes(case, ways):
    classifier = {
        "classifier.weight": (ways, network.embedding_size(case)),
        "classifier.bias": (ways,),
    }
    return network.parameter_shapes(case) | classifier


def loss(case, parameters, statistics, images, labels):
    """Mean cross-entropy of one pass over `images`."""
    embeddings = network.embed(case, parameters, statistics, images)
    logits = embeddings @ parameters["classifier.weight"].T + parameters["classifier.bias"]
    return heads.mean_cross_entropy(logits, labels)


def inner_path(case, start, statistics, images, labels):
    """w_0 … w_K as one dictionary of arrays [K + 1, ...], w_0 = `start`.

    iMAML's objective has the proximal term (prox/2)‖w − start‖² in every step.
    """
    learner = case.learner
    slope = jax.grad(lambda w: loss(case, w, statistics, images, labels))

    def step(w, _):
        def descend(at, gradient, first):
            return at - learner.inner_lr * (gradient + learner.prox * (at - first))

        moved = jax.tree.map(descend, w, slope(w), start)
        return moved, moved

    _, later = jax.lax.scan(step, start, length=learner.inner_steps)
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, later)


def inner_solution(case, start, statistics, images, labels):
    """w_K."""
    path = inner_path(case, start, statistics, images, labels)
    return jax.tree.map(lambda all: all[-1], path)


def meta_gradient(case, parameters, statistics, episode):
    """(query loss at w_K, meta-gradient by name, the solver's History or None)."""
    learner = case.learner
    support = (statistics, episode.support_images, episode.support_labels)

    def query_loss(w):
        return loss(case, w, statistics, episode.query_images, episode.query_labels)

    def adapted_loss(start):
        return query_loss(inner_solution(case, start, *support))

    if learner.kind == "maml":
        return *jax.value_and_grad(adapted_loss)(parameters), None
    w = inner_solution(case, parameters, *support)
    value, gradient = jax.value_and_grad(query_loss)(w)
    if learner.kind == "fomaml":
        return value, gradient, None
    if learner.kind == "reptile":
        return value, jax.tree.map(lambda first, last: first - last, parameters, w), None

    # (I + ∇²L_S(w_K)/λ)⁻¹ ∇L_Q(w_K), over all parameters as one vector.
    b, unravel = ravel_pytree(gradient)
    hessian = solver.hessian_product(lambda w: loss(case, unravel(w), *support), ravel_pytree(w)[0])
    steps, tolerance = learner.cg_steps, learner.cg_tolerance
    v, history = solver.conjugate_gradient(
        lambda p: p + hessian(p) / learner.prox, b, steps, tolerance
    )
    return value, unravel(v), history
