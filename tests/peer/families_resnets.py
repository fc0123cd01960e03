"""ResNets of families.py: torchvision's, timm's, transformers', with ImageNet's and CIFAR's stem, and their projectors."""

import torch
from families_drawn import Case, Unit, drawn, library, prefixed, pyramid, saved
from torch import nn

lightly, heads, timm, torchvision, transformers = map(
    library, ("lightly.models", "lightly.models.modules.heads", "timm", "torchvision", "transformers")
)

CIFAR = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
# Multiples of what every layer's places need to cover the image: 32 pixels, and 8 without ImageNet's stem.
OTHER, OTHER_CIFAR = (96, 160), (40, 64)


def of_class(file, network, head=(), cifar=False):
    """A case of torchvision's class, or one like it, without its last layer."""
    network.fc = nn.Identity()
    stages = [network.layer1, network.layer2, network.layer3, network.layer4]
    both = nn.ModuleList([network, nn.ModuleList(head)])
    fed = dict(own=32, other=OTHER_CIFAR, place=1, fed=CIFAR) if cifar else dict(own=224, other=OTHER, place=4)
    return Case(file, both, pyramid(stages, network, head), **fed)


def of_torchvision(name):
    def make(folder):
        network = drawn(getattr(torchvision.models, name)(weights=None), name)
        return of_class(saved(folder, network.state_dict()), network)

    return make


def of_timm(name):
    def make(folder):
        network = drawn(timm.create_model(name), f"timm {name}")
        # What timm's own network gives without its classifier.
        return of_class(saved(folder, network.state_dict()), network)

    return make


def of_transformers(kind, first, depths):
    def make(folder):
        sizes = [first << stage for stage in range(4)]
        config = transformers.ResNetConfig(embedding_size=16, hidden_sizes=sizes, depths=depths, layer_type=kind)
        network = drawn(transformers.ResNetModel(config), kind)
        network.save_pretrained(folder)
        # As transformers feeds it, which is not how torchvision feeds its own.
        processor = transformers.ConvNextImageProcessor(size={"shortest_edge": 224})
        processor.save_pretrained(folder)
        vectors = pyramid(network.encoder.stages, lambda x: network(x).pooler_output)
        return Case(folder, network, vectors, 224, OTHER, 4, (processor.image_mean, processor.image_std))

    return make


def moco_v2(folder):
    """MoCo's own files: query and key encoder, the projector in place of the classifier, a queue."""
    query, key = (torchvision.models.resnet18(weights=None) for _ in range(2))
    for name, network in (("query", query), ("key", key)):
        network.fc = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 128))
        drawn(network, f"moco {name}")
    state = {**prefixed("module.encoder_q.", query), **prefixed("module.encoder_k.", key), "module.queue": torch.zeros(128, 64)}
    file = saved(folder, {"epoch": 200, "arch": "resnet18", "state_dict": state}, "moco.pth.tar")
    return of_class(file, query, query.fc)


def with_cifar_stem(padding):
    """torchvision's network as it is changed for CIFAR."""
    network = torchvision.models.resnet18(weights=None)
    network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, 1, padding, bias=False), nn.Identity()
    return network


def solo_learn(folder):
    """solo-learn's file of Lightning. Its stem has padding 2: 34 x 34 places of an image of 32 x 32."""
    layers = [nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256), nn.BatchNorm1d(256), nn.ReLU()]
    head = drawn(nn.Sequential(*layers, nn.Linear(256, 64)), "solo-learn head")
    network = with_cifar_stem(padding=2)
    network.fc = nn.Identity()
    drawn(network, "solo-learn")
    state = {**prefixed("backbone.", network), **prefixed("projector.", head), "classifier.weight": torch.zeros(10, 512)}
    settings = {"backbone": {"name": "resnet18"}, "method": "vicreg"}
    whole = {"state_dict": state, "hyper_parameters": settings, "pytorch-lightning_version": "2.1.2"}
    return of_class(saved(folder, whole, "solo.ckpt"), network, head, cifar=True)


