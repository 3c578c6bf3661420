"""Measures PyTorch on the rows of rows.json: passes through Conv-4 and whole training steps.

    python3 pytorch.py --rows rows.json [--device cpu|cuda] [--only START_OF_A_ROW_NAME]

Prints one JSON object per row: milliseconds and peak bytes, or under `missing` why there are none.

Everything runs eagerly, in float32 proper and with PyTorch's own number of threads; no row is
compiled. The images are random, for what they show does not matter for time. Passes through the
network alone find them on the device; training steps find them on the host and upload them.
"""

import argparse
import ctypes
import gc
import json
import platform
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

BLOCKS = 4
LEARNING_RATE = 1e-3
STATUS = Path("/proc/self/status")


class RowError(Exception):
    """A row that this script cannot measure, or whose figures would mean nothing."""


# Networks


def norm(kind, channels, groups):
    """A norm with a scale and shift; batch norms take the statistics of the pass in every mode."""
    if kind == "batch":
        return nn.BatchNorm2d(channels, track_running_stats=False)
    return nn.GroupNorm(groups, channels)


def conv4(row, groups):
    """Four blocks of convolution, norm, ReLU and max-pooling, flattened."""
    layers, inputs = [], row["image"][0]
    for _ in range(BLOCKS):
        layers += [
            nn.Conv2d(inputs, row["channels"], kernel_size=3, padding=1),
            norm(row["norm"], row["channels"], groups),
            # No backward pass needs what the norm put out, so that it may be overwritten.
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]
        inputs = row["channels"]
    return nn.Sequential(*layers, nn.Flatten())


def embedding_size(row):
    """Numbers in an embedding: each block halves height and width, rounding down."""
    return row["channels"] * (row["image"][1] >> BLOCKS) ** 2


def random_images(row, count):
    """Images on the host."""
    channels, size = row["image"]
    return torch.rand(count, channels, size, size)


def class_labels(ways, images_per_class):
    """0, 0, …, 1, 1, …, in the order of the classes."""
    return torch.arange(ways).repeat_interleave(images_per_class)


def adam(parameters):
    """Adam as one kernel for all parameters, the fastest of PyTorch's own."""
    return torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)


def require(holds, reason):
    """Refuses a row of a kind that the list did not have when this was written."""
    if not holds:
        raise RowError(reason)


# Rows: each function builds a row's (run, parameters); a run returns its loss or its embeddings.


def forward_row(row, groups, device):
    """Images to embeddings, without a graph."""
    network = conv4(row, groups).to(device)
    images = random_images(row, row["batch"]).to(device)

    def run():
        with torch.inference_mode():
            return network(images)

    return run, []


def forward_backward_row(row, groups, device):
    """Images to embeddings, and back from half the sum of their squares to all parameters."""
    network = conv4(row, groups).to(device)
    images = random_images(row, row["batch"]).to(device)

    def run():
        network.zero_grad(set_to_none=True)
        loss = 0.5 * network(images).square().sum()
        loss.backward()
        return loss.detach()

    return run, list(network.parameters())


