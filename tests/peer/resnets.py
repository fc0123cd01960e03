"""torchvision's ResNets opened as they are, beside torchvision itself: h and all stages, and there and back.

    cargo build --release --bench tokens --bin bagssl      # builds our side (tests/peer/tokens.rs) and the program
    python tests/peer/resnets.py [--networks wide_resnet50_2 resnet50w2 ...] [--sizes 224 160x288] [--precision bf16]

Weights are hashed (tests/fixtures/make_resnet.py), with running statistics measured on a batch, as those of a trained
network are. Every array must agree to 1e-4, |a - b| / |b|, with float64, in bf16 to twice as much as PyTorch's own bf16 (which
sums in full), or to four roundings of a bfloat16, 1.6e-2, where that is more. What `bagssl model convert` writes must load into torchvision's own network and be the same. resnet50w2 has everything
twice as wide, as SimCLR and SwAV have it.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from tokens import ROOT, hashed, newest_binary, value, vectors_of

NETWORKS = ["wide_resnet50_2", "wide_resnet101_2", "resnet50w2", "resnet50"]


class Doubled(torchvision.models.ResNet):
    """Everything twice as wide: torchvision's own blocks on a stem of 128."""

    def __init__(self):
        super().__init__(torchvision.models.resnet.Bottleneck, [3, 4, 6, 3])
        self.inplanes = 128
        self.conv1, self.bn1 = torch.nn.Conv2d(3, 128, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(128)
        for index, blocks in enumerate([3, 4, 6, 3]):
            made = self._make_layer(torchvision.models.resnet.Bottleneck, 128 << index, blocks, 1 + (index > 0))
            setattr(self, f"layer{index + 1}", made)
        self.fc = torch.nn.Linear(4096, 1000)


def network(name):
    made = Doubled() if name == "resnet50w2" else getattr(torchvision.models, name)(weights=None)
    state = {
        key: value(f"{name}.{key}", tensor.shape)
        for key, tensor in made.state_dict().items() if not key.endswith("num_batches_tracked")
    }
    # Blocks add to what is there, as those of a trained network do; else rounding grows tenfold from stage to stage, anybody's.
    state = {key: tensor / 5 if key.endswith("bn3.weight") else tensor for key, tensor in state.items()}
    made.load_state_dict(state, strict=False)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    made.train()(images(f"{name} statistics", 8, 96, 96))
    return made.eval()


def images(name, batch, height, width):
    return torch.from_numpy(hashed(name, batch * 3 * height * width)).reshape(batch, 3, height, width) * 2


def theirs(made, x):
    """The vectors and maps by the names of ours."""
    x = made.maxpool(made.relu(made.bn1(made.conv1(x))))
    found = {}
    for number in range(1, 5):
        x = getattr(made, f"layer{number}")(x)
        found["token-last" if number == 4 else f"token-stage{number}"] = x
        found["h" if number == 4 else f"stage{number}"] = x.mean((2, 3))
    return found


def compare(args, made, path, size):
    height, width = size
    x = images("images", 2, height, width)
    right = theirs(made.double(), x.double())
    found, _ = vectors_of(newest_binary(), path, x, list(right), 0, args.threads, args.precision)
    kind = torch.bfloat16 if args.precision == "bf16" else torch.float32
    own = theirs(made.to(kind), x.to(kind))
    # Afresh, since weights that were rounded stay so.
    made.float().load_state_dict(torch.load(path, weights_only=True))
    for name, expected in right.items():
        error, other = (((one[name].double() - expected).norm() / expected.norm()).item() for one in (found, own))
        most = max(2 * other, 2**-6) if args.precision == "bf16" else 1e-4
        words = f"{path.stem} {height} x {width} {name}: relative error {error:.1e}, at most {most:.0e}"
        print(f"{words}; PyTorch's own {other:.1e}", flush=True)
        assert error <= most, name


def there_and_back(args, made, path):
    """What `model convert` writes is torchvision's network again."""
    out = path.with_suffix(".safetensors")
    subprocess.run([args.program, "model", "convert", path, out, "--device", "cpu"], check=True, stdout=subprocess.DEVNULL)
    again = Doubled() if path.stem == "resnet50w2" else getattr(torchvision.models, path.stem)(weights=None)
    missing, unexpected = again.load_state_dict(load_file(out), strict=False)
    left = {name for name in missing if not name.endswith("num_batches_tracked")}
    assert left == {"fc.weight", "fc.bias"} and not unexpected, (left, unexpected)
    mine = made.state_dict()
    assert all(torch.equal(tensor, mine[name]) for name, tensor in load_file(out).items())
    print(f"{path.stem}: {len(load_file(out))} arrays come back as they were")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--sizes", nargs="+", default=["224", "160x288"])
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--program", default=ROOT / "target/release/bagssl")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    for name in args.networks:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.pth"
            made = network(name)
            torch.save(made.state_dict(), path)
            info = [args.program, "model", "info", path, "--device", "cpu"]
            print(subprocess.run(info, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
            for size in args.sizes:
                sides = [int(side) for side in size.split("x")]
                compare(args, made, path, sides if len(sides) == 2 else sides * 2)
            there_and_back(args, made, path)


if __name__ == "__main__":
    main()
