"""Random cases with the oracle's answers: the committed golden ones, or a folder of fresh ones.

    python3 make.py golden                       # rewrites the folders cases*/ beside it
    python3 make.py random --seed 7 --out DIR    # every head, learner, norm and estimator

With --only prototypes, bilevel (linear heads and learners) or film: that part alone.

A case is a folder with case.toml, weights.safetensors, episode.safetensors (float32 images,
int32 labels) and expected.safetensors.

A draw is kept only when float32 can answer it: see `reason_to_redraw`.
"""

import argparse
import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import save_file

import film
import learners
import network
import oracle
from case import parse_case

# A float32 activation is off by about 1e-6 of its block's size after four blocks. A pooled value
# that close to zero, or to the runner-up of its window, may switch sides and so change the
# gradient by a finite amount: no tolerance on rounding covers that.
MIN_KINK_MARGIN = 3e-6
# After inner steps of the whole network the weights are off as well, by a few of their roundings.
MIN_ADAPTED_KINK_MARGIN = 1e-5
# A residual this near to the solver's tolerance may stop float32 a step earlier or later.
MIN_STOP_MARGIN = 0.1
# A saturated softmax leaves a gradient made of cancellations; one at chance has nothing to tell.
LOSS_RANGE = (0.05, 6.0)
# A smaller gradient is lost in the rounding of the larger terms that it is summed from. In a
# small network it is often the last norm's bias: where no embedding is cut off by the ReLU it
# shifts them all alike, and Euclidean distances do not see that.
MIN_PARAMETER_SHARE = 5e-3
MAX_DRAWS = 200

