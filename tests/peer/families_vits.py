"""Vision transformers of families.py: timm's, torchvision's, transformers', open_clip's, lightly's, and files that have the
names of DINO, iBOT, DINOv2, MAE and MoCo v3, which timm's class computes with that program's way to interpolate positions.

All have 3 blocks of 128 values in 2 heads, so that nothing needs to say how many.
"""

from types import MethodType

import torch
from families_drawn import HALVES, Case, Tower, Unit, drawn, library, prefixed, projected, saved
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import interpolate

WIDTH, DEPTH, PATCH, SIDE = 128, 3, 16, 96

lightly, open_clip, timm, torchvision = map(library, ("lightly.models.modules", "open_clip", "timm", "torchvision"))


def case(file, network, tower, own=SIDE, **settings):
    # Of a grid of 6 x 6 or 7 x 7 positions, one side becomes smaller, the other larger.
    settings = {"other": (5 * tower.patch, 8 * tower.patch), "place": tower.patch, **settings}
    return Case(file, network, tower.vectors, own, **settings)


# timm.


def timm_network(name, architecture="vit_tiny_patch16_224", **settings):
    usual = dict(img_size=SIDE, embed_dim=WIDTH, depth=DEPTH, num_heads=2, num_classes=0, dynamic_img_size=True)
    settings = {**usual, **settings}
    # A network that takes any size is else recommended at that of the released one.
    recommended = {"input_size": (3, settings["img_size"], settings["img_size"])}
    return drawn(timm.create_model(architecture, pretrained_cfg_overlay=recommended, **settings), name)


def timm_tower(network, head=(), embed=None):
    def run(x):
        h = embed(x) if embed else network.forward_head(network.forward_features(x), pre_logits=True)
        return {"h": h, **projected(head, h)}

    # A mean is normalised in place of tokens.
    is_last_normed = not isinstance(network.norm, nn.Identity)
    norm = network.norm if is_last_normed else network.fc_norm
    return Tower(run, network.blocks, norm, lambda block: [block.attn.qkv], network.patch_embed.patch_size[0],
                 network.num_prefix_tokens, getattr(network, "cls_token", None) is not None, is_last_normed)


def of_timm(name, architecture="vit_tiny_patch16_224", **settings):
    """A folder of the hub as timm writes it: its configuration says how it is fed and what its layers do."""

    def make(folder):
        network = timm_network(name, architecture, **settings)
        timm.models.save_for_hf(network, folder, safe_serialization=True)
        fed = (network.pretrained_cfg["mean"], network.pretrained_cfg["std"])
        return case(folder, network, timm_tower(network), network.pretrained_cfg["input_size"][1], fed=fed)

    return make


def biased_dinov3(folder):
    """Queries and values have biases of their own; after it is saved they are put into one, which a hook sees."""
    made = of_timm("dinov3 qkvb", "vit_small_patch16_dinov3_qkvb")(folder)
    for block in made.network.blocks:
        attention = block.attn
        parts = [attention.q_bias.data, torch.zeros_like(attention.q_bias.data), attention.v_bias.data]
        attention.q_bias, attention.v_bias = None, None
        attention.qkv.bias = nn.Parameter(torch.cat(parts))
    return made


def timm_file(folder):
    """Weights alone, with a classifier: nothing says how they are fed."""
    network = timm_network("timm file", num_classes=10)
    told = ("--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5")
    return case(saved(folder, network.state_dict()), network, timm_tower(network), fed=HALVES, told=told)


def timm_safetensors(folder):
    """The same in the other format, of a network whose mean is h."""
    network = timm_network("timm mean", global_pool="avg", class_token=False, fc_norm=True)
    save_file(network.state_dict(), folder / "model.safetensors")
    return case(folder / "model.safetensors", network, timm_tower(network))


# The names of other programs.


def positions_by(network, resized):
    """timm's network with positions of class token and patches that reach another grid as `resized` says."""

    def embed(self, x):
        batch, rows, columns, width = x.shape
        places = self.pos_embed[:, 1:]
        side = round(places.shape[1] ** 0.5)
        if (rows, columns) != (side, side):
            places = places.reshape(1, side, side, width).permute(0, 3, 1, 2)
            places = resized(places, side, rows, columns).flatten(2).transpose(1, 2)
        tokens = [self.cls_token + self.pos_embed[:, :1], *([] if self.reg_token is None else [self.reg_token])]
        return torch.cat([*(token.expand(batch, -1, -1) for token in tokens), x.flatten(1, 2) + places], 1)

    network._pos_embed = MethodType(embed, network)
    return network


