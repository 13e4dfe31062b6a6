"""A data set whose samples are masks, in a module that a spawned process can import."""

import torch
from torch.utils.data import Dataset

from fastgan import functional as FF


class Masks(Dataset):
    """Masks drawn where the sample is loaded."""

    def __len__(self):
        return 12

    def __getitem__(self, i):
        return FF.leaky_relu_dropout(torch.ones(70_000), 0.2, 0.5, seed=i)
