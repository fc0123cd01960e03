"""Ten steps of optimiser, schedule and loss beside the released training code of NMCE, EMP-SSL and VICReg.

    cargo build --release --bench released        # builds our side (tests/peer/released.rs)
    python tests/peer/released.py nmce PATH       # a copy of the repository, or its bare git folder
    python tests/peer/released.py emp-ssl PATH
    python tests/peer/released.py vicreg PATH

Their own code runs: its loss, its LARS, its schedule, taken from the repository at PATH and from nowhere else. Our side is
the recipe of that name (`nmce-cifar10`, `emp-ssl-cifar10`, `vicreg-imagenet`): its objective, its optimiser, its schedule. Both begin with the
same weights of a small network (a linear layer, batch normalisation, ReLU, a linear layer) and are given the same views; what
comes out are losses, learning rates and weights after each of ten steps. The learning rates are compared over a whole run,
too. Needs torch.
"""

import argparse
import ast
import glob
import json
import math
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
STEPS = 10
# Where each repository keeps what is compared, and the recipe that follows it.
REPOSITORIES = {
    "nmce": ("nmce-cifar10", ["NMCE/loss.py", "NMCE/lars.py", "NMCE/func.py", "NMCE/train_selfsup.py"]),
    "emp-ssl": ("emp-ssl-cifar10", ["loss.py", "lars.py", "main.py"]),
    "vicreg": ("vicreg-imagenet", ["main_vicreg.py"]),
}


def sources(path, files):
    """The text of each file, from a folder or a bare git folder."""

    def text(file):
        if (Path(path) / file).is_file():
            return (Path(path) / file).read_text()
        call = ["git", "--git-dir", path, "show", f"HEAD:{file}"]
        return subprocess.run(call, check=True, capture_output=True, text=True).stdout

    return {Path(file).name: text(file) for file in files}


def definitions(text, names, given):
    """The functions and classes called so, run alone: importing the scripts would begin to train."""
    tree = ast.parse(text)
    wanted = [node for node in tree.body if getattr(node, "name", None) in names]
    missing = set(names) - {node.name for node in wanted}
    assert not missing, f"{missing} is not in the repository"
    module = types.ModuleType("released")
    # torch of today has no `required` beside Optimizer.
    module.__dict__.update(given)
    exec(compile(ast.Module(wanted, []), "released", "exec"), module.__dict__)
    return module


class Network(nn.Module):
    def __init__(self, widths, last_bias):
        super().__init__()
        self.first = nn.Linear(widths[0], widths[1])
        self.norm = nn.BatchNorm1d(widths[1])
        self.last = nn.Linear(widths[1], widths[2], bias=last_bias)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))))


def chunks(views):
    return torch.cat(list(views), 0)


class Nmce:
    # Few steps to a pass, so that ten of them see the warm-up rise.
    views, images, per_epoch = 2, 24, 2

    def __init__(self, text, config):
        torch_names = {"torch": torch, "nn": nn, "F": nn.functional, "Optimizer": torch.optim.Optimizer}
        losses = definitions(text["loss.py"], ["TotalCodingRate", "Z_loss"], torch_names)
        lars = definitions(text["lars.py"], ["LARSWrapper"], torch_names)
        self.warm_up = definitions(text["func.py"], ["warmup_lr"], {}).warmup_lr
        self.rate = losses.TotalCodingRate(eps=config["objective"]["eps"])
        self.similarity, self.weight = losses.Z_loss(), config["objective"]["lambda"]
        self.lars, self.epochs = lars.LARSWrapper, config["epochs"]

    def start(self, parameters):
        sgd = torch.optim.SGD(parameters, lr=0.3, momentum=0.9, weight_decay=1e-4, nesterov=False)
        self.optimizer = self.lars(sgd, eta=0.02, clip=True, exclude_bias_n_norm=True)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=self.epochs, eta_min=0)
        self.warm_up(self.optimizer, 0, 0.3, warmup_epoch=10)

    def loss(self, network, views):
        z = nn.functional.normalize(network(chunks(views)))
        first, second = z.chunk(2, dim=0)
        return (self.rate(first) + self.rate(second)) / 2 + self.weight * self.similarity(z)[0]

    def lr(self):
        return self.optimizer.param_groups[0]["lr"]

    def after(self, step):
        if (step + 1) % self.per_epoch == 0:
            self.scheduler.step()
            self.warm_up(self.optimizer, (step + 1) // self.per_epoch, 0.3, warmup_epoch=10)


class EmpSsl:
    views, images, per_epoch = 20, 24, 500

    def __init__(self, text, config):
        torch_names = {"torch": torch, "nn": nn, "F": nn.functional, "Optimizer": torch.optim.Optimizer}
        self.rate = definitions(text["loss.py"], ["TotalCodingRate"], torch_names).TotalCodingRate(eps=0.2)
        main = definitions(text["main.py"], ["Similarity_Loss", "cal_TCR", "chunk_avg"], torch_names)
        self.similarity, self.coding, self.average = main.Similarity_Loss(), main.cal_TCR, main.chunk_avg
        self.lars = definitions(text["lars.py"], ["LARSWrapper"], torch_names).LARSWrapper
        self.epochs = config["epochs"]

    def start(self, parameters):
        sgd = torch.optim.SGD(parameters, lr=0.3, momentum=0.9, weight_decay=1e-4, nesterov=True)
        self.optimizer = self.lars(sgd, eta=0.005, clip=True, exclude_bias_n_norm=True)
        steps = self.per_epoch * self.epochs
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=steps, eta_min=0)

    def loss(self, network, views):
        z = nn.functional.normalize(network(chunks(views)))
        parts = z.chunk(self.views, dim=0)
        similarity, _ = self.similarity(parts, self.average(z, self.views))
        return 200 * similarity + self.coding(z, self.rate, self.views)

    def lr(self):
        return self.optimizer.param_groups[0]["lr"]

    def after(self, _):
        self.scheduler.step()