def by_factor(places, side, rows, columns):
    """facebookresearch/dino, ibot and dinov2: a small number is added, and the ratio is what counts."""
    return interpolate(places, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic")


def by_size(places, side, rows, columns):
    return interpolate(places, size=(rows, columns), mode="bicubic")


def antialiased(places, side, rows, columns):
    return interpolate(places, size=(rows, columns), mode="bicubic", antialias=True)


def dino_head(name):
    layers = [nn.Linear(WIDTH, 96), nn.GELU(), nn.Linear(96, 96), nn.GELU(), nn.Linear(96, 48)]
    return drawn(nn.ModuleDict({"mlp": nn.Sequential(*layers)}), name)


def of_two(name, beside):
    """A file of DINO or iBOT: student and teacher, each with its head and prototypes."""

    def make(folder):
        file, made = {"epoch": 100}, None
        for who, mark in (("student", "module."), ("teacher", "")):
            made = (timm_network(f"{name} {who}"), dino_head(f"{name} {who} head"))
            names = {**prefixed(f"{mark}backbone.", made[0]), **prefixed(f"{mark}head.", made[1])}
            names.update({f"{mark}{key}": torch.zeros(shape) for key, shape in beside.items()})
            file[who] = names
        network, head = made
        tower = timm_tower(positions_by(network, by_factor), [*head["mlp"], Unit()])
        return case(saved(folder, file), nn.ModuleList(made), tower)

    return make


def dino_hub(folder):
    """The file of torch.hub: the teacher's network alone. Nothing in it says that it is not timm's, by whose way positions
    reach another size, so that it is compared at its own."""
    network = timm_network("dino hub")
    return case(saved(folder, network.state_dict()), network, timm_tower(network), other=None)


PROTOTYPES = {"head.last_layer.weight_g": (64, 1), "head.last_layer.weight_v": (64, 48)}


def dino_v2(registers):
    """dinov2's own names. It is evaluated at 224, whatever the grid of its positions."""

    def make(folder):
        settings = dict(patch_size=14, img_size=98, init_values=1.0, reg_tokens=registers, no_embed_class=True)
        network = timm_network(f"dinov2 {registers}", **settings)
        # Positions of the class token and the patches, none of the registers.
        network.pos_embed = nn.Parameter(torch.empty(1, 50, WIDTH))
        drawn(network, f"dinov2 {registers}")
        state = {key.replace("reg_token", "register_tokens"): tensor for key, tensor in network.state_dict().items()}
        file = saved(folder, {**state, "mask_token": torch.zeros(1, WIDTH)})
        return case(file, network, timm_tower(positions_by(network, antialiased if registers else by_factor)), 224)

    return make


def mae(folder):
    """MAE's own names, with its decoder, which is no part of the network here."""
    network = timm_network("mae")
    decoder = {"mask_token": torch.zeros(1, 1, 64), "decoder_embed.weight": torch.zeros(64, WIDTH),
               "decoder_blocks.0.attn.qkv.weight": torch.zeros(192, 64), "decoder_pos_embed": torch.zeros(1, 37, 64)}
    file = saved(folder, {"model": {**network.state_dict(), **decoder}})
    return case(file, network, timm_tower(positions_by(network, by_size)))


def moco_v3(width, heads):
    """MoCo v3's own names: its projector stands in place of the classifier. Its small network has heads of 32 values."""

    def make(folder):
        base, momentum = (timm_network(name, embed_dim=width, num_heads=heads) for name in ("base", "momentum"))
        layers = [nn.Linear(width, 96, bias=False), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 48, bias=False)]
        head = drawn(nn.Sequential(*layers, nn.BatchNorm1d(48, affine=False)), "moco v3 head")
        state = {key: tensor for name, network in (("base", base), ("momentum", momentum))
                 for key, tensor in {**prefixed(f"module.{name}_encoder.", network),
                                     **prefixed(f"module.{name}_encoder.head.", head)}.items()}
        beside = {"module.predictor.0.weight": torch.zeros(96, 48)}
        file = saved(folder, {"arch": "vit_small", "state_dict": {**state, **beside}}, "moco.pth.tar")
        return case(file, nn.ModuleList([base, head]), timm_tower(base, head))

    return make


# lightly has timm's network in a class for masked images, whose grids are squares.


def of_lightly(part, has_head=False):
    def make(folder):
        network = timm_network(part)
        masked = lightly.MaskedVisionTransformerTIMM(network)
        head = lightly.heads.DINOProjectionHead(WIDTH, 96, 48, 64)
        made = {part: masked, **({part.replace("backbone", "head"): head} if has_head else {})}
        both = drawn(nn.ModuleDict(made), part)
        file, layers = saved(folder, both.state_dict()), [*head.layers, Unit()] if has_head else ()
        return case(file, both, timm_tower(network, layers, masked), other=(8 * PATCH, 8 * PATCH))

    return make


