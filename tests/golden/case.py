"""The case file: what a task's answer depends on besides its tensors.

Every key is required unless it says otherwise, and an unknown one is an error, so that no
setting is silently ignored or filled in.
"""

import dataclasses
import math
import tomllib

# Conv-4 halves the image four times, so a smaller one leaves no pixel.
BLOCKS = 4
MIN_IMAGE_SIZE = 2**BLOCKS


class CaseError(ValueError):
    """A case, a weight file or an episode that the oracle cannot answer."""


@dataclasses.dataclass(frozen=True)
class Prototypes:
    """Class means; logits by `metric`, cosines times `scale`."""

    metric: str
    scale: float


@dataclasses.dataclass(frozen=True)
class Ridge:
    """Regression onto the labels with the ridge `lam`; logits times `scale`."""

    lam: float
    scale: float


@dataclasses.dataclass(frozen=True)
class Mahalanobis:
    """Distances to class means under the covariance of each class."""


@dataclasses.dataclass(frozen=True)
class Versa:
    """A linear classifier that two perceptrons with `hidden` features write from class means.

    `hidden` is None where there are as many as an embedding has.
    """

    hidden: int | None


@dataclasses.dataclass(frozen=True)
class Inner:
    """Gradient steps from zero on a linear head's cross-entropy plus (ridge/2)‖w‖²."""

    steps: int
    lr: float
    ridge: float


@dataclasses.dataclass(frozen=True)
class Unrolled:
    """Differentiated through every inner step."""

    inner: Inner


@dataclasses.dataclass(frozen=True)
class Implicit:
    """Differentiated by conjugate gradient at the last inner step."""

    inner: Inner
    cg_steps: int
    cg_tolerance: float


@dataclasses.dataclass(frozen=True)
class Neumann:
    """Like `Implicit`, by the first `terms` terms of the series with step `eta`."""

    inner: Inner
    terms: int
    eta: float


@dataclasses.dataclass(frozen=True)
class Learner:
    """Inner steps on all parameters; `prox` and the solver's settings are iMAML's."""

    kind: str
    inner_steps: int
    inner_lr: float
    prox: float = 0.0
    cg_steps: int = 0
    cg_tolerance: float = 0.0


@dataclasses.dataclass(frozen=True)
class Film:
    """Norms that adapt to a task, by a set encoder of `blocks` blocks."""

    channels: int
    blocks: int
    groups: int
    regulariser: float


@dataclasses.dataclass(frozen=True)
class Case:
    """A validated `case.toml`: a head with an estimator, or a learner of the whole network."""

    channels: int
    norm: str
    groups: int
    image_size: int
    in_channels: int
    head: Prototypes | Ridge | Mahalanobis | Versa | Unrolled | Implicit | Neumann | None
    learner: Learner | None
    estimator: str
    h: int | None
    support_subset: tuple[int, ...] | None
    film: Film | None
    encoder_subset: tuple[int, ...] | None


def require(condition, message):
    if not condition:
        raise CaseError(message)