def prototypes_row(row, groups, device):
    """A training step of prototypical networks, with LITE where the row has an `h`."""
    # Support and query images share a pass, and with LITE so do those of H of them.
    require(row["norm"] == "group", "images that share a pass must not share its batch statistics")
    require(row["tasks"] == 1, "only one task per step")
    ways, count, h = row["ways"], row["ways"] * row["shots"], row.get("h")
    network = conv4(row, groups).to(device)
    optimizer = adam(network.parameters())
    images = random_images(row, count + ways * row["queries"])
    members = torch.eye(ways)[class_labels(ways, row["shots"])]
    query_labels = class_labels(ways, row["queries"]).to(device)

    def run():
        if h is None:
            embeddings = network(images.to(device))
            support, query, order = embeddings[:count], embeddings[count:], torch.arange(count)
        else:
            order = torch.randperm(count)
            support, query = lite_embeddings(network, images, order, h, device)
        loss = prototype_loss(support, members[order].to(device), query, query_labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run, list(network.parameters())


def prototype_loss(support, members, query, query_labels):
    """Mean cross-entropy by squared distances to class means; `members` is one-hot, [support, ways]."""
    means = members.T @ support / members.sum(0)[:, None]
    logits = -(query[:, None] - means).square().sum(2)
    return F.cross_entropy(logits, query_labels)


def lite_embeddings(network, images, order, h, device):
    """Embeddings of the support in `order`, of which only the first `h` have a graph, and of the queries.

    The support comes first in `images`. See Bronskill et al. 2021, Memory Efficient Meta-Learning
    with Large Images.
    """
    count = len(order)
    queries = torch.arange(count, len(images))
    # First, so that its activations are gone before the graph of the others grows.
    with torch.no_grad():
        constants = network(images[order[h:]].to(device))
    traced = network(images[torch.cat([order[:h], queries])].to(device))
    active = with_gradient_times(count / h, traced[:h])
    return torch.cat([active, constants]), traced[h:]


def with_gradient_times(factor, values):
    """The same values; gradients that flow back through them are multiplied by `factor`."""
    return values.detach() + factor * (values - values.detach())


def maml_row(row, groups, device):
    """A step of MAML with all second derivatives; the classifier is adapted like the rest."""
    require(row["tasks"] == 1, "only one task per step")
    ways, count = row["ways"], row["ways"] * row["shots"]
    model = nn.Sequential(conv4(row, groups), nn.Linear(embedding_size(row), ways)).to(device)
    optimizer = adam(model.parameters())
    images = random_images(row, count + ways * row["queries"])
    support_labels = class_labels(ways, row["shots"]).to(device)
    query_labels = class_labels(ways, row["queries"]).to(device)

    def run():
        support, query = images.to(device).split([count, len(images) - count])
        adapted = adapt(model, support, support_labels, row["inner_steps"], row["inner_lr"])
        loss = F.cross_entropy(functional_call(model, adapted, (query,)), query_labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run, list(model.parameters())


def adapt(model, images, labels, steps, rate):
    """All parameters by name after gradient steps whose graph is kept."""
    weights = dict(model.named_parameters())
    for _ in range(steps):
        loss = F.cross_entropy(functional_call(model, weights, (images,)), labels)
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {name: w - rate * slope for (name, w), slope in zip(weights.items(), slopes)}
    return weights


def implicit_row(row, groups, device):
    """A step with an implicitly differentiated linear classifier per task."""
    require(row["norm"] == "group", "images that share a pass must not share its batch statistics")
    ways, tasks = row["ways"], row["tasks"]
    sizes = [tasks * ways * row["shots"], tasks * ways * row["queries"]]
    network = conv4(row, groups).to(device)
    optimizer = adam(network.parameters())
    images = random_images(row, sum(sizes))
    support_labels = class_labels(ways, row["shots"]).to(device)
    query_labels = class_labels(ways, row["queries"]).to(device)

    def run():
        embeddings = network(images.to(device))
        support, query = (part.unflatten(0, (tasks, -1)) for part in embeddings.detach().split(sizes))
        loss, slopes = hypergradient(support, support_labels, query, query_labels, row)
        optimizer.zero_grad(set_to_none=True)
        embeddings.backward(torch.cat([slope.flatten(0, 1) for slope in slopes]))
        optimizer.step()
        return loss

    return run, list(network.parameters())


def hypergradient(support, support_labels, query, query_labels, row):
    """(query loss, its derivatives by support and query embeddings), a mean over tasks.

    Embeddings are [tasks, images, numbers]; all tasks have the same labels. At the solution w of
    the inner problem with gradient g(E, w) the support's derivative is −⟨∂g/∂E, v⟩, where v solves
    (∂g/∂w) v = (gradient of the query loss by w).
    """
    tasks, ways = len(support), row["ways"]
    targets = torch.eye(ways, dtype=support.dtype, device=support.device)[support_labels]
    support, query = with_constant(support), with_constant(query)
    w = inner_solution(support, targets, row["ridge"], row["inner_steps"], row["inner_lr"])

    for leaf in (support, query, w):
        leaf.requires_grad_()
    logits = torch.bmm(query, w)
    loss = F.cross_entropy(logits.flatten(0, 1), query_labels.repeat(tasks))
    b, query_slope = torch.autograd.grad(loss, (w, query))
    # One graph of g serves all products. ∂g/∂w is a Hessian and hence symmetric, so a backward
    # pass gives what a forward one would, and in PyTorch it is about ten times as fast.
    inner = inner_gradient(support, w, targets, row["ridge"])
    v = conjugate_gradient(
        lambda p: torch.autograd.grad(inner, w, p, retain_graph=True)[0], b, row["cg_steps"]
    )
    (support_slope,) = torch.autograd.grad(inner, support, -v)
    # The constant is no embedding.
    return loss.detach(), (support_slope[..., :-1], query_slope[..., :-1])


def with_constant(embeddings):
    """Embeddings with a 1 behind each, whose weight is the bias."""
    return F.pad(embeddings, (0, 1), value=1.0)


def inner_gradient(support, w, targets, ridge):
    """Gradient by w of the support's mean cross-entropy plus ridge/2 ‖w‖², for each task."""
    errors = torch.bmm(support, w).softmax(2) - targets
    return torch.bmm(support.transpose(1, 2), errors) / support.shape[1] + ridge * w


@torch.no_grad()
def inner_solution(support, targets, ridge, steps, rate):
    """Each task's classifier after gradient steps from zero."""
    w = support.new_zeros(len(support), support.shape[2], targets.shape[1])
    for _ in range(steps):
        w -= rate * inner_gradient(support, w, targets, ridge)
    return w


@torch.no_grad()
def conjugate_gradient(product, b, steps):
    """Each task's x with A x = b, from zero by so many iterations and never fewer."""

    def dot(left, right):
        return (left * right).sum((1, 2), keepdim=True)

    x, r, p = torch.zeros_like(b), b.clone(), b.clone()
    rr = dot(r, r)
    for _ in range(steps):
        ap = product(p)
        alpha = rr / dot(p, ap)
        x += alpha * p
        r -= alpha * ap
        rr, before = dot(r, r), rr
        p = r + rr / before * p
    return x


ROWS = {
    "forward": forward_row,
    "forward-backward": forward_backward_row,
    "prototypes": prototypes_row,
    "maml": maml_row,
    "implicit": implicit_row,
}


# Measuring


def measure(rows, row, device):
    """A row's times and peak memory."""
    require(row["pass"] in ROWS, f"no pass called {row['pass']}")
    torch.manual_seed(0)
    before = start_memory(device)
    run, parameters = ROWS[row["pass"]](row, rows["groups"], device)
    check(run(), parameters)
    millis = sorted(timed_runs(run, rows["repeats"], rows["seconds"], device))
    return {
        "median_ms": millis[len(millis) // 2],
        "fastest_ms": millis[0],
        "slowest_ms": millis[-1],
        "repeats": len(millis),
        "peak_bytes": peak_memory(device, before),
    }


def check(result, parameters):
    """Refuses a run with a result or a gradient that is not finite, or with none for a parameter."""
    require(bool(result.isfinite().all()), "the loss or an embedding is not finite")
    for parameter in parameters:
        require(parameter.grad is not None, "a parameter has no gradient")
        require(bool(parameter.grad.isfinite().all()), "a gradient is not finite")


def timed_runs(run, repeats, seconds, device):
    """Milliseconds of each run; no further one begins after so many seconds, but one always does."""
    millis, begin = [], time.perf_counter()
    while not millis or (len(millis) < repeats and time.perf_counter() - begin < seconds):
        synchronize(device)
        start = time.perf_counter()
        run()
        synchronize(device)
        millis.append(1e3 * (time.perf_counter() - start))
    return millis


def synchronize(device):
    """Waits for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def start_memory(device):
    """Begins to watch memory; returns the bytes that are not the row's, or None where none can tell."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return 0
    try:
        # What earlier rows freed but the allocator kept would hide some of this row's growth.
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        pass
    try:
        # Resets the kernel's high-water mark.
        Path("/proc/self/clear_refs").write_text("5")
        return status_bytes("VmRSS")
    except OSError:
        return None


def peak_memory(device, before):
    """The most bytes since `start_memory`, beyond `before`: allocated on CUDA, resident on a CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = None if before is None else status_bytes("VmHWM")
    return None if peak is None else peak - before


def status_bytes(field):
    """A figure that the kernel keeps of this process, or None."""
    return next((1024 * int(value.split()[0]) for name, value in fields(STATUS) if name == field), None)


def fields(path):
    """Names and values of a file of lines `name: value`."""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return [(name.strip(), value.strip()) for name, _, value in lines]


def device_name(device):
    """The GPU; or the processor and the threads in use."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        model = next((value for name, value in fields(Path("/proc/cpuinfo")) if name == "model name"), None)
    except OSError:
        model = None
    return f"{model or platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def warm_up():
    """One small step of each kind on the CPU, so that no row's memory counts what PyTorch loads on
    first use, such as the modules behind the first step of an optimizer.
    """
    row = {"channels": 8, "image": [3, 16], "batch": 2, "tasks": 1, "ways": 2, "shots": 1, "queries": 1}
    row |= {"inner_steps": 1, "inner_lr": 0.1, "ridge": 0.1, "cg_steps": 1}
    for name, build in ROWS.items():
        run, _ = build(row | {"norm": "batch" if name == "maml" else "group"}, 8, "cpu")
        run()


def reason(error):
    """One line on why a row is missing."""
    words = str(error).strip().partition("\n")[0]
    return words if isinstance(error, RowError) else f"{type(error).__name__}: {words}"


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Measures PyTorch on the rows of a list.")
    parser.add_argument("--rows", type=Path, required=True, help="the list, rows.json")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--only", default="", metavar="START", help="only rows whose names start so")
    return parser.parse_args()


def main():
    """Measures the rows one after the other and prints each as soon as it is known."""
    args = arguments()
    rows = json.loads(args.rows.read_text(encoding="utf-8"))
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch finds no CUDA device")
    # Convolutions of PyTorch round their inputs to TensorFloat-32 on recent GPUs unless told not to.
    torch.backends.fp32_precision = "ieee"
    about = {
        "peer": "PyTorch (CUDA)" if args.device == "cuda" else "PyTorch (CPU)",
        "version": torch.__version__,
        "device": device_name(args.device),
        "place": "native",
    }
    if args.device == "cpu":
        warm_up()
    for row in rows["rows"]:
        if not row["name"].startswith(args.only):
            continue
        try:
            outcome = measure(rows, row, args.device)
        except Exception as error:  # Whatever stops one row, the others can still be measured.
            outcome = {"missing": reason(error)}
        print(json.dumps(about | {"row": row["name"]} | outcome), flush=True)


if __name__ == "__main__":
    main()
