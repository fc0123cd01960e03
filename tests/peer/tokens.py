"""Vision transformers beside transformers itself: our vectors, and images per second beside others, as one table.

    cargo build --release --bench tokens      # builds our side (tests/peer/tokens.rs)
    python tests/peer/tokens.py NETWORK... [--image FILE] [--sizes 224 518] [--batch 1] [--precision f32 bf16]
                                 [--peers eager compiled onnxruntime openvino] [--threads 2] [--rounds 3] [--real-time]

A network is a folder of Hugging Face (DINOv2, ViT, ...) or vit-b16: ViT-B/16 as transformers makes it, with hashed weights.
Equal precision and threads, the programs in turns within one run, with --real-time before all other work where that is
permitted; the best round of each counts. Every array must agree to 1e-4, |a - b| / |b|, in bf16 as well as half as much again as PyTorch's own
bf16 does. Who the others are: runtimes.py; of PyTorch's the best is in the table, which the README has.
"""

import argparse
import glob
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import runtimes
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModel, ViTConfig, ViTModel

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fixtures"))
from make_resnet import hashed, value  # noqa: E402

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def newest_binary():
    deps = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/deps"
    built = [path for path in glob.glob(str(deps / "tokens-*")) if os.access(path, os.X_OK)]
    if not built:
        raise SystemExit(f"{deps} has no tokens binary; build it as this file's head says")
    return max(built, key=os.path.getmtime)


def real_time():
    """Before other work, where the system permits it: what else runs would only slow, and not all alike."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, PermissionError):
        print("at usual priority: other work slows what is measured")


def vit_b16(folder):
    """ViT-B/16 in a folder of Hugging Face: its own layers, hashed weights."""
    network = ViTModel(ViTConfig(), add_pooling_layer=False)
    state = {name: value(f"vit-b16.{name}", tensor.shape) for name, tensor in network.state_dict().items()}
    network.load_state_dict(state)
    network.save_pretrained(folder)
    return folder


def name_of(network):
    config = network.config
    sizes = {384: "S", 768: "B", 1024: "L"}
    kind = {"dinov2": "DINOv2 ViT", "vit": "ViT"}.get(config.model_type, config.model_type)
    return f"{kind}-{sizes.get(config.hidden_size, config.hidden_size)}/{config.patch_size}"


def prepared(path, size, batch):
    if path:
        image = Image.open(path).convert("RGB").resize((size, size), Image.BICUBIC)
    else:
        image = Image.fromarray(((hashed("image", 3 * size * size) + 1) * 127).astype(np.uint8).reshape(size, size, 3))
    pixels = (np.asarray(image, np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    one = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return torch.cat([one.roll(index, 3) for index in range(batch)]).contiguous()


def theirs(network, images, layer):
    """The vectors by the names of ours."""
    patch = network.config.patch_size
    rows, cols = images.shape[2] // patch, images.shape[3] // patch
    keys = []
    layers = network.encoder.layer if hasattr(network, "encoder") else network.layers
    hook = layers[layer - 1].attention.k_proj.register_forward_hook(lambda _, __, out: keys.append(out))
    out = network(images, output_hidden_states=True, **any_size(network))
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


def any_size(network):
    """What a family wants to be told at a size that is not its own."""
    return {"interpolate_pos_encoding": True} if network.config.model_type == "vit" else {}


def vectors_of(binary, model, images, names, times, threads, precision):
    """Our vectors by name, and the seconds of `times` passes."""
    with tempfile.TemporaryDirectory() as scratch:
        source, to = Path(scratch) / "in.safetensors", Path(scratch) / "out.safetensors"
        save_file({"images": images}, source)
        env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        words = [binary, str(model), str(source), str(to), str(times), precision, *names]
        out = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
        found = [line.split() for line in out.splitlines()]
        return load_file(to), [float(seconds) for what, seconds in found if what == "pass"]


class FirstOutput(torch.nn.Module):
    """The last tokens alone, as a runtime that knows tensors takes them."""

    def __init__(self, network):
        super().__init__()
        self.network, self.settings = network, any_size(network)

    def forward(self, images):
        return self.network(images, **self.settings).last_hidden_state


def check(args, binary, folder, network, size, precision):
    """Our vectors against float64, beside PyTorch's own in the same numbers."""
    layer = network.config.num_hidden_layers * 3 // 4
    images = prepared(args.image, size, args.batch)
    expected = theirs(network.double(), images.double(), layer)
    found, _ = vectors_of(binary, folder, images, list(expected), 0, args.threads, precision)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    # Afresh, since weights that were rounded stay so.
    network = AutoModel.from_pretrained(folder).eval().to(kind)
    peers = theirs(network, images.to(kind), layer)
    for name, right in expected.items():
        error, other = (((one[name].double() - right).norm() / right.norm()).item() for one in (found, peers))
        print(f"{size} {precision} {name}: relative error {error:.1e}, PyTorch's own {other:.1e}", flush=True)
        assert error <= (1e-4 if precision == "f32" else 1.5 * other), name


def rates(args, binary, folder, network, size, precision):
    """Images per second of each program, of its best round."""
    images = prepared(args.image, size, args.batch)
    calls = runtimes.peers(FirstOutput(network.float()), images, precision, args.threads, args.peers)
    seconds = {name: [] for name in [*calls, "bagssl"]}
    for call in calls.values():
        call()
    for _ in range(args.rounds):
        seconds["bagssl"] += vectors_of(binary, folder, images, ["h"], 3, args.threads, precision)[1]
        for name, call in calls.items():
            for _ in range(3):
                clock = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - clock)
    return {name: args.batch / min(taken) for name, taken in seconds.items()}


def table_rows(title, found):
    """The line of the README's table and that of its ratios: the best of PyTorch's, the others, ours."""
    mine = found["bagssl"]
    torch_best = max((rate for name, rate in found.items() if name.startswith("PyTorch")), default=None)
    others = [torch_best, found.get("ONNX Runtime"), found.get("OpenVINO")]
    cells = ["" if rate is None else f"{rate:.2f}" for rate in others]
    ratios = ["" if rate is None else f"{mine / rate:.2f}" for rate in others]
    return [f"| {title} | {' | '.join(cells)} | {mine:.2f} |", f"| ratio | {' | '.join(ratios)} | |"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--image")
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 518])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", nargs="+", choices=["f32", "bf16"], default=["f32"])
    parser.add_argument("--peers", nargs="*", choices=runtimes.NAMES, default=["eager"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--real-time", action="store_true")
    args = parser.parse_args()
    binary = newest_binary()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    if args.real_time:
        real_time()
    lines = ["| | PyTorch | ONNX Runtime | OpenVINO | bagssl |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as scratch:
        folders = [vit_b16(scratch) if network == "vit-b16" else network for network in args.networks]
        for precision, folder, size in itertools.product(args.precision, folders, args.sizes):
            network = AutoModel.from_pretrained(folder).eval()
            title = f"{name_of(network)} at {size}, batch {args.batch}, {precision}"
            check(args, binary, folder, network, size, precision)
            found = rates(args, binary, folder, network, size, precision)
            for name, rate in found.items():
                print(f"{title}: {name:32} {rate:8.2f} images/s", flush=True)
            lines += table_rows(title, found)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
