"""PyTorch eager, on CUDA if there is one, else on the CPU with its own number of threads.

Speaks the protocol of docs/peers.md; data.ts has the twin of the numbers made here.
"""

import json
import math
import sys
import time

LONG = 10.0
"""A first run as long as this (seconds) has little to gain from a second before the timed ones."""

INPUTS, LABELS = 1000, 1001


class Unsupported(Exception):
    pass


def say(message):
    print(json.dumps(message), flush=True)


try:
    import torch
except ImportError as error:
    say({"unavailable": f"{error} for {sys.executable}: `pip install torch`, or start the Python that has it"})
    sys.exit(0)

import torch.nn.functional as F
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def uniform(seed, length, bound):
    x = (torch.arange(length, dtype=torch.int64) + seed * 0x9E3779B9) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    x = x ^ (x >> 16)
    return (bound * (x.double() / 2**31 - 1)).float()


def weight(seed, inputs, outputs):
    """[inputs, outputs], as nn.Linear begins."""
    return uniform(seed, inputs * outputs, 1 / math.sqrt(inputs)).reshape(inputs, outputs)


def finish():
    if device.type == "cuda":
        torch.cuda.synchronize()


def matmul(m, n, k, transposeA=False, transposeB=False):
    count = lambda length: torch.arange(length, dtype=torch.float64)
    a = torch.sin(0.37 * count(m * k)).float().reshape((k, m) if transposeA else (m, k)).to(device)
    b = torch.cos(0.23 * count(k * n)).float().reshape((n, k) if transposeB else (k, n)).to(device)
    a, b = (a.T if transposeA else a), (b.T if transposeB else b)

    def run():
        c = a @ b
        finish()
        return c

    return run, lambda: run().diagonal().double().sum().item()


class Block(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, h):
        return torch.relu(h + self.second(torch.relu(self.first(h))))


def network(norm, depth, width, inputs, classes):
    seeds = iter(range(2 * depth + 2))

    def linear(before, after, bias=False):
        layer = nn.Linear(before, after, bias=bias)
        with torch.no_grad():
            layer.weight.copy_(weight(next(seeds), before, after).T)
            if bias:
                layer.bias.zero_()
        return layer

    def layer(before):
        return nn.Sequential(linear(before, width), nn.BatchNorm1d(width)) if norm else linear(before, width)

    stem = layer(inputs)
    blocks = [Block(layer(width), layer(width)) for _ in range(depth)]
    return nn.Sequential(stem, nn.ReLU(), *blocks, linear(width, classes, bias=True)).to(device)


def step(norm, depth, width, inputs, classes, batch, steps, graph=False):
    if graph and device.type != "cuda":
        raise Unsupported("CUDA graphs are for CUDA")
    x = uniform(INPUTS, batch * inputs, 1).reshape(batch, inputs).to(device)
    y = ((uniform(LABELS, batch, 1) + 1) / 2 * classes).floor().long().clamp(max=classes - 1).to(device)
    model = network(norm, depth, width, inputs, classes)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    if graph:
        train = captured(train)

    def run():
        for _ in range(steps):
            loss = train()
        finish()
        return loss

    return run, lambda: run().item()


def captured(train):
    """The same as a CUDA graph, after the warm-up on a side stream that capture asks for."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            train()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = train()

    def replay():
        graph.replay()
        return loss

    return replay


def analysis(samples, depth, width, triples):
    weights = [weight(seed, width, width).to(device) for seed in range(2 * depth)]
    blocks = list(zip(weights[::2], weights[1::2]))
    inputs = uniform(INPUTS, samples * width, 1).reshape(samples, width).to(device)
    # Row i of every sample's Jacobian is the gradient of output i of its own, so one batched backward gives them all.
    rows = torch.eye(width, device=device)[:, None, :].expand(width, samples, width)

    def jacobians(first, second):
        h = inputs.clone().requires_grad_()
        out = torch.relu(h @ first) @ second
        (gradients,) = torch.autograd.grad(out, h, rows, is_grads_batched=True)
        return gradients.transpose(0, 1)

    def run():
        found = torch.svd_lowrank(torch.cat([jacobians(*block) for block in blocks]), q=triples)
        finish()
        return found

    return run, lambda: run()[1][:, 0].double().mean().item()


KINDS = {"matmul": matmul, "step": step, "analysis": analysis}
known = {}


def timed(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def answer(work, repeat):
    key = json.dumps(work, sort_keys=True)
    if key in known:
        run, check = known[key]
        first, _ = timed(run)
    else:
        kind, options = work["kind"], {name: value for name, value in work.items() if name != "kind"}
        if kind not in KINDS:
            raise Unsupported(f"no {kind} here")
        run, compute = KINDS[kind](**options)
        first, check = timed(compute)
        known[key] = run, check
    if first < LONG:
        run()
    parts = work.get("steps", 1)
    milliseconds = [1000 * timed(run)[0] / parts for _ in range(repeat)]
    return {"milliseconds": milliseconds, "check": check if math.isfinite(check) else None}


def describe():
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} threads"


say({"ready": {"name": "torch", "version": torch.__version__, "device": describe()}})
for line in sys.stdin:
    if not line.strip():
        continue
    request = json.loads(line)
    try:
        reply = answer(request["work"], request["repeat"])
    except Unsupported as error:
        reply = {"unsupported": str(error)}
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    say({"id": request["id"], **reply})