# With an entry's place in GOLDEN this fixes its draw: append to that list, never reorder it.
GOLDEN_SEED = 20_240_607


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a case is drawn from; whatever is not fixed here is random."""

    norm: str
    estimator: str
    channels: int = 4
    image_size: int = 16
    in_channels: int = 1
    groups: int = 2
    ways: int = 3
    max_shots: int = 3
    queries: int = 6
    metric: str = "euclidean"
    chunk: int | None = None
    style: str = "texture"
    kind: str = "prototypes"
    settings: tuple[tuple[str, float], ...] = ()
    film: str = ""

    @property
    def is_learner(self):
        return self.kind in LEARNERS

    @property
    def name(self):
        metric = "" if self.metric == "euclidean" else f"-{self.metric}"
        parts = ["film"] if self.film else []
        parts += [] if self.kind == "prototypes" else [self.kind]
        parts += [self.norm] if self.is_learner else [self.norm, self.estimator + metric]
        size = f"c{self.channels}-{self.in_channels}x{self.image_size}-{self.ways}way"
        return "-".join([*parts, size])


LEARNERS = ("maml", "fomaml", "reptile", "imaml")
PARTS = ("prototypes", "bilevel", "film")


def bilevel(kind, norm, estimator="full", settings=(), **fixed):
    """A recipe of an iterative head, of ridge, mahalanobis or versa, or of a learner."""
    return Recipe(norm, estimator, kind=kind, settings=tuple(dict(settings).items()), **fixed)


def inner(steps, lr, **others):
    return {"inner_steps": steps, "inner_lr": lr} | others


GOLDEN = (
    Recipe("frozen", "full"),
    Recipe("frozen", "lite", image_size=21, ways=4, style="strokes"),
    Recipe("batch", "full", ways=2),
    Recipe("batch", "full", in_channels=3, image_size=17, channels=5, queries=5),
    Recipe("group", "full", ways=4, image_size=19),
    Recipe("group", "lite"),
    Recipe("group", "lite", in_channels=3, channels=6, groups=3, image_size=18, ways=2, chunk=2),
    Recipe("group", "chunked", chunk=2),
    Recipe("group", "subsampled", ways=2, max_shots=4),
    Recipe("group", "lite", metric="cosine"),
)


# The linear heads and the learners. Ridge and mahalanobis have both more support images than
# features and fewer.
# 32 pixels leave 2 by 2 of each channel, whose order in the classifier's columns then shows.
GOLDEN_BILEVEL = (
    bilevel("implicit", "frozen", settings=inner(12, 0.1, ridge=0.05, cg_steps=4, cg_tolerance=0)),
    bilevel(
        "implicit",
        "batch",
        settings=inner(1, 0.2, ridge=0.1, cg_steps=1, cg_tolerance=0),
        in_channels=3,
        image_size=17,
    ),
    bilevel(
        "implicit",
        "group",
        "lite",
        settings=inner(20, 0.05, ridge=0.1, cg_steps=6, cg_tolerance=0),
        channels=8,
        ways=4,
        chunk=2,
    ),
    bilevel(
        "implicit",
        "group",
        "subsampled",
        settings=inner(5, 0.1, ridge=0.2, cg_steps=30, cg_tolerance=0.01),
        max_shots=4,
    ),
    bilevel("unrolled", "frozen", "lite", inner(5, 0.1, ridge=0.05), image_size=21, ways=4),
    bilevel("unrolled", "batch", settings=inner(8, 0.1, ridge=0), ways=2),
    bilevel("unrolled", "group", "chunked", inner(10, 0.05, ridge=0.1), chunk=2),
    bilevel(
        "neumann",
        "group",
        settings=inner(6, 0.1, ridge=0.1, terms=8, eta=0.1),
        channels=6,
        groups=3,
    ),
    bilevel("ridge", "frozen", settings={"lambda": 1.5, "scale": 2.0}, max_shots=5),
    bilevel("ridge", "group", "lite", {"lambda": 0.5, "scale": 3.0}, channels=8, image_size=19),
    bilevel("ridge", "batch", settings={"lambda": 4.0, "scale": 1.0}, ways=2, max_shots=2),
    bilevel("maml", "batch", settings=inner(2, 0.1)),
    bilevel(
        "maml",
        "frozen",
        settings=inner(3, 0.05),
        image_size=32,
        channels=3,
        ways=2,
        queries=4,
    ),
    bilevel("maml", "group", settings=inner(1, 0.2), image_size=19, in_channels=3),
    bilevel("fomaml", "batch", settings=inner(3, 0.1)),
    bilevel("reptile", "group", settings=inner(2, 0.1), ways=4),
    bilevel(
        "imaml", "batch", settings=inner(4, 0.1, prox=2.0, cg_steps=3, cg_tolerance=0), ways=2
    ),
    bilevel(
        "imaml",
        "group",
        settings=inner(3, 0.02, prox=20.0, cg_steps=20, cg_tolerance=0.002),
        channels=6,
        groups=3,
        max_shots=2,
    ),
    bilevel("mahalanobis", "frozen", max_shots=5),
    bilevel("mahalanobis", "batch", ways=2, image_size=32),
    bilevel("mahalanobis", "group", "lite", channels=8, image_size=19),
    bilevel("mahalanobis", "group", "chunked", ways=4, image_size=32, chunk=2),
    bilevel("versa", "frozen", settings={"hidden": 5}),
    bilevel("versa", "batch", settings={"hidden": 3}, ways=2, image_size=32),
    bilevel("versa", "group", "lite", channels=8, image_size=19),
)


SMALL_FILM = "{ channels = 4, blocks = 2, groups = 2, regulariser = 0.05 }"
WIDE_FILM = "{ channels = 6, blocks = 3, groups = 3, regulariser = 0.0 }"

# Networks whose norms adapt to the task.
GOLDEN_FILM = (
    Recipe("group", "full", film=SMALL_FILM),
    Recipe("frozen", "lite", film=SMALL_FILM, metric="cosine", max_shots=4),
    bilevel("mahalanobis", "frozen", "lite", film=WIDE_FILM, in_channels=3, max_shots=4),
    bilevel("mahalanobis", "group", "chunked", film=SMALL_FILM, ways=2, chunk=2, image_size=21),
)


def random_recipes(rng):
    """Every norm with every estimator that it goes with, in sizes drawn afresh."""
    pairs = [(norm, "full") for norm in ("frozen", "batch", "group")]
    pairs += [(norm, "lite") for norm in ("frozen", "group")]
    recipes = []
    for norm, estimator in pairs:
        for image_size in (16, 21, 28):
            recipes.append(random_recipe(rng, norm, estimator, image_size=image_size))
    for estimator in ("chunked", "subsampled"):
        recipes.append(random_recipe(rng, "frozen", estimator))
        recipes.append(random_recipe(rng, "group", estimator))
    for norm, estimator in (("frozen", "full"), ("batch", "full"), ("group", "lite")):
        recipes.append(random_recipe(rng, norm, estimator, metric="cosine"))
    return recipes


def random_recipe(rng, norm, estimator, **fixed):
    channels = int(rng.integers(4, 9))
    # As many groups as channels takes every bias away; fewer leave something to compare.
    divisors = [g for g in range(1, channels) if channels % g == 0]
    free = {
        "channels": channels,
        "groups": int(rng.choice(divisors)),
        "image_size": int(rng.integers(16, 29)),
        "in_channels": int(rng.choice([1, 3])),
        "ways": int(rng.integers(2, 6)),
        "max_shots": int(rng.integers(2, 6)),
        "queries": int(rng.integers(5, 13)),
        "style": str(rng.choice(["texture", "strokes"])),
    }
    if estimator in ("chunked", "lite"):
        free["chunk"] = int(rng.integers(1, 5))
    return Recipe(norm, estimator, **(free | fixed))


def random_bilevel_recipes(rng):
    """Every linear head and learner with every norm, and every estimator with every head."""
    recipes = []
    for kind in ("implicit", "unrolled", "neumann", "ridge"):
        pairs = [(norm, "full") for norm in ("frozen", "batch", "group")]
        pairs += [("group", "lite"), ("frozen", "lite"), ("batch", "subsampled")]
        if kind == "implicit":
            pairs.append(("group", "chunked"))
        for norm, estimator in pairs:
            settings = random_settings(rng, kind)
            fixed = {"kind": kind, "settings": tuple(settings.items())}
            recipes.append(random_recipe(rng, norm, estimator, **fixed))
    for kind in LEARNERS:
        for norm in ("batch", "frozen", "group"):
            # Every inner step is another chance of a kink: small tasks, or none would be kept.
            fixed = {
                "kind": kind,
                "settings": tuple(random_settings(rng, kind).items()),
                "image_size": int(rng.choice([16, 19, 32])),
                "channels": int(rng.integers(3, 6)),
                "groups": 1,
                "ways": int(rng.integers(2, 4)),
                "max_shots": 2,
                "queries": 4,
            }
            recipes.append(random_recipe(rng, norm, "full", **fixed))
    pairs = [("frozen", "full"), ("batch", "full"), ("group", "full")]
    pairs += [("group", "lite"), ("frozen", "lite"), ("group", "chunked")]
    for norm, estimator in pairs:
        recipes.append(random_recipe(rng, norm, estimator, kind="mahalanobis"))
    for norm, estimator in pairs:
        settings = tuple(random_settings(rng, "versa").items())
        recipes.append(random_recipe(rng, norm, estimator, kind="versa", settings=settings))
    return recipes


def random_settings(rng, kind):
    """The keys of a [head] or [learner] besides its kind."""
    if kind == "mahalanobis":
        return {}
    if kind == "versa":
        return {"hidden": int(rng.integers(2, 12))}
    if kind == "ridge":
        return {"lambda": float(rng.uniform(0.3, 5.0)), "scale": float(rng.uniform(0.5, 4.0))}
    learner = kind in LEARNERS
    settings = inner(int(rng.integers(1, 4 if learner else 21)), float(rng.choice([0.05, 0.1])))
    if not learner:
        settings["ridge"] = float(rng.choice([0.02, 0.1, 0.3]))
    if kind == "imaml":
        # An untrained network's loss curves downwards along many directions, by about 10.
        settings["prox"] = float(rng.choice([20.0, 40.0]))
        settings["inner_lr"] = 0.02
    if kind in ("implicit", "imaml"):
        settings["cg_steps"] = int(rng.integers(1, 9))
        settings["cg_tolerance"] = float(rng.choice([0.0, 0.05]))
    if kind == "neumann":
        settings["terms"] = int(rng.integers(1, 13))
        settings["eta"] = float(rng.choice([0.03, 0.1]))
    return settings


def draw_weights(rng, recipe):
    """He-initialised convolutions; norm weights near one; positive running variances.

    The running statistics are near those of such a network, so that a frozen norm keeps the
    activations in proportion.
    """
    case = parse_case(case_toml(recipe, None))
    weights = {}
    shapes = oracle.parameter_shapes(case, recipe.ways)
    if recipe.film:
        shapes = network.parameter_shapes(case) | shapes
    for name, shape in shapes.items():
        noise = rng.standard_normal(shape)
        if name.endswith("conv.weight"):
            weights[name] = noise * np.sqrt(2.0 / np.prod(shape[1:]))
        elif name == "classifier.weight" or (name.startswith(("film.", "head.")) and len(shape) == 2):
            weights[name] = noise / np.sqrt(shape[1])
        elif name.endswith("norm.weight"):
            weights[name] = 1.0 + 0.2 * noise
        else:
            weights[name] = 0.1 * noise
    # A norm that does not read the statistics must ignore them, so some cases carry them.
    if recipe.norm == "frozen" or rng.random() < 0.5:
        for name, shape in network.statistic_shapes(case).items():
            mean = name.endswith("running_mean")
            weights[name] = (
                0.1 * rng.standard_normal(shape) if mean else rng.uniform(0.5, 2.0, shape)
            )
    return {name: value.astype(np.float32) for name, value in weights.items()}


def draw_strokes(rng, size):
    """A plane that is exactly zero but for a few thick lines, as handwritten characters are."""
    plane = np.zeros((size, size))
    for _ in range(3):
        start, end = rng.uniform(0, size - 1, (2, 2))
        for t in np.linspace(0.0, 1.0, 2 * size):
            row, column = np.rint(start + t * (end - start)).astype(int)
            plane[row : row + 2, column : column + 2] = 1.0
    return plane


def draw_images(rng, recipe, prototypes, labels):
    size = recipe.image_size
    images = np.zeros((len(labels), recipe.in_channels, size, size))
    for image, label in zip(images, labels):
        for plane, prototype in zip(image, prototypes[label]):
            if recipe.style == "strokes":
                shift = tuple(rng.integers(-1, 2, 2))
                extra = 0.5 * draw_strokes(rng, size)
                plane[:] = np.maximum(np.roll(prototype, shift, axis=(0, 1)), extra)
            else:
                plane[:] = prototype + 0.7 * rng.standard_normal((size, size))
    return images.astype(np.float32)


def draw_episode(rng, recipe):
    """A task with unequal shots and labels in no order."""
    planes = (recipe.ways, recipe.in_channels, recipe.image_size, recipe.image_size)
    if recipe.style == "strokes":
        prototypes = np.zeros(planes)
        for plane in prototypes.reshape(-1, *planes[2:]):
            plane[:] = draw_strokes(rng, recipe.image_size)
    else:
        prototypes = rng.standard_normal(planes)
    shots = rng.integers(1, recipe.max_shots + 1, recipe.ways)
    # Equal shots would hide a mean over the wrong count.
    shots[0], shots[1] = 1, recipe.max_shots
    support_labels = rng.permutation(np.repeat(rng.permutation(recipe.ways), shots))
    query_labels = rng.integers(0, recipe.ways, recipe.queries)
    return oracle.Episode(
        support_images=draw_images(rng, recipe, prototypes, support_labels),
        support_labels=support_labels.astype(np.int32),
        query_images=draw_images(rng, recipe, prototypes, query_labels),
        query_labels=query_labels.astype(np.int32),
    )


def draw_subset(rng, recipe, labels):
    """Support rows, in no order, for the estimators that use a part of them."""
    support = len(labels)
    order = rng.permutation(support)
    if recipe.estimator == "lite":
        return [int(row) for row in order[: rng.integers(1, max(2, support // 2 + 1))]]
    if recipe.estimator == "subsampled":
        rows = [int(order[labels[order] == way][0]) for way in range(recipe.ways)]
        others = [int(row) for row in order if row not in rows]
        rows += others[: len(others) // 2]
        return [int(row) for row in rng.permutation(rows)]
    return None


def case_toml(recipe, subset, encoder_subset=None):
    lines = [
        "[model]",
        'backbone = "conv4"',
        f"channels = {recipe.channels}",
        f'norm = "{recipe.norm}"',
        f"image_size = {recipe.image_size}",
        f"in_channels = {recipe.in_channels}",
    ]
    if recipe.norm == "group":
        lines.append(f"groups = {recipe.groups}")
    if recipe.film:
        lines += ['trained = "film"', f"film = {recipe.film}"]
    lines += ["", "[learner]" if recipe.is_learner else "[head]", f'kind = "{recipe.kind}"']
    if recipe.metric == "cosine":
        lines += ['metric = "cosine"', "scale = 8.0"]
    lines += [f"{key} = {value}" for key, value in recipe.settings]
    if recipe.is_learner:
        return "\n".join(lines) + "\n"
    lines += ["", "[gradient]", f'estimator = "{recipe.estimator}"']
    if recipe.chunk is not None:
        lines.append(f"chunk = {recipe.chunk}")
    if subset is not None:
        lines.append(f"support_subset = {subset}")
    if encoder_subset is not None:
        lines.append(f"encoder_subset = {encoder_subset}")
    return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=1)
def tracer(case):
    """Each block's values before the ReLU, [images, channels, height, width]."""

    def traced(parameters, statistics, images):
        trace = []
        network.embed(case, parameters, statistics, images, trace)
        return trace

    return jax.jit(traced, compiler_options=oracle.QUICK_COMPILE)


