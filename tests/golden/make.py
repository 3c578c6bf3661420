"""Random cases with the oracle's answers: the committed golden ones, or a folder of fresh ones.

    python3 make.py golden                       # rewrites cases/ beside this file
    python3 make.py random --seed 7 --out DIR    # every norm and estimator, in several sizes

A case is a folder with case.toml, weights.safetensors, episode.safetensors (float32 images,
int32 labels) and expected.safetensors.

A draw is kept only when float32 can answer it: see `reason_to_redraw`.
"""

import argparse
import dataclasses
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import save_file

import oracle

# A float32 activation is off by about 1e-6 of its block's size after four blocks. A pooled value
# that close to zero, or to the runner-up of its window, may switch sides and so change the
# gradient by a finite amount: no tolerance on rounding covers that.
MIN_KINK_MARGIN = 3e-6
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

    @property
    def name(self):
        metric = "" if self.metric == "euclidean" else f"-{self.metric}"
        size = f"c{self.channels}-{self.in_channels}x{self.image_size}-{self.ways}way"
        return f"{self.norm}-{self.estimator}{metric}-{size}"


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


def draw_weights(rng, recipe):
    """He-initialised convolutions; norm weights near one; positive running variances.

    The running statistics are near those of such a network, so that a frozen norm keeps the
    activations in proportion.
    """
    case = oracle.parse_case(case_toml(recipe, None))
    weights = {}
    for name, shape in oracle.parameter_shapes(case).items():
        noise = rng.standard_normal(shape)
        if name.endswith("conv.weight"):
            weights[name] = noise * np.sqrt(2.0 / np.prod(shape[1:]))
        elif name.endswith("norm.weight"):
            weights[name] = 1.0 + 0.2 * noise
        else:
            weights[name] = 0.1 * noise
    # A norm that does not read the statistics must ignore them, so some cases carry them.
    if recipe.norm == "frozen" or rng.random() < 0.5:
        for name, shape in oracle.statistic_shapes(case).items():
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


def case_toml(recipe, subset):
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
    lines += ["", "[head]", 'kind = "prototypes"']
    if recipe.metric == "cosine":
        lines += ['metric = "cosine"', "scale = 8.0"]
    lines += ["", "[gradient]", f'estimator = "{recipe.estimator}"']
    if recipe.chunk is not None:
        lines.append(f"chunk = {recipe.chunk}")
    if subset is not None:
        lines.append(f"support_subset = {subset}")
    return "\n".join(lines) + "\n"


def before_relu(case, parameters, statistics, images):
    """Each block's values before the ReLU, [images, channels, height, width]."""

    def traced(parameters, images):
        trace = []
        oracle.embed(case, parameters, statistics, images, trace)
        return trace

    return jax.jit(traced, compiler_options=oracle.QUICK_COMPILE)(parameters, images)


def kink_margin(case, weights, episode):
    """How near the task comes to a kink, as a share of its block's root mean square.

    Over all pooling windows: the distance of the largest value from zero (ReLU), and, where it is
    positive, from the second largest (max-pool). Exact ties do not count: they come from equal
    patches, for which either choice gives the same gradient.
    """
    parameters, statistics, task, _ = oracle.prepare(case, weights, episode, np.float64)
    margin = np.inf
    for images in (task.support_images, task.query_images):
        for z in map(np.asarray, before_relu(case, parameters, statistics, images)):
            count, channels, size, _ = z.shape
            half = size // 2
            cropped = z[:, :, : 2 * half, : 2 * half].reshape(count, channels, half, 2, half, 2)
            windows = np.sort(cropped.transpose(0, 1, 2, 4, 3, 5).reshape(-1, 4), axis=1)
            scale = np.sqrt(np.mean(z**2))
            largest, gap = windows[:, 3], windows[:, 3] - windows[:, 2]
            gap = gap[(largest > 0) & (gap > 1e-12 * scale)]
            margin = min(margin, np.abs(largest).min() / scale, gap.min(initial=np.inf) / scale)
    return margin


def vanishes_by_construction(case, name):
    """Whether a gradient is zero for all inputs: a bias before a norm that takes it away again."""
    takes_away = case.norm == "batch" or (case.norm == "group" and case.groups == case.channels)
    return takes_away and name.endswith(".conv.bias")


def reason_to_redraw(case, weights, episode, expected):
    """Why float32 cannot be held to this draw, or None."""
    loss = float(expected["loss"][0])
    if not LOSS_RANGE[0] <= loss <= LOSS_RANGE[1]:
        return f"loss {loss:.3g}"
    gradients = {name: expected[name] for name in oracle.parameter_shapes(case)}
    whole = np.sqrt(sum(np.sum(value**2) for value in gradients.values()))
    if not np.isfinite(whole):
        return "a gradient that is not finite"
    for name, value in gradients.items():
        small = np.linalg.norm(value) < MIN_PARAMETER_SHARE * whole
        if small and not vanishes_by_construction(case, name):
            return f"a vanishing gradient of {name}"
    margin = kink_margin(case, weights, episode)
    return None if margin >= MIN_KINK_MARGIN else f"a kink at {margin:.1g}"


def draw_case(rng, recipe):
    """Draws until a case is fit: (toml, weights, episode, float64 answer)."""
    for _ in range(MAX_DRAWS):
        weights, episode = draw_weights(rng, recipe), draw_episode(rng, recipe)
        toml = case_toml(recipe, draw_subset(rng, recipe, episode.support_labels))
        case = oracle.parse_case(toml)
        expected = oracle.solve(case, weights, episode)
        reason = reason_to_redraw(case, weights, episode, expected)
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


def write_golden(folder):
    """The committed cases. Answers are float32: rounding them costs 6e-8 of a tolerance of 1e-4."""
    for index, recipe in enumerate(GOLDEN):
        rng = np.random.default_rng([GOLDEN_SEED, index])
        write_case(folder / recipe.name, *draw_case(rng, recipe), np.float32)
        print(recipe.name)


def write_random(folder, seed):
    """Fresh cases with float64 answers; returns their folders."""
    rng = np.random.default_rng(seed)
    folders = []
    for index, recipe in enumerate(random_recipes(rng)):
        case_folder = folder / f"{index:02}-{recipe.name}"
        write_case(case_folder, *draw_case(rng, recipe), np.float64)
        folders.append(case_folder)
    return folders


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("golden")
    random = commands.add_parser("random")
    random.add_argument("--seed", type=int, required=True)
    random.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "golden":
        write_golden(Path(__file__).parent / "cases")
    else:
        for folder in write_random(arguments.out, arguments.seed):
            print(folder)


if __name__ == "__main__":
    main()
