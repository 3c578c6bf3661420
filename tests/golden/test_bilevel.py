"""Tests of the oracle's linear heads and learners: `python3 -m unittest`, or this file alone.

The heads against plain NumPy on embeddings, the learners against differences of what they claim
to differentiate, and both against their limits.
"""

import dataclasses
import unittest
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import heads
import learners
import make
import network
import oracle
import solver
from case import CaseError, Implicit, Inner, Mahalanobis, Neumann, Ridge, Unrolled, Versa, parse_case
from test_oracle import SMALL, check_differences, draw, relative

INNER = Inner(steps=7, lr=0.2, ridge=0.15)


class Task(NamedTuple):
    """Embeddings in place of images: six support and five query rows of four features."""

    support: np.ndarray
    labels: np.ndarray
    query: np.ndarray
    query_labels: np.ndarray
    ways: int = 3


def embedded_task(seed=0):
    rng = np.random.default_rng(seed)
    support, query = rng.standard_normal((6, 4)), rng.standard_normal((5, 4))
    return Task(support, np.array([1, 0, 1, 2, 1, 0]), query, np.array([2, 0, 1, 1, 0]))


def loss_of(head, task, weights=None):
    """(E, E_q) ↦ the query loss."""

    def loss(support, query):
        own = heads.parameters(head)
        labels = (task.labels, task.ways, query, task.query_labels)
        return heads.query_loss(head, own, weights or {}, support, *labels)[0]

    return loss


def embedding_gradients(head, task):
    derivative = jax.grad(loss_of(head, task), argnums=(0, 1))
    return [np.asarray(value) for value in jax.jit(derivative)(task.support, task.query)]


def probabilities(logits):
    unnormalised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return unnormalised / unnormalised.sum(axis=1, keepdims=True)


class NumpyHead:
    """The linear head of one task by its formulas: nothing here is differentiated for us."""

    def __init__(self, task, ridge):
        self.ridge = ridge
        self.x, self.xq = (
            np.column_stack([rows, np.ones(len(rows))]) for rows in (task.support, task.query)
        )
        self.y, self.yq = np.eye(task.ways)[task.labels], np.eye(task.ways)[task.query_labels]
        self.shape = (self.x.shape[1], task.ways)

    def slope(self, w):
        return self.x.T @ (probabilities(self.x @ w) - self.y) / len(self.x) + self.ridge * w

    def descend(self, steps, lr):
        w = np.zeros(self.shape)
        for _ in range(steps):
            w = w - lr * self.slope(w)
        return w

    def outer(self, w):
        """(the query loss, its gradient)."""
        p = probabilities(self.xq @ w)
        loss = -np.log(p[self.yq == 1]).mean()
        return loss, self.xq.T @ (p - self.yq) / len(self.xq)

    def curved(self, w, u):
        """diag(p) u − p pᵀu in every row."""
        p = probabilities(self.x @ w)
        return p * u - p * (p * u).sum(axis=1, keepdims=True)

    def hessian(self, w):
        """Hv = Xᵀ(diag(p) − ppᵀ)Xv/N + λv, as a matrix, column by column."""
        columns = []
        for unit in np.eye(w.size):
            v = unit.reshape(self.shape)
            columns.append(self.x.T @ self.curved(w, self.x @ v) / len(self.x) + self.ridge * v)
        return np.array([column.ravel() for column in columns]).T

    def pull(self, w, v):
        """dL/dE = −(1/N)[(P − Y)vᵀ + P'wᵀ] without the constant's column."""
        rest = probabilities(self.x @ w) - self.y
        return -((rest @ v.T + self.curved(w, self.x @ v) @ w.T) / len(self.x))[:, :-1]

    def minimiser(self):
        """w* by Newton's method."""
        w = np.zeros(self.shape)
        for _ in range(30):
            w = w - np.linalg.solve(self.hessian(w), self.slope(w).ravel()).reshape(self.shape)
        return w


def textbook_cg(matrix, b, steps, tolerance=0.0):
    """(x, the number of steps taken)."""
    x, r = np.zeros_like(b), b.copy()
    p, taken = r.copy(), 0
    while taken < steps and np.linalg.norm(r) > tolerance * np.linalg.norm(b):
        alpha = (r @ r) / (p @ matrix @ p)
        x, r_next = x + alpha * p, r - alpha * matrix @ p
        p, r = r_next + (r_next @ r_next) / (r @ r) * p, r_next
        taken += 1
    return x, taken