def passes(case, parameters, statistics, task):
    """Every (parameters, images) at which the answer evaluates or differentiates the network."""
    support, query = task.support_images, task.query_images
    if case.film is not None:
        adapted = oracle.adapt(case, parameters, statistics, support)
        return [(adapted, support), (adapted, query)]
    if case.learner is None:
        return [(parameters, support), (parameters, query)]
    path_of = jax.jit(
        lambda *start: learners.inner_path(case, *start, task.support_labels),
        compiler_options=oracle.QUICK_COMPILE,
    )
    path = path_of(parameters, statistics, support)
    steps = case.learner.inner_steps
    weights = [{name: value[k] for name, value in path.items()} for k in range(steps + 1)]
    # The last support pass is the Hessian's.
    supports = weights if case.learner.kind == "imaml" else weights[:-1]
    return [(at, support) for at in supports] + [(weights[-1], query)]


def kink_margin(case, weights, episode):
    """How near the task comes to a kink, as a share of its block's root mean square.

    Over all pooling windows: the distance of the largest value from zero (ReLU), and, where it is
    positive, from the second largest (max-pool). Exact ties do not count: they come from equal
    patches, for which either choice gives the same gradient.
    """
    parameters, statistics, task, _ = oracle.prepare(case, weights, episode, np.float64)
    margin, traces = np.inf, []
    if case.film is not None:
        codes = film.codes(case, parameters, task.support_images, traces)
        hidden = np.asarray(film.hidden(parameters, np.mean(codes, axis=0)))
        margin = np.abs(hidden).min() / np.sqrt(np.mean(hidden**2))
    for at, images in passes(case, parameters, statistics, task):
        traces += tracer(case)(at, statistics, images)
    for z in map(np.asarray, traces):
        count, channels, size, _ = z.shape
        half = size // 2
        cropped = z[:, :, : 2 * half, : 2 * half].reshape(count, channels, half, 2, half, 2)
        windows = np.sort(cropped.transpose(0, 1, 2, 4, 3, 5).reshape(-1, 4), axis=1)
        scale = np.sqrt(np.mean(z**2))
        largest, gap = windows[:, 3], windows[:, 3] - windows[:, 2]
        gap = gap[(largest > 0) & (gap > 1e-12 * scale)]
        margin = min(margin, np.abs(largest).min() / scale, gap.min(initial=np.inf) / scale)
    return margin


