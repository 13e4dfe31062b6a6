"""Models that read, or may read, the values between the layers of a Sequential."""

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
