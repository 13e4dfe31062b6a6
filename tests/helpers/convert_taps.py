"""Models that read, or may read, the values between the layers of a Sequential."""

import torch
from torch import nn


class Features(nn.Module):
    """Runs its Sequential as a whole; the subclasses also run a part of it."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(8, 4))

    def forward(self, x):
        return self.features.forward(x)


class FeatureTaps(Features):
    """Runs its Sequential layer by layer and returns all values."""

    def forward(self, x):
        taps = []
        for layer in self.features:
            x = layer(x)
            taps.append(x)
        return taps


class SlicedTaps(Features):
    def forward(self, x):
        return self.features(x), self.features[:2](x)


class TapsInAMethod(Features):
    """Has a method that runs a part of the Sequential, as for a feature-matching loss."""

    def middle(self, x):
        return self.features[1](self.features[0](x))


class TapsInAProperty(Features):
    @property
    def middle(self):
        return self.features[:2]


class TapsInALambda(Features):
    def __init__(self):
        super().__init__()
        self.middle = lambda x: self.features[:2](x)


def wrapped(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


class TapsInAWrapper(Features):
    @wrapped
    def middle(self, x):
        return self.features[:2](x)


def middle_of(model, x):
    return model.features[:2](x)


class TapsInAFunction(Features):
    def forward(self, x):
        return self.features(x), middle_of(self, x)


class TapsByName(Features):
    def forward(self, x):
        layers = getattr(self, "fea" + "tures")
        return layers[1](layers[0](x)), layers(x)


class TapsFromOutside(nn.Module):
    """Holds the Sequential of the model that is converted, and runs a part of it."""

    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, x):
        return self.features[:2](x)


class Registered(nn.Module):
    """As in nnU-Net: layers that are attributes, and a Sequential of the same layers, which alone is run."""

    def __init__(self):
        super().__init__()
        self.linear, self.drop, self.act = nn.Linear(6, 6), nn.Dropout(0.5), nn.LeakyReLU(0.2)
        self.all_modules = nn.Sequential(self.linear, self.drop, self.act)

    def forward(self, x):
        return self.all_modules(x)


class StackOfRegistered(nn.Module):
    """Reads blocks by their index, which leads to no layer of a block."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Registered(), Registered())
        self.width = self.blocks[0].linear.in_features

    def last(self):
        return self.blocks[-1]

    def forward(self, x):
        return self.blocks(x)


class RegisteredAndRead(Registered):
    def forward(self, x):
        return self.all_modules(x) + self.act(x)


class DenseBlock(nn.Sequential):
    """As in MONAI: a container with a forward of its own, which runs whole Sequentials."""

    def __init__(self):
        super().__init__(*(nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Dropout(0.3)) for _ in range(2)))

    def forward(self, x):
        for layer in self.children():
            x = torch.maximum(x, layer(x))
        return x


class DenseBlockByItself(DenseBlock):
    def forward(self, x):
        for layer in self:
            x = x + layer(x)
        return x


class DenseBlockTaps(DenseBlock):
    def forward(self, x):
        for layer in self:
            x = layer[:2](x)
        return x


class LoopTaps(nn.Module):
    """Runs the layers of each block of a list."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Dropout(0.3))])

    def forward(self, x):
        values = []
        for block in self.blocks:
            for layer in block:
                x = layer(x)
                values.append(x)
        return values


class LoopKeeps(LoopTaps):
    def forward(self, x):
        for block in self.blocks:
            kept = block
            x = block(x)
        return kept[:2](x)
