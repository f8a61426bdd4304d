"""PyTorch, on CUDA if there is one, else on the CPU with its own number of threads.

`torch_peer.py` alone runs everything eagerly; `torch_peer.py graph` captures training steps and replays them as CUDA
graphs, and `torch_peer.py compile` compiles them with torch.compile.

Speaks the protocol of docs/peers.md; data.ts has the twin of the numbers made here.
"""

import json
import math
import sys
import time

LONG = 10.0
"""A first run as long as this (seconds) has little to gain from a second before the timed ones."""

INPUTS, LABELS = 1000, 1001

CHECKED_STEPS = 3
"""Steps from the start to the one whose loss tells whether gradients and momentum are right."""


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
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

mode = sys.argv[1] if len(sys.argv) > 1 else "eager"
if mode == "graph" and device.type != "cuda":
    say({"unavailable": "CUDA graphs are for CUDA, which this PyTorch does not see"})
    sys.exit(0)
if mode == "compile" and not hasattr(torch, "compile"):
    say({"unavailable": f"PyTorch {torch.__version__} has no torch.compile: install 2.0 or newer"})
    sys.exit(0)


def uniform(seed, length, bound):
    x = (torch.arange(length, dtype=torch.int64) + seed * 0x9E3779B9) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    x = x ^ (x >> 16)
    return (bound * (x.double() / 2**31 - 1)).float()


def weight(seed, inputs, outputs):
    """[inputs, outputs], as nn.Linear begins."""
    return uniform(seed, inputs * outputs, 1 / math.sqrt(inputs)).reshape(inputs, outputs)


def convolution_weight(seed, outputChannels, inputChannels, size):
    """[outputChannels, inputChannels, size, size], as nn.Conv2d begins."""
    bound = 1 / math.sqrt(inputChannels * size * size)
    return uniform(seed, outputChannels * inputChannels * size * size, bound).reshape(outputChannels, inputChannels, size, size)


def finish():
    if device.type == "cuda":
        torch.cuda.synchronize()


def matmul(m, n, k, transposeA=False, transposeB=False):
    count = lambda length: torch.arange(length, dtype=torch.float64)
    a = torch.sin(0.37 * count(m * k)).float().reshape((k, m) if transposeA else (m, k)).to(device)
    b = torch.cos(0.23 * count(k * n)).float().reshape((n, k) if transposeB else (k, n)).to(device)
    a, b = (a.T if transposeA else a), (b.T if transposeB else b)

    run = lambda: a @ b
    return run, lambda: run().diagonal().double().sum().item()


def channels_first(x):
    return x.permute(0, 3, 1, 2).contiguous()


