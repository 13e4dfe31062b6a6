"""The models of `benchmarks/libraries.py`: other people's, as their packages give them, and three written here.

Each function takes the sizes and returns a `Model`. The packages are used as they are; nothing of them is copied.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Model:
    """A network, or several that train together.

    Attributes:
        network: what is converted.
        inputs: the arguments of its forward, with which `convert` checks itself.
        step: called with the network, does a training step's forward and returns the losses to differentiate.
        trace: whether to convert with `trace=True`.
    """

    network: nn.Module
    inputs: tuple[Any, ...]
    step: Callable[[Any], list[torch.Tensor]] | None = None
    trace: bool = False

    def losses(self, network):
        if self.step is not None:
            return self.step(network)
        output = network(*self.inputs)
        outputs = output if isinstance(output, (tuple, list)) else [output]
        outputs = outputs[0] if isinstance(outputs[0], (tuple, list)) else outputs
        return [sum(y.square().mean() for y in outputs if isinstance(y, torch.Tensor))]


class Networks(nn.ModuleDict):
    """A generator and a discriminator. The forward is for the check of `convert`."""

    def forward(self, z):
        return self["discriminator"](self["generator"](z))


def adversarial(networks, z, real):
    """The losses of a discriminator and a generator with binary cross-entropy, as in the first GANs."""
    generator, discriminator = networks["generator"], networks["discriminator"]
    fake = generator(z)
    logits, answers = discriminator(real), discriminator(fake.detach())
    bce = F.binary_cross_entropy_with_logits
    loss = bce(logits, torch.ones_like(logits)) + bce(answers, torch.zeros_like(answers))
    answers = discriminator(fake)
    return [loss, bce(answers, torch.ones_like(answers))]


def plain_gan(small):
    """A GAN of linear layers on images of 28 x 28, with dropout in D; the layout is that of many tutorials."""
    widths, batch = ((16, 16), 8) if small else ((512, 256), 64)
    generator: list[nn.Module] = []
    for inputs, outputs in ((100, 128), (128, 256), (256, 512)):
        generator += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.2, inplace=True)]
    generator += [nn.Linear(512, 784), nn.Tanh()]
    discriminator: list[nn.Module] = []
    for inputs, outputs in zip((784, *widths), widths, strict=False):
        discriminator += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True)]
    discriminator.append(nn.Linear(widths[-1], 1))
    networks = Networks({"generator": nn.Sequential(*generator), "discriminator": nn.Sequential(*discriminator)})
    z, real = torch.randn(batch, 100), torch.randn(batch, 784)
    return Model(networks, (z,), lambda networks: adversarial(networks, z, real))


class Level(nn.Module):
    """A level of the generator of Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks"."""

    def __init__(self, outer, inner, below, dropout):
        super().__init__()
        up = nn.ConvTranspose2d(2 * inner if below else inner, outer, 4, 2, 1)
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, 2, 1), nn.Identity() if below is None else below,
            nn.ReLU(), up, nn.BatchNorm2d(outer), *([nn.Dropout(0.5)] if dropout else []),
        )  # fmt: skip

    def forward(self, x):
        return torch.cat([x, self.body(x)], 1)


def pix2pix(small):
    """A U-Net with dropout and a discriminator of patches, written after the paper."""
    width, size, batch, depth = (4, 16, 2, 3) if small else (32, 64, 8, 5)
    widths = [min(width * 2**i, 8 * width) for i in range(depth + 1)]
    below = None
    for i in reversed(range(depth)):
        below = Level(widths[i], widths[i + 1], below, dropout=i >= 2)
    generator = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1), below, nn.Conv2d(2 * width, 3, 3, 1, 1), nn.Tanh())
    patches: list[nn.Module] = []
    for inputs, outputs in ((3, width), (width, 2 * width)):
        patches += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    discriminator = nn.Sequential(*patches, nn.Conv2d(2 * width, 1, 3, 1, 1))
    x, real = torch.randn(batch, 3, size, size), torch.randn(batch, 3, size, size)
    networks = Networks({"generator": generator, "discriminator": discriminator})
    return Model(networks, (x,), lambda networks: adversarial(networks, x, real))


class Sentences(nn.Module):
    """Classifies sequences: an embedding, an LSTM with dropout around it, and a head."""

    def __init__(self, words, width):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(words, width), nn.LSTM(width, width, batch_first=True)
        self.before = nn.Dropout(0.3)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.5), nn.Linear(width, 2))

    def forward(self, words):
        return self.head(self.lstm(self.before(self.embedding(words)))[0])


def lstm(small):
    width, batch, length = (8, 2, 5) if small else (128, 32, 64)
    return Model(Sentences(1000, width), (torch.randint(0, 1000, (batch, length)),))


def monai_unet(small):
    from monai.networks.nets import UNet

    channels = (4, 8, 16) if small else (16, 32, 64, 128)
    size = 16 if small else 128
    network = UNet(2, 1, 2, channels, (2,) * (len(channels) - 1), num_res_units=2, dropout=0.2)
    return Model(network, (torch.randn(2 if small else 4, 1, size, size),))


def monai_unet_3d(small):
    from monai.networks.nets import UNet

    channels, size = ((4, 8, 16), 16) if small else ((16, 32, 64), 32)
    strides = (2,) * (len(channels) - 1)
    network = UNet(3, 1, 2, channels, strides, num_res_units=2, dropout=0.2, act="leakyrelu", norm="batch")
    return Model(network, (torch.randn(2, 1, size, size, size),))


def vit_tiny(small):
    from transformers import ViTConfig, ViTModel

    size, layers, batch = (16, 2, 2) if small else (64, 12, 16)
    config = ViTConfig(
        hidden_size=192, num_hidden_layers=layers, num_attention_heads=3, intermediate_size=768, image_size=size,
        patch_size=8, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, attn_implementation="eager",
    )  # fmt: skip
    network, x = ViTModel(config, add_pooling_layer=False), torch.randn(batch, 3, size, size)
    return Model(network, (x,), lambda network: [network(x).last_hidden_state.square().mean()], trace=True)


def nnunet(small):
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    features, size = ((4, 8, 16), 16) if small else ((16, 32, 64, 128), 128)
    stages = len(features)
    network = PlainConvUNet(
        1, stages, features, nn.Conv2d, 3, (1, *(2,) * (stages - 1)), 2, 3, 2, conv_bias=True,
        norm_op=nn.InstanceNorm2d, norm_op_kwargs={"affine": True}, nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    )  # fmt: skip
    return Model(network, (torch.randn(2, 1, size, size),))


def gat(small):
    from torch_geometric.nn import GAT

    nodes, features, edges = (20, 16, 60) if small else (2708, 1433, 10556)  # the sizes of Cora
    network = GAT(features, 8 if small else 64, 2, 7, dropout=0.6, heads=8)
    return Model(network, (torch.randn(nodes, features), torch.randint(0, nodes, (2, edges))), trace=True)


MODELS = {
    "plain GAN": (plain_gan, "torch"),
    "pix2pix": (pix2pix, "torch"),
    "LSTM": (lstm, "torch"),
    "MONAI UNet": (monai_unet, "monai"),
    "MONAI UNet 3-D": (monai_unet_3d, "monai"),
    "ViT-tiny": (vit_tiny, "transformers"),
    "nnU-Net": (nnunet, "dynamic-network-architectures"),
    "GAT": (gat, "torch-geometric"),
}
