"""The query loss of every head, as a function of embeddings that jax can differentiate.

A head gets support embeddings [N, d] with labels, and query embeddings [M, d]. The iterative
ones hold the weights w [d + 1, ways] of a linear classifier; the last row is the bias, which
meets a constant feature of one and lies under the ridge like the rest.
"""

import jax
import jax.numpy as jnp

import solver
from case import Implicit, Mahalanobis, Neumann, Prototypes, Ridge, Unrolled, Versa


def mean_cross_entropy(logits, labels):
    log_probability = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.mean(jnp.take_along_axis(log_probability, labels[:, None], axis=-1))


def parameter_shapes(head, dimension):
    """Name to shape of the head's parameters that weights hold, for embeddings [N, dimension]."""
    if not isinstance(head, Versa):
        return {}
    hidden = head.hidden or dimension
    shapes = {}
    for part, outputs in (("weight", dimension), ("bias", 1)):
        layers = {0: (hidden, dimension), 2: (hidden, hidden), 4: (outputs, hidden)}
        for layer, sizes in layers.items():
            shapes[f"head.{part}.{layer}.weight"] = sizes
            shapes[f"head.{part}.{layer}.bias"] = sizes[:1]
    return shapes


def parameters(head):
    """The head's own parameters that the case gives, by the name of their gradient."""
    if isinstance(head, Prototypes):
        return {"head.scale": head.scale} if head.metric == "cosine" else {}
    if isinstance(head, Ridge):
        return {"head.lambda": head.lam, "head.scale": head.scale}
    return {}


def query_loss(head, own, weights, support, labels, ways, query, query_labels):
    """(mean cross-entropy of the queries, the solver's History or None).

    `own` are the values of `parameters(head)`, `weights` hold those of `parameter_shapes`. Of an
    `Implicit` or `Neumann` head only the value and the first derivative mean anything.
    """
    if isinstance(head, Implicit | Neumann):
        return implicit_loss(head, support, labels, ways, query, query_labels)
    if isinstance(head, Prototypes):
        scale = own.get("head.scale", 1.0)
        logits = prototype_logits(head.metric, scale, support, labels, ways, query)
    elif isinstance(head, Ridge):
        logits = ridge_logits(own["head.lambda"], own["head.scale"], support, labels, ways, query)
    elif isinstance(head, Mahalanobis):
        logits = mahalanobis_logits(support, labels, ways, query)
    elif isinstance(head, Versa):
        logits = versa_logits(weights, support, labels, ways, query)
    elif isinstance(head, Unrolled):
        logits = with_constant(query) @ inner_solution(head.inner, support, labels, ways)
    return mean_cross_entropy(logits, query_labels), None


def prototype_logits(metric, scale, support, labels, ways, query):
    """Logits [M, ways] of query embeddings [M, d] against the class means of the support."""
    members = jax.nn.one_hot(labels, ways, dtype=support.dtype)  # [N, ways]
    prototypes = (members.T @ support) / jnp.sum(members, axis=0)[:, None]
    if metric == "euclidean":
        return -jnp.sum((query[:, None, :] - prototypes[None, :, :]) ** 2, axis=-1)

    def unit(rows):
        return rows / jnp.sqrt(jnp.sum(rows**2, axis=-1, keepdims=True))

    return scale * (unit(query) @ unit(prototypes).T)


def ridge_logits(lam, scale, support, labels, ways, query):
    """scale·E_q Eᵀ(EEᵀ + λI)⁻¹Y; the same formula whichever of N and d is the smaller."""
    targets = jax.nn.one_hot(labels, ways, dtype=support.dtype)
    gram = support @ support.T + lam * jnp.eye(support.shape[0], dtype=support.dtype)
    return scale * (query @ (support.T @ jnp.linalg.solve(gram, targets)))


def covariance(rows):
    """Unbiased; zero for a single row."""
    centered = rows - jnp.mean(rows, axis=0)
    return centered.T @ centered / max(rows.shape[0] - 1, 1)


def mahalanobis_logits(support, labels, ways, query):
    """−(e − μ_c)ᵀ Q_c⁻¹ (e − μ_c), Q_c = λ_c Σ_c + (1 − λ_c) Σ + I, λ_c = n_c / (n_c + 1)."""
    of_task = covariance(support)
    logits = []
    for way in range(ways):
        members = support[jnp.flatnonzero(labels == way, size=int((labels == way).sum()))]
        share = members.shape[0] / (members.shape[0] + 1)
        spread = share * covariance(members) + (1 - share) * of_task
        spread += jnp.eye(support.shape[1], dtype=support.dtype)
        offsets = query - jnp.mean(members, axis=0)
        logits.append(-jnp.sum(offsets * jnp.linalg.solve(spread, offsets.T).T, axis=1))
    return jnp.stack(logits, axis=1)


def perceptron(weights, name, rows):
    """Three linear layers with ELU between them; they are numbered with the activations."""
    for layer in (0, 2, 4):
        rows = rows @ weights[f"{name}.{layer}.weight"].T + weights[f"{name}.{layer}.bias"]
        rows = jax.nn.elu(rows) if layer < 4 else rows
    return rows


def versa_logits(weights, support, labels, ways, query):
    """e·(μ_c + A(μ_c)) + B(μ_c)."""
    members = jax.nn.one_hot(labels, ways, dtype=support.dtype)
    means = (members.T @ support) / jnp.sum(members, axis=0)[:, None]
    classes = means + perceptron(weights, "head.weight", means)
    return query @ classes.T + perceptron(weights, "head.bias", means)[:, 0]


def with_constant(rows):
    return jnp.concatenate([rows, jnp.ones_like(rows[:, :1])], axis=1)


def inner_objective(inner, support, labels):
    """w ↦ g(E, w) = mean cross-entropy of the support + (ridge/2)‖w‖²."""

    def objective(w):
        loss = mean_cross_entropy(with_constant(support) @ w, labels)
        return loss + 0.5 * inner.ridge * jnp.sum(w**2)

    return objective


def inner_solution(inner, support, labels, ways):
    """w after gradient steps from zero."""
    slope = jax.grad(inner_objective(inner, support, labels))
    start = jnp.zeros((support.shape[1] + 1, ways), dtype=support.dtype)
    w, _ = jax.lax.scan(lambda w, _: (w - inner.lr * slope(w), None), start, length=inner.steps)
    return w


def implicit_loss(head, support, labels, ways, query, query_labels):
    """The query loss at w_K, and as its derivative the hypergradient with w_K held constant:

    ∂f/∂E_q for the queries and −∂/∂E ⟨∇_w g(E, w_K), v⟩, v ≈ [∇²_ww g]⁻¹ ∇_w f, for the support.
    The second part enters as a term whose value is zero.
    """
    held_support, held_query = jax.lax.stop_gradient((support, query))
    w = inner_solution(head.inner, held_support, labels, ways)

    def outer(w, query):
        return mean_cross_entropy(with_constant(query) @ w, query_labels)

    b = jax.grad(outer)(w, held_query)
    product = solver.hessian_product(inner_objective(head.inner, held_support, labels), w)
    history = None
    if isinstance(head, Implicit):
        steps, tolerance = head.cg_steps, head.cg_tolerance
        v, history = solver.conjugate_gradient(product, b, steps, tolerance)
    else:
        v = solver.neumann(product, b, head.terms, head.eta)

    pull = -jnp.vdot(jax.grad(inner_objective(head.inner, support, labels))(w), v)
    return outer(w, query) + (pull - jax.lax.stop_gradient(pull)), history