def of_torchvision(folder):
    """torchvision's class takes one size; its function makes positions of another, square one."""
    network = torchvision.models.VisionTransformer(SIDE, PATCH, DEPTH, 2, WIDTH, 4 * WIDTH, num_classes=10)
    file = saved(folder, drawn(network, "torchvision").state_dict())
    positions, network.heads = network.encoder.pos_embedding.data.double(), nn.Identity()
    reach = torchvision.models.vision_transformer.interpolate_embeddings

    def run(x):
        network.image_size = x.shape[-1]
        state = reach(network.image_size, PATCH, {"encoder.pos_embedding": positions})
        network.encoder.pos_embedding.data = state["encoder.pos_embedding"]
        return {"h": network(x)}

    tower = Tower(run, network.encoder.layers, network.encoder.ln, lambda block: [block.self_attention], PATCH)
    return case(file, network, tower, other=(8 * PATCH, 8 * PATCH))


def of_open_clip(activation, beside):
    """open_clip's two towers, at another size by its own function. OpenAI's files have the same names, and more."""

    def make(folder):
        is_quick = activation == "quick-gelu"
        vision = open_clip.CLIPVisionCfg(layers=DEPTH, width=WIDTH, patch_size=PATCH, image_size=SIDE)
        text = open_clip.CLIPTextCfg(context_length=8, vocab_size=50, width=64, heads=1, layers=1)
        whole = drawn(open_clip.CLIP(48, vision, text, quick_gelu=is_quick), activation)
        file = saved(folder, {**whole.state_dict(), **beside})
        tower, key = whole.visual, "visual.positional_embedding"
        positions = tower.positional_embedding.data.double()
        pooled = {}
        tower.ln_post.register_forward_hook(lambda _, __, out: pooled.update(h=out[:, 0]))

        def run(x):
            tower.grid_size = (x.shape[2] // PATCH, x.shape[3] // PATCH)
            state = {key: positions}
            open_clip.model.resize_pos_embed(state, whole)
            tower.positional_embedding.data = state[key]
            return {"z": tower(x), "h": pooled["h"]}

        blocks = tower.transformer.resblocks
        clip = Tower(run, blocks, tower.ln_post, lambda block: [block.attn], PATCH)
        return case(file, whole, clip, fed=(open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))

    return make


OPENAI = {"input_resolution": torch.tensor(SIDE), "context_length": torch.tensor(8), "vocab_size": torch.tensor(50)}
# Name, what it needs, what makes it.
FAMILIES = [
    ("timm-vit-file", "timm", timm_file),
    ("timm-vit-mean", "timm", timm_safetensors),
    ("timm-vit", "timm", of_timm("timm")),
    ("timm-vit-registers", "timm", of_timm("registers", reg_tokens=4, no_embed_class=True, init_values=1.0)),
    ("timm-dinov2", "timm", of_timm("dinov2", "vit_small_patch14_dinov2", img_size=98)),
    ("timm-dinov2-registers", "timm", of_timm("dinov2 reg", "vit_small_patch14_reg4_dinov2", img_size=98)),
    ("timm-dinov2-swiglu", "timm", of_timm("dinov2 giant", "vit_giant_patch14_dinov2", img_size=98)),
    # Positions of the registers too, as Virchow2's.
    ("timm-vit-registers-positions", "timm", of_timm("positions", reg_tokens=4, init_values=1.0)),
    ("timm-dinov3", "timm", of_timm("dinov3", "vit_small_patch16_dinov3")),
    ("timm-dinov3-qkv-bias", "timm", biased_dinov3),
    ("timm-dinov3-swiglu", "timm", of_timm("dinov3 swiglu", "vit_small_plus_patch16_dinov3")),
    ("timm-siglip", "timm", of_timm("siglip", "vit_base_patch16_siglip_224")),
    ("timm-siglip-tanh", "timm", of_timm("siglip tanh", "vit_so400m_patch16_siglip_256")),
    ("timm-clip", "timm", of_timm("clip", "vit_base_patch16_clip_224")),
    ("timm-clip-quick-gelu", "timm", of_timm("clip quick", "vit_base_patch16_clip_quickgelu_224")),
    ("torchvision-vit", "torchvision", of_torchvision),
    ("dino", "timm", of_two("dino", PROTOTYPES)),
    ("dino-hub", "timm", dino_hub),
    ("ibot", "timm", of_two("ibot", {**PROTOTYPES, "head.last_layer2.weight_g": (64, 1), "backbone.masked_embed": (1, WIDTH)})),
    ("dinov2", "timm", dino_v2(0)),
    ("dinov2-registers", "timm", dino_v2(4)),
    ("mae", "timm", mae),
    ("moco-v3", "timm", moco_v3(WIDTH, 2)),
    ("moco-v3-small", "timm", moco_v3(384, 12)),
    ("lightly-mae", "timm lightly", of_lightly("backbone")),
    ("lightly-dino-vit", "timm lightly", of_lightly("teacher_backbone", has_head=True)),
    ("open-clip", "open_clip", of_open_clip("gelu", {})),
    ("openai-clip", "open_clip", of_open_clip("quick-gelu", OPENAI)),
]
