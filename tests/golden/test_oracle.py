"""Tests of the oracle itself: `python3 -m unittest`, or this file alone.

Its forward pass against plain NumPy loops, its derivatives against closed forms, central
differences and the two-path decomposition of the method.
"""

import dataclasses
import itertools
import unittest

import jax
import numpy as np

import heads
import make
import network
import oracle
from case import CaseError, parse_case

# Tiny but complete: unequal shots, four support images, every block.
SMALL = dict(channels=2, groups=1, ways=2, max_shots=3, queries=4)


def draw(norm, estimator="full", seed=3, **changes):
    """(case, weights, episode) of a small task, without the kink screening."""
    recipe = make.Recipe(norm, estimator, **(SMALL | changes))
    rng = np.random.default_rng(seed)
    weights, episode = make.draw_weights(rng, recipe), make.draw_episode(rng, recipe)
    subset = make.draw_subset(rng, recipe, episode.support_labels)
    return parse_case(make.case_toml(recipe, subset)), weights, episode


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def with_subset(case, estimator, rows):
    return dataclasses.replace(case, estimator=estimator, support_subset=tuple(rows))


def with_scale(case, scale):
    return dataclasses.replace(case, head=dataclasses.replace(case.head, scale=scale))


def naive_conv(x, weight, bias):
    images, inputs, height, width = x.shape
    y = np.zeros((images, weight.shape[0], height, width))
    for n, o, i, j in np.ndindex(y.shape):
        total = bias[o]
        for c, a, b in np.ndindex(weight.shape[1:]):
            row, column = i + a - 1, j + b - 1
            if 0 <= row < height and 0 <= column < width:
                total += weight[o, c, a, b] * x[n, c, row, column]
        y[n, o, i, j] = total
    return y


def naive_norm(case, x, weights, prefix):
    y = np.zeros_like(x)
    for n, c in np.ndindex(x.shape[:2]):
        if case.norm == "frozen":
            mean = float(weights[f"{prefix}.running_mean"][c])
            variance = float(weights[f"{prefix}.running_var"][c])
        elif case.norm == "batch":
            mean, variance = x[:, c].mean(), x[:, c].var()
        else:
            per_group = x.shape[1] // case.groups
            first = c // per_group * per_group
            members = x[n, first : first + per_group]
            mean, variance = members.mean(), members.var()
        normal = (x[n, c] - mean) / np.sqrt(variance + 1e-5)
        y[n, c] = weights[f"{prefix}.weight"][c] * normal + weights[f"{prefix}.bias"][c]
    return y


