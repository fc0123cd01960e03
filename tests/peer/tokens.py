"""A folder of Hugging Face (DINOv2, ViT, ...) beside transformers itself: its vectors, and images per second beside others.

    cargo build --release --bench tokens      # builds our side (tests/peer/tokens.rs)
    python tests/peer/tokens.py FOLDER IMAGE [--sizes 224 518] [--batch 1] [--precision bf16]
                                 [--peers eager compiled onnxruntime openvino] [--threads 2] [--rounds 3]

Equal precision and threads, the programs in turns within one run; the best round of each counts. Every array must agree
to 1e-4, |a - b| / |b|, in bf16 as well as half as much again as PyTorch's own bf16 does. Who the others are: runtimes.py.
"""

import argparse
import glob
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import runtimes
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel

ROOT = Path(__file__).resolve().parents[2]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def newest_binary():
    deps = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/deps"
    built = [path for path in glob.glob(str(deps / "tokens-*")) if os.access(path, os.X_OK)]
    if not built:
        raise SystemExit(f"{deps} has no tokens binary; build it as this file's head says")
    return max(built, key=os.path.getmtime)


def prepared(path, size, batch):
    image = Image.open(path).convert("RGB").resize((size, size), Image.BICUBIC)
    pixels = (np.asarray(image, np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    one = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return torch.cat([one.roll(index, 3) for index in range(batch)]).contiguous()


def theirs(network, images, layer):
    """The vectors by the names of ours."""
    patch = network.config.patch_size
    rows, cols = images.shape[2] // patch, images.shape[3] // patch
    keys = []
    attention = list(network.encoder.layer)[layer - 1].attention
    hook = attention.k_proj.register_forward_hook(lambda _, __, out: keys.append(out))
    out = network(images, output_hidden_states=True)
    hook.remove()

    def as_map(tokens):
        patches = tokens[:, tokens.shape[1] - rows * cols :]
        return patches.transpose(1, 2).reshape(len(images), -1, rows, cols)

    return {
        "h": out.last_hidden_state[:, 0],
        "token-last": as_map(out.last_hidden_state),
        f"token-block{layer}": as_map(out.hidden_states[layer]),
        f"token-key{layer}": as_map(keys[0]),
    }


def vectors_of(binary, model, images, names, times, args):
    """Our vectors by name, and the seconds of `times` passes."""
    with tempfile.TemporaryDirectory() as scratch:
        source, to = Path(scratch) / "in.safetensors", Path(scratch) / "out.safetensors"
        save_file({"images": images}, source)
        env = dict(os.environ, RAYON_NUM_THREADS=str(args.threads))
        words = [binary, str(model), str(source), str(to), str(times), args.precision, *names]
        out = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
        found = [line.split() for line in out.splitlines()]
        return load_file(to), [float(seconds) for what, seconds in found if what == "pass"]


class FirstOutput(torch.nn.Module):
    """The last tokens alone, as a runtime that knows tensors takes them."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images).last_hidden_state


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("image")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 518])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--peers", nargs="*", choices=runtimes.NAMES, default=["eager"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    binary = newest_binary()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    network = AutoModel.from_pretrained(args.folder).eval()
    layer = network.config.num_hidden_layers * 3 // 4
    for size in args.sizes:
        images = prepared(args.image, size, args.batch)
        expected = theirs(network.double(), images.double(), layer)
        found, _ = vectors_of(binary, args.folder, images, list(expected), 0, args)
        kind = torch.bfloat16 if args.precision == "bf16" else torch.float32
        network.to(kind)
        images = images.to(kind)
        peers = theirs(network, images, layer)
        for name, right in expected.items():
            error, other = (((one[name].double() - right).norm() / right.norm()).item() for one in (found, peers))
            print(f"{size} {name}: relative error {error:.1e}, PyTorch's own {other:.1e}")
            assert error <= (1e-4 if args.precision == "f32" else 1.5 * other), name
        images = images.float()
        calls = runtimes.peers(FirstOutput(network), images, args.precision, args.threads, args.peers)
        seconds = {name: [] for name in [*calls, "bagssl"]}
        for call in calls.values():
            call()
        for _ in range(args.rounds):
            seconds["bagssl"] += vectors_of(binary, args.folder, images, ["h"], 3, args)[1]
            for name, call in calls.items():
                for _ in range(3):
                    clock = time.perf_counter()
                    call()
                    seconds[name].append(time.perf_counter() - clock)
        rates = {name: args.batch / min(taken) for name, taken in seconds.items()}
        mine = rates.pop("bagssl")
        for name, other in rates.items():
            words = f"{size} x {size}, batch {args.batch}: {name:32} {other:8.2f} images/s"
            print(f"{words}, bagssl {mine:8.2f}, ratio {mine / other:.2f}", flush=True)


if __name__ == "__main__":
    main()