def stops_on_the_edge(case, history):
    """Whether the solver broke down, or stopped where rounding may decide otherwise."""
    tolerance = (case.head if case.learner is None else case.learner).cg_tolerance
    residuals, curvatures = np.asarray(history.residuals), np.asarray(history.curvatures)
    near = np.abs(residuals - tolerance) < MIN_STOP_MARGIN * tolerance
    return near.any() or not np.all(curvatures > 0.0)


def vanishes_by_construction(case, name):
    """Whether a gradient is zero for all inputs: a bias before a norm that takes it away again."""
    takes_away = case.norm == "batch" or (case.norm == "group" and case.groups == case.channels)
    return takes_away and name.endswith(".conv.bias")


def reason_to_redraw(case, expected, history):
    """Why float32 cannot be held to this answer, or None."""
    loss = float(expected["loss"][0])
    if not LOSS_RANGE[0] <= loss <= LOSS_RANGE[1]:
        return f"loss {loss:.3g}"
    if history is not None and stops_on_the_edge(case, history):
        return "a solver on the edge"
    # A head's own parameters are summed from other terms.
    network_names = [name for name in expected if name != "loss" and not name.startswith("head.")]
    gradients = {name: expected[name] for name in network_names}
    whole = np.sqrt(sum(np.sum(value**2) for value in gradients.values()))
    if not np.isfinite(whole):
        return "a gradient that is not finite"
    # Those of FiLM are as small as the changes that they stand for.
    for name, value in gradients.items() if case.film is None else ():
        small = np.linalg.norm(value) < MIN_PARAMETER_SHARE * whole
        if small and not vanishes_by_construction(case, name):
            return f"a vanishing gradient of {name}"
    return None


