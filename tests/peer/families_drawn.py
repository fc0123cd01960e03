"""What the families of families.py share: random weights, and what goes through a library's network, by the names of ours."""

import importlib
import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import torch
from torch import nn

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5,) * 3, (0.5,) * 3)


@dataclass
class Case:
    """A network that its library has saved, and what the library makes of images."""

    file: Path
    # All that `vectors` computes with, for the comparison in float64.
    network: nn.Module
    # Images, normalised, to {space: array}: [images, values], of token spaces [images, values, rows, columns].
    vectors: Callable
    # Side of the square input that the library means.
    own: int
    # Height and width of the other images, where there are some; crops are squares of their height.
    other: tuple[int, int] | None
    # Pixels of the finest place of a map.
    place: int
    # Mean and deviation with which the library feeds it.
    fed: tuple = IMAGENET
    # What the program is told because no file says it.
    told: tuple = ()


def library(name):
    """A library, or nothing where it is not installed: its families are skipped then."""
    return importlib.import_module(name) if importlib.util.find_spec(name.split(".")[0]) else None


def saved(folder, state, name="model.pth"):
    torch.save(state, folder / name)
    return folder / name


def drawn(module, name):
    """The module with random weights, by its name. Running statistics, scales and tokens too: fresh ones hide faults."""
    source = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    for part in module.modules():
        for key, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            normal = torch.randn(tensor.shape, generator=source)
            uniform = torch.rand(tensor.shape, generator=source)
            found = value(part, key, tensor, normal, uniform)
            if found is not None:
                tensor.data.copy_(found)
    return module.eval()


def value(part, key, tensor, normal, uniform):
    """The random value of an array; nothing for what is no weight: counters, masks, periods, factors of a norm."""
    if key == "running_mean":
        return 0.3 * normal
    if key == "running_var":
        return 0.5 + uniform
    if key in dict(part.named_buffers(recurse=False)) or key == "weight_g":
        return None
    if key in ("weight", "in_proj_weight", "weight_v") and tensor.dim() > 1 and not isinstance(part, nn.Embedding):
        # Near to what keeps lengths, and enough that attention is uneven.
        return 1.3 * normal / tensor[0].numel() ** 0.5
    if "bias" in key:
        return 0.3 * normal
    # Of a normalisation, or LayerScale.
    if key == "weight" and tensor.dim() == 1 or key.startswith(("gamma", "lambda")):
        return 0.5 + uniform
    # Tokens and positions.
    return 0.5 * normal


def prefixed(prefix, module):
    return {prefix + key: tensor for key, tensor in module.state_dict().items()}


class Unit(nn.Module):
    """The end of DINO's bottleneck: vectors of length 1."""

    def forward(self, x):
        return nn.functional.normalize(x, dim=-1)


def projected(head, h):
    """z and the hidden layers of a head, of layers one after the other."""
    found, x = {}, h
    for layer in head:
        x = layer(x)
        if isinstance(layer, (nn.ReLU, nn.GELU)):
            found[f"hidden{len(found) + 1}"] = x
    return {**found, "z": x} if len(list(head)) else {}


def hooked(modules, run):
    """What `run` returns, and what the modules gave meanwhile, by their names."""
    seen = {}

    def keep(name):
        def hook(module, taken, out):
            # PyTorch's own attention keeps queries, keys and values to itself.
            if isinstance(module, nn.MultiheadAttention):
                out = nn.functional.linear(taken[0], module.in_proj_weight, module.in_proj_bias)
            seen[name] = out[0] if isinstance(out, tuple) else out

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    found = run()
    for hook in hooks:
        hook.remove()
    return found, seen


def pyramid(stages, embed, head=()):
    """The vectors of a ResNet: its four stages, and h as `embed` gives it."""

    def vectors(x):
        h, seen = hooked(dict(enumerate(stages, 1)), lambda: embed(x).flatten(1))
        found = {"h": h, "token-last": seen[4], **projected(head, h)}
        for number in (1, 2, 3):
            found[f"token-stage{number}"] = seen[number]
            found[f"stage{number}"] = seen[number].mean((2, 3))
        return found

    return vectors


@dataclass
class Tower:
    """A library's vision transformer."""

    # Images to {"h": ..., "z": ...}.
    run: Callable
    blocks: list
    # The final norm, by which tokens are normalised.
    norm: nn.Module
    # A block to its layer for queries, keys and values, or to one for each.
    qkv: Callable
    patch: int
    # Tokens before those of the patches, and whether the first of them stands for the image.
    prefix: int = 1
    class_token: bool = True
    # Where h is normalised and no token is.
    is_last_normed: bool = True

    def vectors(self, x):
        rows, columns = (side // self.patch for side in x.shape[2:])
        layers = {f"block{n}": block for n, block in enumerate(self.blocks, 1)}
        for n, block in enumerate(self.blocks, 1):
            layers.update({f"{part} of {n}": layer for part, layer in enumerate(self.qkv(block))})
        found, seen = hooked(layers, lambda: self.run(x))

        def as_map(tokens):
            return tokens[:, self.prefix :].transpose(1, 2).reshape(len(x), -1, rows, columns)

        for n in range(1, len(self.blocks) + 1):
            tokens = seen[f"block{n}"]
            found[f"block{n}"] = tokens[:, 0] if self.class_token else tokens.mean(1)
            found[f"token-block{n}"] = as_map(tokens)
            found[f"token-block{n}norm"] = as_map(self.norm(tokens))
            all_three = torch.cat([seen[name] for name in seen if name.endswith(f" of {n}")], -1)
            for kind, part in zip(("query", "key", "value"), all_three.chunk(3, -1)):
                found[f"token-{kind}{n}"] = as_map(part)
        # The last block's with the norm is the last layer, by a name of its own.
        normed = found.pop(f"token-block{len(self.blocks)}norm")
        found["token-last"] = normed if self.is_last_normed else as_map(tokens)
        return found
