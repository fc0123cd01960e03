"""Vision transformers of families.py in folders of Hugging Face transformers: ViT, MAE, DINOv2, DINOv3, CLIP and SigLIP."""

import torch
from families_drawn import Case, Tower, drawn, library, saved

hf = library("transformers")
if hf:
    hf.utils.logging.disable_progress_bar()

SIDE, PATCH = 96, 16
SMALL = dict(hidden_size=128, num_hidden_layers=3, num_attention_heads=2, image_size=SIDE, patch_size=PATCH)
MLP = dict(intermediate_size=512)


def separate(block):
    """The layers for queries, keys and values."""
    attention = getattr(block, "attention", None) or block.self_attn
    return [attention.q_proj, attention.k_proj, attention.v_proj]


def folder_of(folder, network, processor):
    """As people have them: weights and configuration, and how images reach the network."""
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def case(file, network, tower, processor):
    side = SIDE if tower.patch == PATCH else 98
    # Of a grid of 6 x 6 or 7 x 7 positions, one side becomes smaller, the other larger.
    other = (5 * tower.patch, 8 * tower.patch)
    return Case(file, network, tower.vectors, side, other, tower.patch, (processor.image_mean, processor.image_std))


def square(kind, side=SIDE):
    return kind(size={"height": side, "width": side})


def cropped(kind, side=SIDE, **settings):
    crop = {"height": side, "width": side}
    return kind(size={"shortest_edge": side}, crop_size=crop, **settings)


def vit(folder):
    network = drawn(hf.ViTModel(hf.ViTConfig(**SMALL, **MLP)), "vit")
    processor = square(hf.ViTImageProcessor)
    run = lambda x: {"h": network(x, interpolate_pos_encoding=True).last_hidden_state[:, 0]}
    tower = Tower(run, network.layers, network.layernorm, separate, PATCH)
    return case(folder_of(folder, network, processor), network, tower, processor)


def vit_in_memory(folder):
    """The names that the class has in memory, in a file of torch.save."""
    made = vit(folder)
    (folder / "alone").mkdir()
    made.file = saved(folder / "alone", made.network.state_dict())
    return made


def mae(folder):
    """The decoder is no part of the network; nothing is masked, and the order of the patches stays."""
    config = hf.ViTMAEConfig(**SMALL, **MLP, mask_ratio=0.0, decoder_hidden_size=64, decoder_num_hidden_layers=1,
                             decoder_num_attention_heads=2, decoder_intermediate_size=64)
    whole = drawn(hf.ViTMAEForPreTraining(config), "mae")
    processor = square(hf.ViTImageProcessor)
    network = whole.vit

    def run(x):
        count = x.shape[2] * x.shape[3] // PATCH**2
        order = torch.arange(count).expand(len(x), -1).double()
        return {"h": network(x, noise=order, interpolate_pos_encoding=True).last_hidden_state[:, 0]}

    tower = Tower(run, network.layers, network.layernorm, separate, PATCH)
    return case(folder_of(folder, whole, processor), whole, tower, processor)


def dino_v2(kind="Dinov2", registers=0, **settings):
    def make(folder):
        if registers:
            settings["num_register_tokens"] = registers
        config = getattr(hf, f"{kind}Config")(**{**SMALL, "patch_size": 14, "image_size": 98}, **settings)
        network = drawn(getattr(hf, f"{kind}Model")(config), f"{kind} {settings}")
        # It keeps ImageNet's mean and deviation.
        processor = cropped(hf.BitImageProcessor, 98, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
        run = lambda x: {"h": network(x).pooler_output}
        tower = Tower(run, network.encoder.layer, network.layernorm, separate, 14, 1 + registers)
        return case(folder_of(folder, network, processor), network, tower, processor)

    return make


def dino_v3(**settings):
    def make(folder):
        config = hf.DINOv3ViTConfig(**SMALL, **MLP, num_register_tokens=4, **settings)
        network = drawn(hf.DINOv3ViTModel(config), f"dinov3 {settings}")
        processor = square(hf.DINOv3ViTImageProcessor)
        run = lambda x: {"h": network(x).pooler_output}
        tower = Tower(run, network.model.layer, network.norm, separate, PATCH, 5)
        return case(folder_of(folder, network, processor), network, tower, processor)

    return make


def dino_v3_own(folder):
    """The names of dinov3's own code for the same weights, in a file alone: the keys' bias is there, and masked, and so
    are the periods of the positions, rounded to bfloat16."""
    made = dino_v3()(folder)
    state, network = {}, made.network
    rope = network.rope_embeddings
    periods = 100.0 ** (torch.arange(16) / 16)
    assert torch.allclose(1 / rope.inv_freq.float(), periods)
    state["rope_embed.periods"] = periods.bfloat16()
    rope.inv_freq = 1 / state["rope_embed.periods"].double()
    rules = [("patch_embeddings", "patch_embed.proj"), ("embeddings.", ""), ("register_tokens", "storage_tokens"),
             ("model.layer.", "blocks."), ("attention.o_proj", "attn.proj"), ("layer_scale", "ls"), ("lambda1", "gamma"),
             ("up_proj", "fc1"), ("down_proj", "fc2")]
    for key, tensor in network.state_dict().items():
        for theirs, its in rules:
            key = key.replace(theirs, its)
        state[key] = tensor
    for block in range(len(network.model.layer)):
        parts = [f"blocks.{block}.attention.{part}_proj" for part in "qkv"]
        whole = f"blocks.{block}.attn.qkv"
        state[f"{whole}.weight"] = torch.cat([state.pop(f"{part}.weight") for part in parts])
        biases = [state.pop(f"{part}.bias", None) for part in parts]
        state[f"{whole}.bias"] = torch.cat([torch.ones(128) if bias is None else bias for bias in biases])
        state[f"{whole}.bias_mask"] = torch.cat([torch.full((128,), float(bias is not None)) for bias in biases])
    (folder / "alone").mkdir()
    made.file, made.own = saved(folder / "alone", state), 224
    return made


TEXT = dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=1, intermediate_size=64, vocab_size=50,
            max_position_embeddings=8, bos_token_id=0, eos_token_id=1, pad_token_id=1)


