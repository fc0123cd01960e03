"""ResNet-18 (CIFAR stem, 32x32) or ResNet-50 (224x224) beside PyTorch on the CPU: images per second and ratios.

    cargo build --release --bench throughput      # builds our side (tests/peer/throughput.rs)
    python tests/peer/throughput.py [--network resnet50] [--precision bf16] [--compile]
                                     [--threads 2] [--batches 64 256] [--rounds 3]

Equal precision and threads, the two programs in turns within one run; the best round of each counts,
since whatever else the machine does only slows. A training step is the forward pass with batch
statistics and the backward pass to all weights, in float32 alone. PyTorch in bf16 is a network that was cast to it,
in inference mode; `--compile` adds one compiled by inductor, whose best of both layouts counts.
"""

import argparse
import glob
import os
import subprocess
import time
from pathlib import Path

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


def peer(args, batch, channels_last):
    order = torch.channels_last if channels_last else torch.contiguous_format
    kind = torch.bfloat16 if args.precision == "bf16" else torch.float32
    net = network(args.network).to(memory_format=order, dtype=kind)
    side = SIDES[args.network]
    images = (torch.rand(batch, 3, side, side) * 2 - 1).to(kind).contiguous(memory_format=order)

    def forward():
        with torch.inference_mode():
            net(images)

    def step():
        net.zero_grad(set_to_none=True)
        net(images).square().mean().backward()

    net.eval()
    rates = {"forward": rate(batch, forward)}
    if args.compile:
        net = torch.compile(net)
        rates["forward"] = max(rates["forward"], rate(batch, forward))
    if args.precision == "f32" and args.network == "resnet18":
        net.train()
        rates["training"] = rate(batch, step)
    return rates


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
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    binary = newest_binary()
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, {args.network}, {args.precision}, images/s")
    print(f"{'':18}{'default':>10}{'channels_last':>15}{'bagssl':>10}{'ratio':>8}")
    for batch in args.batches:
        turns = [(peer(args, batch, False), peer(args, batch, True), ours(binary, args, batch)) for _ in range(args.rounds)]
        default, last, mine = (best(rounds) for rounds in zip(*turns))
        for name in ("forward", "training"):
            ratio = mine[name] / max(last[name], default[name])
            print(f"{name + ' ' + str(batch):18}{default[name]:10.1f}{last[name]:15.1f}{mine[name]:10.1f}{ratio:8.2f}")


if __name__ == "__main__":
    main()
