"""Solves with a matrix that is known by its products alone, as the textbooks have them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from case import require


class History(NamedTuple):
    """What a conjugate gradient solve went through.

    residuals [steps + 1]: ‖r‖/‖b‖ at the start and after every step; a stopped solve repeats its
    last. curvatures [steps]: pᵀAp/pᵀp of the direction of each step.
    """

    residuals: jax.Array
    curvatures: jax.Array


def hessian_product(function, at):
    """p ↦ ∇²function(at) p, forward over reverse."""
    return lambda p: jax.jvp(jax.grad(function), (at,), (p,))[1]


def conjugate_gradient(product, b, steps, tolerance):
    """(the last iterate of A x = b from x = 0, History).

    Stops before a step once ‖r‖ ≤ tolerance·‖b‖; a tolerance of zero takes all `steps`. Neither
    preconditioned nor damped (Hestenes and Stiefel 1952).
    """
    size = jnp.vdot(b, b)

    def step(state, _):
        x, r, p, rr = state
        going = rr > tolerance**2 * size
        ap = product(p)
        pap = jnp.vdot(p, ap)
        alpha = rr / pap
        r_next = r - alpha * ap
        rr_next = jnp.vdot(r_next, r_next)
        moved = (x + alpha * p, r_next, r_next + (rr_next / rr) * p, rr_next)
        state = tuple(jnp.where(going, new, old) for new, old in zip(moved, state))
        return state, (state[3], pap / jnp.vdot(p, p))

    start = (jnp.zeros_like(b), b, b, size)
    (x, *_), (squares, curvatures) = jax.lax.scan(step, start, length=steps)
    residuals = jnp.sqrt(jnp.concatenate([size[None], squares]) / size)
    return x, History(residuals, curvatures)


def check(history):
    """Refuses a breakdown: whatever a solver returns after one is a choice, not the method's."""
    curvatures = history.curvatures
    sound = jnp.isfinite(history.residuals).all() and (curvatures > 0.0).all()
    require(sound, f"conjugate gradient broke down, curvatures {curvatures}")


def neumann(product, b, terms, eta):
    """η Σ_{q < terms} (I − ηA)^q b (Ji, Yang and Liang 2021, with Q = terms − 1)."""

    def step(state, _):
        power, total = state
        power = power - eta * product(power)
        return (power, total + power), None

    (_, total), _ = jax.lax.scan(step, (b, b), length=terms - 1)
    return eta * total