def cifar(folder):
    network = drawn(with_cifar_stem(padding=1), "cifar")
    return of_class(saved(folder, network.state_dict()), network, cifar=True)


def lightly_cifar(name, width=1):
    """lightly's own network for CIFAR, whose forward pass has a pool for inputs of 32 x 32 alone."""

    def make(folder):
        network = drawn(lightly.ResNetGenerator(name, width=width), f"lightly {name} {width}")
        layers = [network.conv1, network.bn1, nn.ReLU(), network.layer1, network.layer2, network.layer3, network.layer4]
        whole = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))
        file = saved(folder, network.state_dict())
        return Case(file, whole, pyramid(whole[3:7], whole), 32, OTHER_CIFAR, 1, CIFAR)

    return make


def of_lightly(head, *widths, names=("backbone", "projection_head"), beside=()):
    """A method as lightly's examples write it: torchvision's layers in a Sequential, lightly's head, and the like beside them."""

    def pair():
        backbone = nn.Sequential(*list(torchvision.models.resnet18(weights=None).children())[:-1])
        return backbone, getattr(heads, head)(512, *widths)

    def make(folder):
        backbone, made = pair()
        whole = nn.ModuleDict(dict(zip((*names, *beside), (backbone, made, *pair()))))
        drawn(whole, head)
        file = saved(folder, whole.state_dict())
        # DINO's z is its bottleneck, before the prototypes.
        layers = [*made.layers, Unit()] if hasattr(made, "last_layer") else made.layers
        return Case(file, whole, pyramid(backbone[4:8], backbone, layers), 224, OTHER, 4)

    return make


BOTH = "torchvision lightly"
MOMENTUM = ("backbone_momentum", "projection_head_momentum")
TEACHER, STUDENT = ("teacher_backbone", "teacher_head"), ("student_backbone", "student_head")
# Name, what it needs, what makes it.
FAMILIES = [
    ("torchvision-resnet18", "torchvision", of_torchvision("resnet18")),
    ("torchvision-resnet50", "torchvision", of_torchvision("resnet50")),
    ("torchvision-wide-resnet50", "torchvision", of_torchvision("wide_resnet50_2")),
    ("timm-resnet18", "timm", of_timm("resnet18")),
    ("timm-resnet50", "timm", of_timm("resnet50")),
    ("transformers-resnet-basic", "transformers", of_transformers("basic", 16, [2, 2, 2, 2])),
    ("transformers-resnet-bottleneck", "transformers", of_transformers("bottleneck", 64, [3, 4, 6, 3])),
    ("moco-v2", "torchvision", moco_v2),
    ("solo-learn-cifar", "torchvision", solo_learn),
    ("torchvision-cifar", "torchvision", cifar),
    ("lightly-cifar-resnet18", "lightly", lightly_cifar("resnet-18")),
    ("lightly-cifar-resnet50w2", "lightly", lightly_cifar("resnet-50", 2)),
    ("lightly-simclr", BOTH, of_lightly("SimCLRProjectionHead", 256, 64)),
    ("lightly-moco", BOTH, of_lightly("MoCoProjectionHead", 256, 64, beside=MOMENTUM)),
    ("lightly-byol", BOTH, of_lightly("BYOLProjectionHead", 256, 64, beside=MOMENTUM)),
    ("lightly-vicreg", BOTH, of_lightly("VICRegProjectionHead", 256, 64)),
    ("lightly-barlow-twins", BOTH, of_lightly("BarlowTwinsProjectionHead", 256, 64)),
    ("lightly-simsiam", BOTH, of_lightly("SimSiamProjectionHead", 256, 64)),
    ("lightly-swav", BOTH, of_lightly("SwaVProjectionHead", 256, 64)),
    ("lightly-nnclr", BOTH, of_lightly("NNCLRProjectionHead", 256, 64)),
    ("lightly-dino", BOTH, of_lightly("DINOProjectionHead", 256, 64, 128, names=TEACHER, beside=STUDENT)),
]
