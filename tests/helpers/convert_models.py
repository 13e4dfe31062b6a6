"""Models in common styles of GAN code. A careless conversion would break each of them."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint


class Discriminator(nn.Module):
    """The discriminator of DCGAN, with dropout of feature maps."""

    def __init__(self, width=8):
        super().__init__()

        def block(inputs, outputs, norm):
            layers = [nn.Conv2d(inputs, outputs, 4, 2, 1)]
            layers += [nn.BatchNorm2d(outputs)] if norm else []
            return [*layers, nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]

        self.main = nn.Sequential(*block(3, width, False), *block(width, 2 * width, True), nn.Conv2d(2 * width, 1, 4))
        for layer in self.main:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0.0, 0.1)

    def forward(self, images):
        return self.main(images).flatten(1)


class UNet(nn.Module):
    """An in-place leaky ReLU overwrites the tensor that the skip connection concatenates afterwards."""

    def __init__(self, depth=2, dropout_first=False):
        super().__init__()
        inner = UNet(depth - 1) if depth > 1 else nn.Conv2d(4, 4, 1)
        width = 8 if depth > 1 else 4
        down = [nn.LeakyReLU(0.2, True), *([nn.Dropout(0.4)] if dropout_first else []), nn.Conv2d(4, 4, 3, 1, 1)]
        up = [nn.ReLU(True), nn.Conv2d(width, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.Dropout(0.5)]
        self.model = nn.Sequential(*down, inner, *up)

    def forward(self, x):
        return torch.cat([x, self.model(x)], 1)


class ResidualBlock(nn.Module):
    """The first layer is an in-place activation, so the shortcut adds its output and not the block's input."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True), nn.Linear(6, 6), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3)
        )

    def forward(self, x):
        return x + self.body(x)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(6, 6), ResidualBlock(), ResidualBlock())

    def forward(self, x):
        return self.blocks(x)


def shared_activation():
    """One activation for the whole model."""
    act = nn.LeakyReLU(0.2)
    return nn.Sequential(nn.Linear(6, 8), act, nn.Dropout(0.5), nn.Linear(8, 8), act, nn.Dropout(0.2), nn.Linear(8, 1))


class DefaultArgument(nn.Module):
    """All models of this class share the activation in the default argument."""

    def __init__(self, act=nn.LeakyReLU(0.3)):  # noqa: B008 - the trap
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), act, nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, x):
        return self.net(x)


class Functional(nn.Module):
    """Functions and modules called one after the other in forward."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 1)
        self.act, self.drop, self.p = nn.LeakyReLU(0.2), nn.Dropout(0.4), 0.3

    def forward(self, x):
        x = F.dropout(F.leaky_relu(self.first(x), 0.1), self.p, self.training)
        x = self.drop(self.act(self.second(x)))
        return self.last(F.relu(x) + torch.relu(-x))


def dropout_between_convolution_and_norm():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Dropout2d(0.3), nn.BatchNorm2d(8), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3)
    )


def dropout_before_activation():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Dropout2d(0.3), nn.LeakyReLU(0.2), nn.Conv2d(8, 4, 3), nn.Dropout(0.2), nn.ReLU(True)
    )


class PlainList(nn.Module):
    """Layers registered by setattr and run from a plain list."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(8, 1)]
        self.net = nn.Sequential(*self.layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Loop(nn.Module):
    """Runs Sequentials from a ModuleList as a whole."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Dropout()) for _ in range(2))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class OwnForward(nn.Sequential):
    """A Sequential that reads the values between its layers."""

    def forward(self, x):
        total = 0
        for layer in self:
            x = layer(x)
            total = total + x.mean()
        return total


class Halves(nn.Module):
    """The second half is a Sequential that shares its layers with the whole."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(8, 1))
        self.head = self.net[2:]

    def forward(self, x):
        return self.net(x) + self.head(torch.ones(1, 8))


def slope_one():
    """LeakyReLU(True) is a slope of 1 and not inplace=True: the identity, in new memory."""
    return nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(True), nn.Linear(8, 8), nn.LeakyReLU(True), nn.Dropout(0.3))


def learned_slope():
    return nn.Sequential(nn.Linear(6, 8), nn.PReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def normalised_weights():
    return nn.Sequential(
        spectral_norm(nn.Linear(6, 8)), nn.LeakyReLU(0.2, True), nn.Dropout(0.3),
        weight_norm(nn.Linear(8, 8)), nn.LeakyReLU(0.2, True), nn.Dropout(0.3),
        parametrizations.spectral_norm(nn.Linear(8, 8)), nn.LeakyReLU(0.2, True), nn.Dropout(0.3),
        parametrizations.weight_norm(nn.Linear(8, 1)),
    )  # fmt: skip


class Packed(nn.Module):
    """CTGAN's discriminator: it takes `pac` samples as one, and computes its own gradient penalty."""

    def __init__(self, pac=2):
        super().__init__()
        self.pac, self.width = pac, 6 * pac
        self.seq = nn.Sequential(
            nn.Linear(self.width, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5),
            nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(8, 1),
        )  # fmt: skip

    def penalty(self, real, fake):
        share = torch.rand(real.size(0) // self.pac, 1, 1).repeat(1, self.pac, real.size(1)).view(-1, real.size(1))
        between = (share * real + (1 - share) * fake).requires_grad_()
        scores = self(between)
        (gradient,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True)
        return ((gradient.view(-1, self.width).norm(2, dim=1) - 1) ** 2).mean()

    def forward(self, x):
        return self.seq(x.view(-1, self.width))


class Growing(nn.Module):
    """Gets more layers during training, as in progressive GANs."""

    def __init__(self):
        super().__init__()
        self.net, self.last = nn.Sequential(nn.Linear(6, 6), nn.LeakyReLU(0.2), nn.Dropout(0.3)), nn.Linear(6, 1)

    def grow(self):
        for layer in (nn.Linear(6, 6), nn.LeakyReLU(0.2), nn.Dropout(0.3)):
            self.net.append(layer)

    def forward(self, x):
        return self.last(self.net(x))


class GrowingLoop(nn.Module):
    """Gets more layers in a ModuleList, and another number, during training."""

    def __init__(self):
        super().__init__()
        self.blocks, self.share = nn.ModuleList([nn.Linear(6, 6)]), 0.5

    def grow(self):
        self.blocks.append(nn.Linear(6, 6))
        self.share = 0.25

    def forward(self, x):
        for block in self.blocks:
            x = F.leaky_relu(block(x), 0.2) * self.share
        return x


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2, True), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, x):
        return checkpoint(self.net, x, use_reentrant=False)