class LinearHeads(unittest.TestCase):
    def check_embedding_differences(self, loss, task, gradients):
        """Every entry of dL/dE and dL/dE_q; a step of 1e-6 leaves 1e-10 of rounding."""
        inputs = [task.support, task.query]
        for which, gradient in enumerate(gradients):
            slopes = np.zeros_like(gradient)
            for at in np.ndindex(gradient.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = [value.copy() for value in inputs]
                    moved[which][at] += step
                    ends.append(float(loss(*moved)))
                slopes[at] = (ends[0] - ends[1]) / 2e-6
            np.testing.assert_allclose(gradient, slopes, atol=2e-9)

    def test_exact_heads_equal_central_differences(self):
        task = embedded_task()
        unrolled = (Unrolled(INNER), Unrolled(Inner(3, 0.5, 0.0)))
        for head in (*unrolled, Ridge(0.7, 1.6), Mahalanobis()):
            with self.subTest(head=head):
                loss = jax.jit(loss_of(head, task))
                self.check_embedding_differences(loss, task, embedding_gradients(head, task))

    def test_loss_is_that_of_the_last_inner_step(self):
        task = embedded_task()
        numpy = NumpyHead(task, INNER.ridge)
        expected = numpy.outer(numpy.descend(INNER.steps, INNER.lr))[0]
        for head in (Unrolled(INNER), Implicit(INNER, 2, 0.0), Neumann(INNER, 3, 0.1)):
            found = float(loss_of(head, task)(task.support, task.query))
            self.assertAlmostEqual(found, expected, delta=1e-14)

    def test_truncated_solves_equal_the_closed_form(self):
        """K, N_cg and the series far from converged, so that every setting shows."""
        task = embedded_task()
        numpy = NumpyHead(task, INNER.ridge)
        w = numpy.descend(INNER.steps, INNER.lr)
        matrix, b = numpy.hessian(w), numpy.outer(w)[1].ravel()
        series = sum(
            0.3 * np.linalg.matrix_power(np.eye(b.size) - 0.3 * matrix, power) @ b
            for power in range(4)
        )
        loose, taken = textbook_cg(matrix, b, 12, 0.1)
        self.assertTrue(1 < taken < 12, "the tolerance stops this one")
        for head, v in (
            (Implicit(INNER, 1, 0.0), textbook_cg(matrix, b, 1)[0]),
            (Implicit(INNER, 3, 0.0), textbook_cg(matrix, b, 3)[0]),
            (Implicit(INNER, 12, 0.1), loose),
            (Neumann(INNER, 1, 0.3), 0.3 * b),
            (Neumann(INNER, 4, 0.3), series),
        ):
            with self.subTest(head=head):
                de, dq = embedding_gradients(head, task)
                self.assertLess(relative(de, numpy.pull(w, v.reshape(w.shape))), 1e-12)
                rest = probabilities(numpy.xq @ w) - numpy.yq
                expected = (rest @ w.T / len(task.query))[:, :-1]
                self.assertLess(relative(dq, expected), 1e-12)

    def test_converged_implicit_is_the_derivative_of_the_solved_task(self):
        """E ↦ f(w*(E)) with w* by Newton: the hypergradient that the truncated ones approach."""
        task = embedded_task()
        head = Implicit(Inner(4000, 0.5, 0.15), 15, 0.0)

        def solved(support, query):
            numpy = NumpyHead(task._replace(support=support, query=query), head.inner.ridge)
            return numpy.outer(numpy.minimiser())[0]

        self.check_embedding_differences(solved, task, embedding_gradients(head, task))

    def test_converged_implicit_neumann_and_unrolled_agree(self):
        task = embedded_task()
        inner = Inner(4000, 0.5, 0.15)
        unrolled = embedding_gradients(Unrolled(inner), task)
        for head in (Implicit(inner, 15, 0.0), Neumann(inner, 4000, 0.5)):
            for found, expected in zip(embedding_gradients(head, task), unrolled):
                self.assertLess(relative(found, expected), 1e-9)

    def test_ridge_is_least_squares(self):
        """The d × d normal equations, with more support rows than features and with fewer."""
        task = embedded_task()
        for rows in (6, 3):
            support, labels = task.support[:rows], np.array([1, 0, 2, 2, 1, 0])[:rows]
            normal = support.T @ support + 0.7 * np.eye(4)
            w = np.linalg.solve(normal, support.T @ np.eye(3)[labels])
            found = heads.ridge_logits(0.7, 1.6, support, labels, 3, task.query)
            np.testing.assert_allclose(found, 1.6 * task.query @ w, atol=1e-13)

    def test_mahalanobis_is_its_text(self):
        """NumPy's own covariances and inverse; one class has a single image."""
        task = embedded_task()
        found = heads.mahalanobis_logits(task.support, task.labels, 3, task.query)
        for way in range(3):
            rows = task.support[task.labels == way]
            own = np.cov(rows.T) if len(rows) > 1 else np.zeros((4, 4))
            share = len(rows) / (len(rows) + 1)
            spread = share * own + (1 - share) * np.cov(task.support.T) + np.eye(4)
            for query, row in enumerate(task.query):
                offset = row - rows.mean(axis=0)
                expected = -offset @ np.linalg.inv(spread) @ offset
                self.assertAlmostEqual(float(found[query, way]), expected, delta=1e-12)

    def test_versa_is_its_text(self):
        """One class after the other, in NumPy; and the gradients that go through it."""
        task, head = embedded_task(), Versa(3)
        rng = np.random.default_rng(5)
        shapes = heads.parameter_shapes(head, 4)
        weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

        def perceptron(name, row):
            for layer in (0, 2, 4):
                stem = f"{name}.{layer}"
                row = weights[f"{stem}.weight"] @ row + weights[f"{stem}.bias"]
                row = np.where(row > 0, row, np.expm1(row)) if layer < 4 else row
            return row

        found = heads.versa_logits(weights, task.support, task.labels, 3, task.query)
        for way in range(3):
            mean = task.support[task.labels == way].mean(axis=0)
            expected = task.query @ (mean + perceptron("head.weight", mean))
            expected += perceptron("head.bias", mean)
            np.testing.assert_allclose(found[:, way], expected, rtol=1e-12)
        loss = jax.jit(loss_of(head, task, weights))
        gradients = jax.grad(loss, argnums=(0, 1))(task.support, task.query)
        self.check_embedding_differences(loss, task, [np.asarray(value) for value in gradients])

    def test_solver_reports_its_residuals(self):
        rng = np.random.default_rng(4)
        root = rng.standard_normal((9, 9))
        matrix, b = root @ root.T + np.eye(9), rng.standard_normal(9)
        x, history = solver.conjugate_gradient(lambda p: matrix @ p, b, 5, 0.0)
        solver.check(history)
        residual = np.linalg.norm(b - matrix @ x) / np.linalg.norm(b)
        self.assertAlmostEqual(float(history.residuals[-1]), residual, delta=1e-12)
        with self.assertRaises(CaseError):
            solver.check(solver.conjugate_gradient(lambda p: -matrix @ p, b, 5, 0.0)[1])


class WholeNetwork(unittest.TestCase):
    def test_head_parameters_equal_central_differences(self):
        case, weights, episode = draw(
            "group", kind="ridge", settings=(("lambda", 0.8), ("scale", 2.0))
        )
        found = oracle.solve(case, weights, episode)
        for name, field in (("head.lambda", "lam"), ("head.scale", "scale")):
            ahead, behind = (
                oracle.solve(
                    dataclasses.replace(
                        case,
                        head=dataclasses.replace(
                            case.head, **{field: getattr(case.head, field) + step}
                        ),
                    ),
                    weights,
                    episode,
                )["loss"][0]
                for step in (1e-5, -1e-5)
            )
            self.assertAlmostEqual(found[name][0], (ahead - behind) / 2e-5, delta=1e-9)

    def test_implicit_lite_equals_its_two_paths(self):
        """The query path, plus N/H times the subset's rows of the closed form."""
        settings = make.inner(4, 0.2, ridge=0.1, cg_steps=2, cg_tolerance=0)
        case, weights, episode = draw(
            "group", "lite", kind="implicit", settings=tuple(settings.items()), max_shots=4
        )
        found = oracle.solve(case, weights, episode)
        parameters, statistics, task, rows = oracle.prepare(case, weights, episode, np.float64)

        def embed(images):
            return lambda p: network.embed(case, p, statistics, images)

        support, support_back = jax.vjp(embed(task.support_images), parameters)
        query, query_back = jax.vjp(embed(task.query_images), parameters)
        labels, query_labels = task.support_labels, task.query_labels
        embedded = Task(np.asarray(support), labels, np.asarray(query), query_labels, task.ways)
        numpy = NumpyHead(embedded, 0.1)
        w = numpy.descend(4, 0.2)
        v, _ = textbook_cg(numpy.hessian(w), numpy.outer(w)[1].ravel(), 2)
        de = np.zeros_like(support)
        de[rows] = numpy.pull(w, v.reshape(w.shape))[rows] * (len(de) / len(rows))
        dq = ((probabilities(numpy.xq @ w) - numpy.yq) @ w.T / len(query))[:, :-1]
        (from_support,), (from_query,) = support_back(de), query_back(dq)
        self.assertAlmostEqual(float(found["loss"][0]), numpy.outer(w)[0], delta=1e-12)
        for name in parameters:
            expected = np.asarray(from_support[name] + from_query[name])
            self.assertLess(relative(found[name], expected), 1e-10, name)


def draw_learner(norm, kind, settings, **changes):
    recipe = dict(kind=kind, settings=tuple(settings.items()), max_shots=2)
    case, weights, episode = draw(norm, **(recipe | changes))
    parameters, statistics, task, _ = oracle.prepare(case, weights, episode, np.float64)
    return case, weights, episode, (parameters, statistics, task)


class Learners(unittest.TestCase):
    def walk(self, case, parameters, statistics, task):
        """(w_0 … w_K) step by step, without the oracle's own loop."""
        images, labels = task.support_images, task.support_labels
        slope = jax.jit(
            jax.grad(lambda w: learners.loss(case, w, statistics, images, labels)),
            compiler_options=oracle.QUICK_COMPILE,
        )
        path, learner = [parameters], case.learner
        for _ in range(learner.inner_steps):
            w, gradient = path[-1], slope(path[-1])
            w = {
                name: w[name]
                - learner.inner_lr
                * (gradient[name] + learner.prox * (w[name] - parameters[name]))
                for name in w
            }
            path.append(w)
        return path

    def test_loss_equals_embeddings_times_the_classifier(self):
        """At 32 pixels, where the order of an embedding's values matters."""
        case, weights, episode, (parameters, statistics, task) = draw_learner(
            "frozen", "maml", make.inner(1, 0.1), image_size=32
        )
        images, labels = task.query_images, task.query_labels
        found = float(learners.loss(case, parameters, statistics, images, labels))
        embeddings = np.asarray(network.embed(case, parameters, statistics, images))
        weight, bias = weights["classifier.weight"], weights["classifier.bias"]
        self.assertEqual(weight.shape, (2, 2 * 2 * 2))
        p = probabilities(embeddings @ weight.T.astype(np.float64) + bias)
        self.assertAlmostEqual(found, -np.log(p[np.arange(len(p)), labels]).mean(), delta=1e-12)

    def test_maml_equals_central_differences(self):
        for norm in ("batch", "group"):
            with self.subTest(norm=norm):
                case, weights, episode, (parameters, statistics, task) = draw_learner(
                    norm, "maml", make.inner(2, 0.2)
                )
                found = oracle.solve(case, weights, episode)

                def adapted(p):
                    support = (task.support_images, task.support_labels)
                    w = learners.inner_solution(case, p, statistics, *support)
                    query = (task.query_images, task.query_labels)
                    return learners.loss(case, w, statistics, *query)

                end = self.walk(case, parameters, statistics, task)[-1]
                query = (task.query_images, task.query_labels)
                expected = float(learners.loss(case, end, statistics, *query))
                self.assertAlmostEqual(float(found["loss"][0]), expected, delta=1e-12)
                check_differences(self, adapted, parameters, found)

    def test_first_order_learners(self):
        """FOMAML is the query loss's slope at w_K; Reptile the way from w_K back to the start."""
        for kind in ("fomaml", "reptile"):
            case, weights, episode, (parameters, statistics, task) = draw_learner(
                "frozen", kind, make.inner(3, 0.1)
            )
            found = oracle.solve(case, weights, episode)
            end = self.walk(case, parameters, statistics, task)[-1]

            def query_loss(w):
                return learners.loss(case, w, statistics, task.query_images, task.query_labels)

            self.assertAlmostEqual(float(found["loss"][0]), float(query_loss(end)), delta=1e-12)
            if kind == "fomaml":
                check_differences(self, query_loss, end, found)
                continue
            for name, start in parameters.items():
                np.testing.assert_allclose(found[name], start - end[name], atol=1e-13)

    def test_converged_imaml_differentiates_the_proximal_solution(self):
        """On a draw whose inner steps settle: others end in a kink, where nothing has a slope."""
        case, weights, episode, (parameters, statistics, task) = draw_learner(
            "group", "imaml", make.inner(120, 0.02, prox=20.0, cg_steps=40, cg_tolerance=0), seed=5
        )
        found, history = oracle.solve_with_history(case, weights, episode)
        self.assertLess(float(history.residuals[-1]), 1e-9)
        support = (statistics, task.support_images, task.support_labels)
        path = learners.inner_path(case, parameters, *support)
        last = sum(jnp.sum((value[-1] - value[-2]) ** 2) for value in path.values())
        self.assertLess(float(last), 1e-24)

        def adapted(p):
            w = learners.inner_solution(case, p, *support)
            return learners.loss(case, w, statistics, task.query_images, task.query_labels)

        check_differences(self, adapted, parameters, found)

    def test_truncated_imaml_equals_the_dense_system(self):
        """Three steps of CG on (I + H/λ) v = ∇L_Q with H column by column."""
        settings = make.inner(2, 0.1, prox=1.5, cg_steps=3, cg_tolerance=0)
        case, weights, episode, (parameters, statistics, task) = draw_learner(
            "batch", "imaml", settings, channels=1
        )
        found = oracle.solve(case, weights, episode)
        end = self.walk(case, parameters, statistics, task)[-1]
        flat, unravel = ravel_pytree(end)

        def at(images, labels):
            return lambda w: learners.loss(case, unravel(w), statistics, images, labels)

        options = dict(compiler_options=oracle.QUICK_COMPILE)
        slope = jax.jit(jax.grad(at(task.support_images, task.support_labels)), **options)
        step = 1e-5
        matrix = np.array(
            [
                (slope(flat + step * unit) - slope(flat - step * unit)) / (2 * step)
                for unit in np.eye(flat.size)
            ]
        )
        b = np.asarray(jax.jit(jax.grad(at(task.query_images, task.query_labels)), **options)(flat))
        v, _ = textbook_cg(np.eye(flat.size) + (matrix + matrix.T) / 2 / 1.5, b, 3)
        expected = {name: np.asarray(value) for name, value in unravel(jnp.asarray(v)).items()}
        whole = np.linalg.norm(v)
        # Differences of gradients by 1e-5 leave 1e-10 of H.
        for name, value in expected.items():
            self.assertLess(np.linalg.norm(found[name] - value), 1e-8 * whole, name)


class Refusals(unittest.TestCase):
    def toml(self, kind, settings, norm="group", estimator="full"):
        recipe = make.bilevel(kind, norm, estimator, settings, **SMALL)
        return make.case_toml(recipe, None)

    def test_every_kind_is_read_back(self):
        rng = np.random.default_rng(5)
        for kind in ("implicit", "unrolled", "neumann", "ridge", "mahalanobis", "versa", *make.LEARNERS):
            case = parse_case(self.toml(kind, make.random_settings(rng, kind)))
            self.assertEqual(case.learner is None, kind not in make.LEARNERS)

    def test_bad_settings(self):
        implicit = make.inner(5, 0.1, ridge=0.1, cg_steps=3, cg_tolerance=0)
        imaml = make.inner(5, 0.1, prox=1.0, cg_steps=3, cg_tolerance=0)
        self.assertTrue(parse_case(self.toml("implicit", implicit)).head)
        bad = [
            ("implicit", implicit | {"terms": 3}),
            ("implicit", implicit | {"metric": "'cosine'"}),
            ("implicit", implicit | {"ridge": 0}),
            ("implicit", implicit | {"inner_steps": 0}),
            ("implicit", implicit | {"inner_steps": 2.5}),
            ("implicit", implicit | {"inner_lr": -0.1}),
            ("implicit", implicit | {"inner_lr": "inf"}),
            ("implicit", implicit | {"cg_steps": 0}),
            ("implicit", {"inner_steps": 5, "inner_lr": 0.1, "ridge": 0.1}),
            ("unrolled", implicit),
            ("neumann", make.inner(5, 0.1, ridge=0.1, terms=0, eta=0.1)),
            ("ridge", {"lambda": 0, "scale": 1}),
            ("ridge", {"lambda": 1, "scale": 1, "ridge": 1}),
            ("mahalanobis", {"scale": 1}),
            ("maml", imaml),
            ("imaml", imaml | {"prox": 0}),
            ("imaml", make.inner(5, 0.1, prox=1.0)),
            ("anil", make.inner(5, 0.1)),
        ]
        for kind, settings in bad:
            with self.subTest(kind=kind, settings=settings), self.assertRaises(CaseError):
                parse_case(self.toml(kind, settings))

    def test_learners_take_no_estimator(self):
        toml = self.toml("maml", make.inner(2, 0.1))
        for section in ('[gradient]\nestimator = "lite"\n', '[head]\nkind = "prototypes"\n'):
            with self.assertRaises(CaseError):
                parse_case(toml + section)

    def test_learners_need_their_classifier(self):
        case, weights, episode, _ = draw_learner("group", "maml", make.inner(1, 0.1))
        for name in ("classifier.weight", "classifier.bias"):
            with self.assertRaises(CaseError):
                oracle.solve(case, weights | {name: weights[name][:1]}, episode)


if __name__ == "__main__":
    unittest.main()