class Section:
    """One table of the file. Whatever is not taken from it by `done` is unknown."""

    def __init__(self, name, table):
        self.name = name
        self.left = dict(table)

    def take(self, key):
        require(key in self.left, f"{self.name}.{key} is missing")
        return self.left.pop(key)

    def one_of(self, key, *allowed):
        value = self.take(key)
        found = f"{self.name}.{key} = {value!r}"
        require(value in allowed, f"{found}: expected one of {', '.join(allowed)}")
        return value

    def count(self, key):
        """A whole number above zero."""
        value = self.take(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        require(whole and value >= 1, f"{self.name}.{key} = {value!r}: expected a count above 0")
        return value

    def number(self, key, zero=False):
        """A finite number above zero, or zero where that is allowed."""
        value = self.take(key)
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = real and math.isfinite(value) and (value > 0 or (zero and value == 0))
        least = "of at least 0" if zero else "above 0"
        require(fits, f"{self.name}.{key} = {value!r}: expected a number {least}")
        return float(value)

    def done(self):
        require(not self.left, f"unknown keys in [{self.name}]: {sorted(self.left)}")


def parse_head(section):
    kinds = ("prototypes", "ridge", "mahalanobis", "versa", "unrolled", "implicit", "neumann")
    kind = section.one_of("kind", *kinds)
    if kind == "prototypes":
        return parse_prototypes(section)
    if kind == "ridge":
        return Ridge(section.number("lambda"), section.number("scale"))
    if kind == "mahalanobis":
        return Mahalanobis()
    if kind == "versa":
        return Versa(section.count("hidden") if "hidden" in section.left else None)
    # Without a ridge the Hessian is singular: only the head that does not solve with it may.
    ridge = section.number("ridge", zero=kind == "unrolled")
    inner = Inner(section.count("inner_steps"), section.number("inner_lr"), ridge)
    if kind == "unrolled":
        return Unrolled(inner)
    if kind == "neumann":
        return Neumann(inner, section.count("terms"), section.number("eta"))
    return Implicit(inner, section.count("cg_steps"), section.number("cg_tolerance", zero=True))


def parse_prototypes(section):
    metric = "euclidean"
    if "metric" in section.left:
        metric = section.one_of("metric", "euclidean", "cosine")
    if metric == "cosine":
        require("scale" in section.left, 'head.metric = "cosine" needs head.scale')
    return Prototypes(metric, float(section.left.pop("scale", 1.0)))


def parse_learner(section):
    kind = section.one_of("kind", "maml", "fomaml", "reptile", "imaml")
    learner = Learner(kind, section.count("inner_steps"), section.number("inner_lr"))
    if kind != "imaml":
        return learner
    return dataclasses.replace(
        learner,
        prox=section.number("prox"),
        cg_steps=section.count("cg_steps"),
        cg_tolerance=section.number("cg_tolerance", zero=True),
    )


def parse_estimator(section, norm):
    """(estimator, h, support_subset); the other keys do not change the answer."""
    estimator = section.one_of("estimator", "full", "chunked", "lite", "subsampled")
    if norm == "batch":
        # Batch statistics couple the images, so the split into per-image parts does not hold.
        coupled = estimator in ("chunked", "lite")
        require(not coupled, f'model.norm = "batch" does not go with the estimator {estimator}')
    h, subset = section.left.pop("h", None), section.left.pop("support_subset", None)
    encoder = section.left.pop("encoder_subset", None)
    for key in ("chunk", "subset", "seed"):
        section.left.pop(key, None)
    subset, encoder = (None if rows is None else tuple(rows) for rows in (subset, encoder))
    return estimator, h, subset, encoder


def parse_film(model):
    """None where the network is the same for all tasks."""
    if model.left.pop("trained", "all") != "film":
        return None
    section = Section("model.film", model.take("film"))
    film = Film(
        section.count("channels"),
        section.count("blocks"),
        section.count("groups"),
        section.number("regulariser", zero=True),
    )
    require(film.channels % film.groups == 0, "model.film.groups must divide its channels")
    section.done()
    return film


def parse_case(text):
    """Reads a case."""
    table = tomllib.loads(text)
    unknown = sorted(set(table) - {"model", "head", "gradient", "learner"})
    require(not unknown, f"unknown sections {unknown}")
    sections = {name: Section(name, keys) for name, keys in table.items()}
    model = sections.setdefault("model", Section("model", {}))
    model.one_of("backbone", "conv4")
    norm = model.one_of("norm", "frozen", "batch", "group")
    channels, groups = model.count("channels"), model.left.pop("groups", 0)
    if norm == "group":
        require(groups > 0 and channels % groups == 0, "model.groups must divide model.channels")
    image_size = model.count("image_size")
    require(image_size >= MIN_IMAGE_SIZE, f"model.image_size must be at least {MIN_IMAGE_SIZE}")

    head, learner = None, None
    estimator, h, subset, encoder = "full", None, None, None
    film = parse_film(model)
    if "learner" in sections:
        both = sorted({"head", "gradient"} & set(sections))
        require(not both, f"[learner] takes the whole network and support, without {both}")
        learner = parse_learner(sections["learner"])
    else:
        head = parse_head(sections.setdefault("head", Section("head", {})))
        gradient = sections.setdefault("gradient", Section("gradient", {}))
        estimator, h, subset, encoder = parse_estimator(gradient, norm)
    in_channels = model.count("in_channels")
    for section in sections.values():
        section.done()
    return Case(
        channels=channels,
        norm=norm,
        groups=groups,
        image_size=image_size,
        in_channels=in_channels,
        head=head,
        learner=learner,
        estimator=estimator,
        h=h,
        support_subset=subset,
        film=film,
        encoder_subset=encoder,
    )
