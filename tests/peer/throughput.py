"""ResNet-18 (CIFAR stem, 32x32) or ResNet-50 (224x224) beside others on the CPU: images per second and ratios.

    cargo build --release --bench throughput      # builds our side (tests/peer/throughput.rs)
    python tests/peer/throughput.py [--network resnet50] [--precision bf16] [--peers eager compiled onnxruntime openvino]
                                     [--threads 2] [--batches 64 256] [--rounds 3]

Equal precision and threads, the programs in turns within one run; the best round of each counts,
since whatever else the machine does only slows. A training step is the forward pass with batch
statistics and the backward pass to all weights, in float32 alone and beside PyTorch alone. PyTorch in bf16 is a network
that was cast to it, in inference mode. Who the others are: runtimes.py.
"""

import argparse
import glob
import os
import subprocess
import time
from pathlib import Path

import runtimes
import torch
import torchvision

ROOT = Path(__file__).resolve().parents[2]


SIDES = {"resnet18": 32, "resnet50": 224}


def network(name):
    net = getattr(torchvision.models, name)(weights=None)
    if name == "resnet18":
        net.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        net.maxpool = torch.nn.Identity()
    net.fc = torch.nn.Identity()
    return net


def rate(batch, call, repeats=5):
    call()
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        rates.append(batch / (time.perf_counter() - start))
    return sorted(rates)[repeats // 2]


def steps(args, batch):
    """Rates of a training step in PyTorch, by layout."""
    if args.precision != "f32" or args.network != "resnet18":
        return {}
    rates = {}
    for name, order in [("PyTorch", torch.contiguous_format), ("PyTorch channels_last", torch.channels_last)]:
        net = network(args.network).to(memory_format=order).train()
        images = random_images(args, batch).contiguous(memory_format=order)

        def step():
            net.zero_grad(set_to_none=True)
            net(images).square().mean().backward()

        rates[name] = rate(batch, step)
    return rates


def random_images(args, batch):
    side = SIDES[args.network]
    return torch.rand(batch, 3, side, side) * 2 - 1


def ours(binary, args, batch):
    env = dict(os.environ, RAYON_NUM_THREADS=str(args.threads))
    words = [binary, args.network, args.precision, str(batch)]
    out = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
    return {line.split()[0]: float(line.split()[2]) for line in out.splitlines()}


def newest_binary():
    deps = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/deps"
    built = [path for path in glob.glob(str(deps / "throughput-*")) if os.access(path, os.X_OK)]
    if not built:
        raise SystemExit(f"{deps} has no throughput binary; build it as this file's head says")
    return max(built, key=os.path.getmtime)


def best(rounds):
    return {name: max(one[name] for one in rounds) for name in rounds[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=SIDES, default="resnet18")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--peers", nargs="*", choices=runtimes.NAMES, default=["eager"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    binary = newest_binary()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, {args.network}, {args.precision}, images/s")
    for batch in args.batches:
        calls = runtimes.peers(network(args.network), random_images(args, batch), args.precision, args.threads, args.peers)
        rounds = {"forward": [], "training": []}
        for _ in range(args.rounds):
            mine = ours(binary, args, batch)
            forward = {name: rate(batch, call) for name, call in calls.items()}
            for what, theirs in [("forward", forward), ("training", steps(args, batch))]:
                if what in mine:
                    rounds[what].append({**theirs, "bagssl": mine[what]})
        for what, turns in rounds.items():
            if turns:
                report(f"{what} {batch}", best(turns))


def report(what, rates):
    mine = rates.pop("bagssl")
    for name, other in rates.items():
        print(f"{what:14} {name:32} {other:9.1f}   bagssl {mine:9.1f}   ratio {mine / other:.2f}", flush=True)


if __name__ == "__main__":
    main()