class VicReg:
    views, images, per_epoch = 2, 24, 4

    def __init__(self, text, config):
        given = {"torch": torch, "nn": nn, "optim": torch.optim, "F": nn.functional, "math": math}
        names = ["LARS", "exclude_bias_and_norm", "adjust_learning_rate", "VICReg", "off_diagonal"]
        self.code = definitions(text["main_vicreg.py"], names, given)
        # One process: what is gathered is what there is.
        self.code.FullGatherLayer = types.SimpleNamespace(apply=lambda x: (x,))
        self.arguments = types.SimpleNamespace(
            epochs=config["epochs"], base_lr=0.2, batch_size=2048, sim_coeff=25.0, std_coeff=25.0, cov_coeff=1.0
        )
        self.epochs, self.step = config["epochs"], 0

    def start(self, parameters):
        exclude = self.code.exclude_bias_and_norm
        self.optimizer = self.code.LARS(
            parameters, lr=0, weight_decay=1e-6, weight_decay_filter=exclude, lars_adaptation_filter=exclude
        )
        self.step = 0

    def loss(self, network, views):
        # Its own forward pass on our network; its batch size there is that of the covariance.
        arguments = types.SimpleNamespace(**{**vars(self.arguments), "batch_size": self.images})
        model = types.SimpleNamespace(
            backbone=lambda x: x, projector=network, args=arguments, num_features=network.last.out_features
        )
        return self.code.VICReg.forward(model, *views)

    def lr(self):
        return self.code.adjust_learning_rate(self.arguments, self.optimizer, range(self.per_epoch), self.step)

    def after(self, _):
        self.step += 1


SIDES = {"nmce": Nmce, "emp-ssl": EmpSsl, "vicreg": VicReg}


def flat(tensor):
    return [float(str(value)) for value in tensor.detach().flatten().numpy()]


def program():
    found = glob.glob(str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/deps/released-*"))
    found = [path for path in found if os.access(path, os.X_OK) and not path.endswith(".d")]
    assert found, "build our side first: cargo build --release --bench released"
    return max(found, key=os.path.getmtime)


def ours(*arguments):
    call = [program(), *arguments]
    return json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("code", choices=REPOSITORIES)
    parser.add_argument("path")
    told = parser.parse_args()
    recipe, files = REPOSITORIES[told.code]
    config = ours("recipe", recipe)
    text = sources(told.path, files)
    side = SIDES[told.code](text, config)
    torch.manual_seed(3)
    network = Network([16, 24, 12], config["model"]["projector_bias"])
    start = {name: flat(value) for name, value in network.named_parameters()}
    views = torch.randn(STEPS, side.views, side.images, 16)
    case = {"recipe": recipe, "per_epoch": side.per_epoch, "start": start, "views": flat(views),
            "shape": [STEPS, side.views, side.images, 16], "widths": [16, 24, 12]}
    side.start(list(network.parameters()))
    theirs = {"loss": [], "lr": [], "after": []}
    for step in range(STEPS):
        lr = side.lr()
        loss = side.loss(network, views[step])
        side.optimizer.zero_grad()
        loss.backward()
        side.optimizer.step()
        side.after(step)
        theirs["loss"].append(loss.item())
        theirs["lr"].append(lr)
        theirs["after"].append({name: flat(value) for name, value in network.named_parameters()})
    # The whole way of the learning rate, a look at every so many steps.
    side.start([nn.Parameter(torch.zeros(2, 2))])
    total, looks = side.per_epoch * side.epochs, []
    for step in range(total):
        looks.append(side.lr())
        side.optimizer.step()
        side.after(step)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case.json"
        file.write_text(json.dumps(case))
        mine = ours("steps", str(file))
    report(told.code, theirs, mine, start, looks)


def distance(a, b):
    return math.dist(a, b)


def report(code, theirs, mine, start, looks):
    worst_loss = max(abs(a - b) / max(abs(b), 1.0) for a, b in zip(mine["loss"], theirs["loss"]))
    worst_lr = max(abs(a - b) for a, b in zip(mine["lr"], theirs["lr"])) / max(theirs["lr"])
    whole = max(abs(a - b) for a, b in zip(mine["schedule"], looks, strict=True)) / max(looks)
    worst, ways = 0.0, []
    for a, b in zip(mine["after"], theirs["after"], strict=True):
        # Normalisation takes a bias before it away: its gradient is nothing but rounding.
        for name in start.keys() - {"first.bias"}:
            way, length = distance(b[name], start[name]), math.hypot(*b[name])
            # Both keep weights in float32, which rounds by so much of their length.
            error = max(distance(a[name], b[name]) - 2e-7 * length, 0.0)
            worst = max(worst, error / way if error > 0 else 0.0)
            ways.append(way / length if length > 0 else 0.0)
    print(f"{code}: {STEPS} steps; largest errors")
    print(f"  loss, relative            {worst_loss:.1e}")
    print(f"  learning rate, of largest {worst_lr:.1e}; over all {len(looks):,} steps of the run {whole:.1e}")
    print(f"  weights, of their way     {worst:.1e} beside the rounding of float32; the longest way is {max(ways):.1e} of their length")
    right = worst_loss < 1e-4 and worst_lr < 1e-6 and whole < 1e-6 and worst < 1e-5
    print("agree" if right else "DIFFER")
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