def conv(images, height, width, inputChannels, outputChannels, size, stride, padding, gradients):
    def wave(f, rate, *shape):
        count = torch.arange(math.prod(shape), dtype=torch.float64)
        return f(rate * count).float().reshape(shape).to(device)

    places = [(side + 2 * padding - size) // stride + 1 for side in (height, width)]
    x = channels_first(wave(torch.sin, 0.37, images, height, width, inputChannels)).requires_grad_(gradients)
    w = wave(torch.cos, 0.23, outputChannels, inputChannels, size, size).requires_grad_(gradients)
    dy = channels_first(wave(torch.sin, 0.41, images, *places, outputChannels))

    def run():
        y = F.conv2d(x, w, stride=stride, padding=padding)
        return [y, *torch.autograd.grad(y, (x, w), dy)] if gradients else [y]

    def samples(t):
        """What results are compared by, as data.ts has it."""
        first, second, rows, columns = t.shape
        i = torch.arange(first)
        return t.detach()[i, i % second, rows // 2, columns // 2].double().sum().item()

    return run, lambda: sum(samples(t) for t in run())


def layer(layer, groups, rows, features):
    whole = groups * rows * features
    sizes = [whole] * 4 if layer == "attention" else [whole, features, features, whole]
    operands = []
    for i, (size, rate) in enumerate(zip(sizes, [0.37, 0.23, 0.41, 0.29])):
        x = (torch.cos if i % 2 else torch.sin)(rate * torch.arange(size, dtype=torch.float64)).float().to(device)
        operands.append(x if size == features else x.reshape(groups, rows, features))
    *inputs, dy = operands
    for x in inputs:
        x.requires_grad_()

    def run():
        if layer == "attention":
            y = F.scaled_dot_product_attention(*inputs)
        else:
            y = F.layer_norm(inputs[0], (features,), *inputs[1:])
        return [y, *torch.autograd.grad(y, inputs, dy)]

    def samples(t):
        """What results are compared by, as data.ts has it."""
        first = t.detach().reshape(-1, features)[:rows]
        i = torch.arange(len(first))
        return first[i, i % features].double().sum().item()

    return run, lambda: sum(samples(t) for t in run())


class Block(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, h):
        return torch.relu(h + self.second(torch.relu(self.first(h))))


def network(network, norm, depth, width, inputs, classes, stem=None):
    seeds = iter(range(2 * depth + 2))

    def linear(before, after, bias=False):
        layer = nn.Linear(before, after, bias=bias)
        with torch.no_grad():
            layer.weight.copy_(weight(next(seeds), before, after).T)
            if bias:
                layer.bias.zero_()
        return layer

    def convolution(before, size, stride, padding):
        layer = nn.Conv2d(before, width, size, stride=stride, padding=padding, bias=False)
        with torch.no_grad():
            layer.weight.copy_(convolution_weight(next(seeds), width, before, size))
        return layer

    def normalized(layer):
        batch_norm = nn.BatchNorm1d if network == "fc" else nn.BatchNorm2d
        return nn.Sequential(layer, batch_norm(width)) if norm else layer

    def inner():
        return normalized(linear(width, width) if network == "fc" else convolution(width, 3, 1, 1))

    first = normalized(linear(inputs, width) if network == "fc" else convolution(inputs[2], **stem))
    blocks = [Block(inner(), inner()) for _ in range(depth)]
    pool = [] if network == "fc" else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(first, nn.ReLU(), *blocks, *pool, linear(width, classes, bias=True)).to(device)


def step(inputs, classes, batch, **options):
    shape = inputs if isinstance(inputs, list) else [inputs]
    x = uniform(INPUTS, batch * math.prod(shape), 1).reshape(batch, *shape)
    x = (channels_first(x) if len(shape) == 3 else x).to(device)
    y = ((uniform(LABELS, batch, 1) + 1) / 2 * classes).floor().long().clamp(max=classes - 1).to(device)
    model = network(inputs=inputs, classes=classes, **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    forward = lambda: F.cross_entropy(model(x), y)
    if mode == "compile":
        forward = torch.compile(forward)

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss = forward()
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = captured(train) if mode == "graph" else train
    return run, lambda: [run() for _ in range(CHECKED_STEPS)][-1].item()


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
        return torch.svd_lowrank(torch.cat([jacobians(*block) for block in blocks]), q=triples)

    return run, lambda: run()[1][:, 0].double().mean().item()


KINDS = {"matmul": matmul, "conv": conv, "layer": layer, "step": step, "analysis": analysis}
known = {}


def timed(run, times=1):
    """Seconds of so many runs on end, which are waited for as a whole, and the last one's result."""
    start = time.perf_counter()
    for _ in range(times):
        result = run()
    finish()
    return time.perf_counter() - start, result


def answer(work, repeat, times=1):
    key = json.dumps(work, sort_keys=True)
    if key in known:
        run, check = known[key]
        first, _ = timed(run)
    else:
        kind, options = work["kind"], {name: value for name, value in work.items() if name != "kind"}
        if kind not in KINDS or (mode != "eager" and kind != "step"):
            raise Unsupported(f"no {kind} here")
        run, compute = KINDS[kind](**options)
        first, check = timed(compute)
        known[key] = run, check
    if first < LONG:
        timed(run)
    milliseconds = [1000 * timed(run, times)[0] / times for _ in range(repeat)]
    return {"milliseconds": milliseconds, "check": check if math.isfinite(check) else None}


def describe():
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} threads"


name = "torch" if mode == "eager" else f"torch-{mode}"
say({"ready": {"name": name, "version": torch.__version__, "device": describe()}})
for line in sys.stdin:
    if not line.strip():
        continue
    request = json.loads(line)
    try:
        reply = answer(request["work"], request["repeat"], request.get("times", 1))
    except Unsupported as error:
        reply = {"unsupported": str(error)}
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    say({"id": request["id"], **reply})
