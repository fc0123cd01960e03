"""Every family of networks that opens, beside the library that it comes from: vectors of crops and feature maps of whole images.

    cargo build --release
    python tests/peer/families.py target/release/bagssl [--only NAME ...] [--list]

needs torch, numpy, safetensors and Pillow, and timm, torchvision, transformers, lightly and open_clip_torch: a family whose
library is missing is told as skipped. Each library makes a network with random weights and random running statistics and
saves it in its way. The program embeds two images by that file into a bank, in all spaces that it names, and exports them;
hooks in the library's network give the same in float64. Every array must agree to 1e-4, |a - b| / |b|, at the network's own
input and at another size, to which positions are interpolated as the library does it, or the program whose file it is.
families_resnets.py, families_vits.py and families_hub.py have the families, families_drawn.py what they share.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import families_hub
import families_resnets
import families_vits
import numpy as np
import torch
from PIL import Image, ImageDraw

MOST = 1e-4
FAMILIES = families_resnets.FAMILIES + families_vits.FAMILIES + families_hub.FAMILIES
# What a library is called where it is installed from, where that is another name.
PACKAGES = {"open_clip": "open_clip_torch"}


class Bagssl:
    """The program, which takes and keeps nothing of other runs."""

    def __init__(self, binary, scratch):
        self.binary = Path(binary).resolve()
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(scratch / "cache")}

    def __call__(self, *words):
        call = [self.binary, *words, "--device", "cpu", "--cache-size", "0", "--json"]
        done = subprocess.run(list(map(str, call)), env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads(done.stdout)

    def vectors(self, case, data, spaces, patch, resolution, scratch):
        """The vectors of `spaces`, of the images' patches without overlap, by the spaces' names: `[patches, values]`."""
        bank, file = scratch / f"bank-{patch}-{resolution}", scratch / "vectors.npy"
        grid = ["--patch", patch, "--stride", patch, "--input", resolution, "--resolution", resolution]
        words = ["--model", case.file, "--data", data, *grid, *case.told, "--dtype", "f32", "--out", bank]
        self("embed", *words, "--space", ",".join(spaces))
        found = {}
        for space in spaces:
            self("bank", "export", bank, "--space", space, "--out", file)
            found[space] = np.load(file).astype(np.float64)
        return found


def pictures(folder, height, width):
    """Two images with noise, edges and areas, and their pixels `[2, 3, height, width]` from 0 to 1."""
    folder.mkdir()
    source = np.random.default_rng(height * width)
    pixels = []
    for name in ("a.png", "b.png"):
        image = Image.fromarray(source.integers(0, 256, (height, width, 3), np.uint8))
        draw = ImageDraw.Draw(image)
        for shape in (draw.rectangle, draw.ellipse):
            x, y = source.integers(0, width // 2), source.integers(0, height // 2)
            shape((x, y, x + width // 3, y + height // 3), tuple(source.integers(0, 256, 3).tolist()))
        image.save(folder / name)
        pixels.append(np.asarray(image, np.float64).transpose(2, 0, 1) / 255)
    return torch.from_numpy(np.stack(pixels))


def over_places(length, count, place):
    """The weights of `count` places of a map along a side of `length` pixels in each square of `place` pixels, by area."""
    ends = np.arange(length // place + 1) * place * count / length
    reach = lambda i, j: max(0.0, min(ends[i + 1], j + 1) - max(ends[i], j))
    weights = np.array([[reach(i, j) for j in range(count)] for i in range(length // place)])
    return torch.from_numpy(weights / weights.sum(1, keepdims=True))


def as_rows(array, size, place):
    """An array of the library as a bank has it: a row for each patch, image by image, row by row."""
    if array.dim() == 4:
        down, across = (over_places(side, count, place) for side, count in zip(size, array.shape[2:]))
        array = torch.einsum("yr,xc,nwrc->nyxw", down, across, array).flatten(0, 2)
    return array.double().numpy()


def compare(bagssl, case, scratch):
    """A line for each array: space, size of the input, shape, relative error."""
    info = bagssl("model", "info", case.file, *case.told)
    crops = [name for name, _ in info["crop_spaces"]]
    maps = [f"token-{name.removeprefix('token-')}" for name, _ in info["maps"]]
    if info["input"] != case.own:
        raise RuntimeError(f"its input is {info['input']}; the library's {case.own}")
    case.network.double()
    mean, std = (torch.tensor(values, dtype=torch.float64).reshape(3, 1, 1) for values in case.fed)
    for height, width in filter(None, ((case.own, case.own), case.other)):
        data = scratch / f"{height}x{width}"
        x = (pictures(data, height, width) - mean) / std
        whole = case.vectors(x)
        square = whole if height == width else case.vectors(x[..., :height])
        if set(whole) != {*crops, *maps}:
            raise RuntimeError(f"spaces {sorted({*crops, *maps} ^ set(whole))} are only on one side")
        for spaces, patch, right in ((crops, height, square), (maps, case.place, whole)):
            found = bagssl.vectors(case, data, spaces, patch, height, scratch)
            for space in spaces:
                size = (height, height if spaces is crops else width)
                expected = as_rows(right[space], size, case.place)
                if found[space].shape != expected.shape:
                    raise RuntimeError(f"{space} has shape {found[space].shape}; expected {expected.shape}")
                error = np.linalg.norm(found[space] - expected) / np.linalg.norm(expected)
                yield space, size, tuple(right[space].shape), error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", metavar="BIN")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="families, or beginnings of their names")
    parser.add_argument("--list", action="store_true", help="names of all families")
    args = parser.parse_args()
    wanted = [entry for entry in FAMILIES if not args.only or entry[0].startswith(tuple(args.only))]
    if args.list or not wanted:
        sys.exit("\n".join(name for name, *_ in FAMILIES))
    torch.set_grad_enabled(False)
    arrays, families, failed, skipped, largest = 0, 0, [], [], 0.0
    for name, needs, make in wanted:
        missing = [one for one in needs.split() if importlib.util.find_spec(one) is None]
        if missing:
            skipped.append(name)
            print(f"{name}: skipped, pip install {' '.join(PACKAGES.get(one, one) for one in missing)}")
            continue
        families += 1
        with tempfile.TemporaryDirectory() as scratch:
            scratch = Path(scratch)
            (scratch / "model").mkdir()
            try:
                case = make(scratch / "model")
                for space, (height, width), shape, error in compare(Bagssl(args.binary, scratch), case, scratch):
                    is_right = error <= MOST
                    arrays, largest = arrays + 1, max(largest, error)
                    failed += [] if is_right or name in failed else [name]
                    words = f"{name:32} {space:18} {height}x{width}".ljust(62)
                    print(f"{words} {'x'.join(map(str, shape)):18} {error:.1e} {'ok' if is_right else 'FAILED'}", flush=True)
            except RuntimeError as reason:
                failed.append(name)
                print(f"{name}: FAILED, {reason}", flush=True)
    if failed:
        sys.exit(f"FAILED: {', '.join(failed)}")
    left = f"; {len(skipped)} families skipped" if skipped else ""
    print(f"{arrays} arrays of {families} families agree within {MOST:.0e}; the largest error is {largest:.1e}{left}")


if __name__ == "__main__":
    main()