def draw_case(rng, recipe):
    """Draws until a case is fit: (toml, weights, episode, float64 answer)."""
    # Every draw compiles afresh, and what was compiled for the last case would stay.
    jax.clear_caches()
    tracer.cache_clear()
    least = MIN_ADAPTED_KINK_MARGIN if recipe.is_learner else MIN_KINK_MARGIN
    for _ in range(MAX_DRAWS):
        weights, episode = draw_weights(rng, recipe), draw_episode(rng, recipe)
        subset, encoder = draw_subset(rng, recipe, episode.support_labels), None
        if recipe.film and subset is not None:
            encoder = [int(row) for row in rng.permutation(len(episode.support_labels))[: len(subset)]]
        toml = case_toml(recipe, subset, encoder)
        case = parse_case(toml)
        margin = kink_margin(case, weights, episode)
        if margin < least:
            reason = f"a kink at {margin:.1g}"
            continue
        expected, history = oracle.solve_with_history(case, weights, episode)
        reason = reason_to_redraw(case, expected, history)
        if reason is None:
            return toml, weights, episode, expected
    raise RuntimeError(f"{recipe.name}: {MAX_DRAWS} draws, and the last had {reason}")


def write_case(folder, toml, weights, episode, expected, dtype):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.toml").write_text(toml, encoding="utf-8")
    save_file(weights, folder / "weights.safetensors")
    save_file(dataclasses.asdict(episode), folder / "episode.safetensors")
    answer = {name: value.astype(dtype) for name, value in expected.items()}
    save_file(answer, folder / "expected.safetensors")