def naive_pool(x):
    images, channels, height, width = x.shape
    y = np.zeros((images, channels, height // 2, width // 2))
    for n, c, i, j in np.ndindex(y.shape):
        y[n, c, i, j] = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max()
    return y


def naive_embed(case, weights, images):
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    x = images.astype(np.float64)
    for block in range(4):
        conv, norm = f"blocks.{block}.conv", f"blocks.{block}.norm"
        x = naive_conv(x, weights[f"{conv}.weight"], weights[f"{conv}.bias"])
        x = naive_pool(np.maximum(naive_norm(case, x, weights, norm), 0.0))
    return x.reshape(len(x), -1)


def naive_loss(case, support, labels, query, query_labels):
    ways = labels.max() + 1
    prototypes = [support[labels == way].mean(axis=0) for way in range(ways)]
    total = 0.0
    for row, label in zip(query, query_labels):
        if case.head.metric == "euclidean":
            logits = np.array([-((row - p) ** 2).sum() for p in prototypes])
        else:
            norms = [np.linalg.norm(row) * np.linalg.norm(p) for p in prototypes]
            logits = np.array([case.head.scale * (row @ p) / n for p, n in zip(prototypes, norms)])
        total += np.log(np.exp(logits).sum()) - logits[label]
    return total / len(query)


def check_differences(test, loss, parameters, gradient):
    """Central differences along one random direction of every parameter.

    A step of 1e-6 leaves about 1e-16/1e-6 of rounding and 1e-12 of truncation.
    """
    rng = np.random.default_rng(1)
    # Compiled once: a test evaluates it some thirty times.
    loss = jax.jit(loss, compiler_options=oracle.QUICK_COMPILE)
    whole = np.sqrt(sum(np.sum(gradient[name] ** 2) for name in parameters))
    for name, value in parameters.items():
        direction = rng.standard_normal(value.shape)
        direction /= np.linalg.norm(direction)
        ahead, behind = (
            float(loss(parameters | {name: value + step * direction})) for step in (1e-6, -1e-6)
        )
        slope = (ahead - behind) / 2e-6
        expected = float(np.sum(gradient[name] * direction))
        test.assertAlmostEqual(slope, expected, delta=1e-7 * whole, msg=name)


class Forward(unittest.TestCase):
    def test_loss_equals_plain_loops(self):
        variants = (
            dict(norm="frozen", image_size=17),
            dict(norm="batch", in_channels=3),
            dict(norm="group", groups=2, channels=4, image_size=16),
            dict(norm="group", metric="cosine"),
        )
        for variant in variants:
            with self.subTest(**variant):
                case, weights, episode = draw(**variant)
                support = naive_embed(case, weights, episode.support_images)
                query = naive_embed(case, weights, episode.query_images)
                labels = episode.support_labels
                expected = naive_loss(case, support, labels, query, episode.query_labels)
                found = oracle.solve(case, weights, episode)["loss"][0]
                # Both are float64; a few thousand terms in another order.
                self.assertAlmostEqual(found, expected, delta=1e-12 * abs(expected))

    def test_subsampled_is_the_smaller_task(self):
        case, weights, episode = draw("batch", "subsampled", max_shots=4)
        rows = list(case.support_subset)
        smaller = dataclasses.replace(
            episode,
            support_images=episode.support_images[rows],
            support_labels=episode.support_labels[rows],
        )
        found = oracle.solve(case, weights, episode)
        full = dataclasses.replace(case, estimator="full", support_subset=None)
        for name, expected in oracle.solve(full, weights, smaller).items():
            np.testing.assert_array_equal(found[name], expected, err_msg=name)


class Head(unittest.TestCase):
    def test_linear_case_equals_closed_form(self):
        """e = A x, so dL/dA = Σ (dL/de) xᵀ, with dL/de of the Euclidean head by hand:

        with R = (P − Y)/M [M, ways] the loss's rows for the logits −‖q_m − μ_c‖²,
        dL/dq_m = −2 Σ_c R_mc (q_m − μ_c),  dL/dμ_c = 2 Σ_m R_mc (q_m − μ_c),
        dL/de_n = dL/dμ_{y_n}/n_{y_n}.
        """
        rng = np.random.default_rng(0)
        x, xq = rng.standard_normal((5, 4)), rng.standard_normal((3, 4))
        y, yq = np.array([1, 0, 1, 2, 1]), np.array([2, 0, 1])
        a = 0.5 * rng.standard_normal((3, 4))

        def loss(a):
            logits = heads.prototype_logits("euclidean", 1.0, x @ a.T, y, 3, xq @ a.T)
            return heads.mean_cross_entropy(logits, yq)

        e, q = x @ a.T, xq @ a.T
        prototypes = np.stack([e[y == c].mean(axis=0) for c in range(3)])
        apart = q[:, None, :] - prototypes[None, :, :]
        unnormalised = np.exp(-(apart**2).sum(axis=2))
        rows = unnormalised / unnormalised.sum(axis=1, keepdims=True)
        rows[np.arange(3), yq] -= 1.0
        rows /= 3
        dq = -2.0 * np.einsum("mc,mcd->md", rows, apart)
        dprototypes = 2.0 * np.einsum("mc,mcd->cd", rows, apart)
        de = dprototypes[y] / np.bincount(y)[y][:, None]
        self.assertLess(relative(np.asarray(jax.grad(loss)(a)), de.T @ x + dq.T @ xq), 1e-13)


class Gradient(unittest.TestCase):
    def test_full_equals_central_differences(self):
        for variant in (
            dict(norm="frozen"),
            dict(norm="batch", in_channels=3),
            dict(norm="group", channels=4, groups=2, image_size=17),
            dict(norm="group", metric="cosine"),
            dict(norm="frozen", estimator="subsampled", max_shots=4),
        ):
            with self.subTest(**variant):
                case, weights, episode = draw(**variant)
                found = oracle.solve(case, weights, episode)
                inputs = oracle.prepare(case, weights, episode, np.float64)
                parameters, statistics, task, rows = inputs
                own = heads.parameters(case.head)

                def loss(p):
                    return oracle.task_loss(case, p, own, statistics, task, rows)[0]

                check_differences(self, loss, parameters, found)

    def test_scale_equals_central_differences(self):
        case, weights, episode = draw("group", metric="cosine")
        found = oracle.solve(case, weights, episode)["head.scale"][0]
        ahead, behind = (
            oracle.solve(with_scale(case, case.head.scale + step), weights, episode)
            for step in (1e-5, -1e-5)
        )
        slope = (ahead["loss"][0] - behind["loss"][0]) / 2e-5
        self.assertAlmostEqual(found, slope, delta=1e-8)

    def test_lite_equals_differences_of_its_surrogate(self):
        """With the embeddings at θ₀ as given numbers, lite's loss is an ordinary function of θ."""
        for norm in ("frozen", "group"):
            with self.subTest(norm=norm):
                case, weights, episode = draw(norm, "lite", max_shots=4)
                found = oracle.solve(case, weights, episode)
                inputs = oracle.prepare(case, weights, episode, np.float64)
                parameters, statistics, task, rows = inputs
                constant = network.embed(case, parameters, statistics, task.support_images)

                def loss(p):
                    support = network.embed(case, p, statistics, task.support_images)
                    support = oracle.attach(support, constant, rows)
                    query = network.embed(case, p, statistics, task.query_images)
                    labels, ways = task.support_labels, task.ways
                    logits = heads.prototype_logits("euclidean", 1.0, support, labels, ways, query)
                    return heads.mean_cross_entropy(logits, task.query_labels)

                check_differences(self, loss, parameters, found)

    def test_lite_equals_its_two_paths(self):
        """The query path, plus N/H times the subset's rows dL/de_n sent back image by image."""
        case, weights, episode = draw("group", "lite", max_shots=4)
        found = oracle.solve(case, weights, episode)
        inputs = oracle.prepare(case, weights, episode, np.float64)
        parameters, statistics, task, rows = inputs
        labels, images = task.support_labels, task.support_images

        def embed(p, x):
            return network.embed(case, p, statistics, x)

        def score(support, query):
            logits = heads.prototype_logits("euclidean", 1.0, support, labels, task.ways, query)
            return heads.mean_cross_entropy(logits, task.query_labels)

        support = embed(parameters, images)
        query, query_back = jax.vjp(lambda p: embed(p, task.query_images), parameters)
        de, dq = jax.grad(score, argnums=(0, 1))(support, query)
        (expected,) = query_back(dq)
        for row in rows:
            _, back = jax.vjp(lambda p: embed(p, images[row : row + 1]), parameters)
            (part,) = back(de[row : row + 1] * (len(labels) / len(rows)))
            expected = {name: expected[name] + part[name] for name in expected}
        for name, value in expected.items():
            self.assertLess(relative(found[name], np.asarray(value)), 1e-11, name)

    def test_mean_of_lite_over_all_subsets_equals_full(self):
        case, weights, episode = draw("group")
        support = len(episode.support_labels)
        self.assertEqual(support, 4)
        full = oracle.solve(case, weights, episode)
        subsets = list(itertools.combinations(range(support), 2))
        mean = {name: np.zeros_like(value) for name, value in full.items()}
        for rows in subsets:
            answer = oracle.solve(with_subset(case, "lite", rows), weights, episode)
            mean = {name: mean[name] + answer[name] / len(subsets) for name in mean}
        for name, value in full.items():
            self.assertLess(relative(mean[name], value), 1e-12, name)

    def test_exact_estimators_equal_full(self):
        case, weights, episode = draw("frozen")
        full = oracle.solve(case, weights, episode)
        everything = with_subset(case, "lite", np.random.default_rng(2).permutation(4))
        chunked = dataclasses.replace(case, estimator="chunked")
        above = dataclasses.replace(case, estimator="lite", h=9)
        for other in (everything, chunked, above):
            answer = oracle.solve(other, weights, episode)
            for name, value in full.items():
                self.assertLess(relative(answer[name], value), 1e-12, name)

    def test_bias_before_batch_statistics_has_no_gradient(self):
        case, weights, episode = draw("batch")
        answer = oracle.solve(case, weights, episode)
        for block in range(4):
            bias, weight = (answer[f"blocks.{block}.conv.{n}"] for n in ("bias", "weight"))
            self.assertLess(np.linalg.norm(bias), 1e-12 * np.linalg.norm(weight))


class Refusals(unittest.TestCase):
    def test_batch_statistics_with_lite(self):
        with self.assertRaises(CaseError):
            draw("batch", "lite")

    def test_bad_cases(self):
        case, weights, episode = draw("frozen")
        no_class = dataclasses.replace(episode, support_labels=episode.support_labels * 2)
        transposed = weights | {"blocks.1.conv.weight": weights["blocks.1.conv.weight"][:1]}
        for other, tensors, task in (
            (with_subset(case, "lite", [0, 0]), weights, episode),
            (with_subset(case, "lite", [0, 4]), weights, episode),
            (with_subset(case, "subsampled", [0]), weights, episode),
            (dataclasses.replace(case, estimator="lite", h=2), weights, episode),
            (case, weights, no_class),
            (case, transposed, episode),
            (case, weights | {"blocks.4.conv.bias": np.zeros(2)}, episode),
        ):
            with self.assertRaises(CaseError):
                oracle.solve(other, tensors, task)


if __name__ == "__main__":
    unittest.main()