def projected_tower(folder, network, processor):
    """A network whose image tower has a class token and a projection, as CLIP's."""
    vision = network.vision_model

    def run(x):
        h = vision(x, interpolate_pos_encoding=True).pooler_output
        return {"h": h, "z": network.visual_projection(h)}

    tower = Tower(run, vision.encoder.layers, vision.post_layernorm, separate, PATCH)
    return case(folder_of(folder, network, processor), network, tower, processor)


def clip(is_whole):
    """The image tower with its projection, alone or beside the text's."""

    def make(folder):
        config = hf.CLIPVisionConfig(**SMALL, **MLP, projection_dim=48)
        if is_whole:
            both = hf.CLIPConfig(vision_config=config.to_dict(), text_config=TEXT, projection_dim=48)
            network = hf.CLIPModel(both)
        else:
            network = hf.CLIPVisionModelWithProjection(config)
        drawn(network, f"clip {is_whole}")
        return projected_tower(folder, network, cropped(hf.CLIPImageProcessor))

    return make


def owl_vit(folder):
    """CLIP's tower, one of whose layers is spelt otherwise."""
    config = hf.OwlViTVisionConfig(**SMALL, **MLP)
    network = hf.OwlViTModel(hf.OwlViTConfig(vision_config=config.to_dict(), text_config=TEXT, projection_dim=48))
    drawn(network, "owl-vit")
    return projected_tower(folder, network, square(hf.OwlViTImageProcessor))


def siglip(is_whole):
    """The image tower, alone or beside the text's; its class token is an attention over the patches."""

    def make(folder):
        config = hf.SiglipVisionConfig(**SMALL, **MLP)
        if is_whole:
            network = hf.SiglipModel(hf.SiglipConfig(vision_config=config.to_dict(), text_config=TEXT))
        else:
            network = hf.SiglipVisionModel(config)
        drawn(network, f"siglip {is_whole}")
        vision, processor = getattr(network, "vision_model", network), square(hf.SiglipImageProcessor)
        run = lambda x: {"h": vision(x, interpolate_pos_encoding=True).pooler_output}
        tower = Tower(run, vision.encoder.layers, vision.post_layernorm, separate, PATCH, 0, class_token=False)
        return case(folder_of(folder, network, processor), network, tower, processor)

    return make


# Name, what it needs, what makes it.
FAMILIES = [
    ("transformers-vit", "transformers", vit),
    ("transformers-vit-in-memory", "transformers", vit_in_memory),
    ("transformers-mae", "transformers", mae),
    ("transformers-dinov2", "transformers", dino_v2()),
    ("transformers-dinov2-swiglu", "transformers", dino_v2(use_swiglu_ffn=True)),
    ("transformers-dinov2-registers", "transformers", dino_v2("Dinov2WithRegisters", 4)),
    ("transformers-dinov2-registers-swiglu", "transformers", dino_v2("Dinov2WithRegisters", 4, use_swiglu_ffn=True)),
    ("transformers-dinov3", "transformers", dino_v3()),
    ("transformers-dinov3-swiglu", "transformers", dino_v3(use_gated_mlp=True, hidden_act="silu")),
    ("dinov3", "transformers", dino_v3_own),
    ("transformers-owlvit", "transformers", owl_vit),
    ("transformers-clip", "transformers", clip(False)),
    ("transformers-clip-whole", "transformers", clip(True)),
    ("transformers-siglip", "transformers", siglip(False)),
    ("transformers-siglip-whole", "transformers", siglip(True)),
]