def write_golden(folder, only=None):
    """The committed cases. Answers are float32: rounding them costs 6e-8 of a tolerance of 1e-4."""
    parts = (
        ("prototypes", "cases", GOLDEN, [GOLDEN_SEED]),
        ("bilevel", "cases_bilevel", GOLDEN_BILEVEL, [GOLDEN_SEED, 1]),
        ("film", "cases_film", GOLDEN_FILM, [GOLDEN_SEED, 2]),
    )
    for part, cases, recipes, seed in parts:
        for index, recipe in enumerate(recipes if only in (None, part) else ()):
            rng = np.random.default_rng([*seed, index])
            write_case(folder / cases / recipe.name, *draw_case(rng, recipe), np.float32)
            print(recipe.name, flush=True)


def write_random(folder, seed, only=None):
    """Fresh cases with float64 answers; returns their folders.

    `only` leaves out the "prototypes" or the "bilevel" ones; the others do not change by it.
    """
    folders = []

    def write(index, rng, recipe):
        case_folder = folder / f"{index:02}-{recipe.name}"
        write_case(case_folder, *draw_case(rng, recipe), np.float64)
        folders.append(case_folder)

    if only in (None, "prototypes"):
        rng = np.random.default_rng(seed)
        for index, recipe in enumerate(random_recipes(rng)):
            write(index, rng, recipe)
    if only in (None, "bilevel"):
        recipes = random_bilevel_recipes(np.random.default_rng([seed, 1]))
        for index, recipe in enumerate(recipes):
            write(30 + index, np.random.default_rng([seed, 1, index]), recipe)
    return folders


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    golden = commands.add_parser("golden")
    random = commands.add_parser("random")
    random.add_argument("--seed", type=int, required=True)
    random.add_argument("--out", type=Path, required=True)
    for command in (golden, random):
        command.add_argument("--only", choices=PARTS)
    arguments = parser.parse_args()
    if arguments.command == "golden":
        write_golden(Path(__file__).parent, arguments.only)
    else:
        for folder in write_random(arguments.out, arguments.seed, arguments.only):
            print(folder)


if __name__ == "__main__":
    main()
