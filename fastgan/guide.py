"""Worked examples: a model of yours made faster, training on your images, and fastgan inside other trainers.

# A DCGAN made faster, in three lines

Somebody's discriminator, as DCGANs have them, with dropout:

>>> import torch
>>> from torch import nn
>>> discriminator = nn.Sequential(
...     nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3),
...     nn.Conv2d(8, 16, 4, 2, 1), nn.BatchNorm2d(16), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3),
...     nn.Flatten(), nn.Linear(1024, 1),
... )
>>> weights = set(discriminator.state_dict())

The three lines. `example_inputs` makes `fastgan.convert` run the model before and after: outputs and gradients must be
the same, or the model stays as it was and the error names the layer.

>>> import fastgan
>>> report = fastgan.convert(discriminator, example_inputs=(torch.randn(4, 3, 32, 32),))
>>> print(report)
fastgan: 0 swapped, 2 pairs fused, 0 skipped
  fused   1 and 2
  fused   5 and 6

Parameters, names and the optimizer that holds them are what they were, so checkpoints load as before. An `nn.Identity`
stands where the second layer of a pair was:

>>> set(discriminator.state_dict()) == weights
True
>>> discriminator[1], discriminator[2]
(LeakyReLUDropout(negative_slope=0.2, p=0.3, inplace=True), Identity())

The loss may be one pass, too, and needs no tensors of targets:

>>> from fastgan import functional as FF
>>> real, fake = torch.rand(2, 4, 3, 32, 32) * 2 - 1
>>> loss, statistics = FF.discriminator_loss(discriminator(real), discriminator(fake), real_target=0.9)
>>> loss.backward()

For export to ONNX or TorchScript, torch's own layers come back:

>>> fastgan.revert(discriminator)[1]
LeakyReLU(negative_slope=0.2, inplace=True)

# Your own folder of images

A folder `photos` of images, in which subfolders, if any, are classes. On the command line:

```sh
fastgan train --data folder:photos --image-size 32 --flip --recipe dcgan --batch-size 64 --steps 20000 --out runs/photos
fastgan sample runs/photos --n 64 --seed 3 --out grid.png
fastgan eval runs/photos
```

`--out` holds pictures, losses, checkpoints and weights; after an interruption the first command with `--resume` goes on
where it stopped. `--conditional` teaches the classes, `--holdout 0.2` keeps images back for `fastgan eval`.

The same from Python, with samples as an array in the images' own units:

```python
from fastgan.train import GANTrainer, TrainConfig, load_run

config = TrainConfig(
    recipe="dcgan", data="folder:photos", image_size=32, flip=True, batch_size=64, steps=20000, out="runs/python"
)
folder = GANTrainer(config).fit()

run = load_run(folder)
images = run.units.restore(run.sample(16, seed=3))  # uint8 (16, 32, 32, 3), or (16, 32, 32) if all images are grey
```

Networks and data of your own are arguments of `fastgan.train.GANTrainer`, which says what they must be.

# Inside Lightning

The layers are modules and the losses functions, so a `LightningModule` needs nothing special. A GAN has two optimizers,
which Lightning leaves to `training_step`:

```python
import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fastgan import functional as FF
from fastgan import nn as fnn
from fastgan.data import digits


class GAN(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(16, 128), fnn.LeakyReLU(0.2), nn.Linear(128, 64), nn.Tanh())
        self.discriminator = nn.Sequential(nn.Linear(64, 128), fnn.LeakyReLUDropout(0.2, p=0.3), nn.Linear(128, 1))

    def training_step(self, batch, index):
        (real,) = batch
        optimizer_g, optimizer_d = self.optimizers()
        fake = self.generator(torch.randn(len(real), 16, device=self.device))

        loss_d, statistics = FF.discriminator_loss(self.discriminator(real), self.discriminator(fake.detach()))
        optimizer_d.zero_grad()
        self.manual_backward(loss_d)
        optimizer_d.step()

        loss_g = FF.generator_loss(self.discriminator(fake))
        optimizer_g.zero_grad()
        self.manual_backward(loss_g)
        optimizer_g.step()
        self.log_dict({"loss_d": loss_d, "loss_g": loss_g, "p_real": statistics[0], "p_fake": statistics[1]})

    def configure_optimizers(self):
        networks = (self.generator, self.discriminator)
        return [torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999)) for network in networks]


loader = DataLoader(TensorDataset(digits().samples.flatten(1)), batch_size=64, shuffle=True)
trainer = lightning.Trainer(max_epochs=2, logger=False, enable_checkpointing=False)
trainer.fit(GAN(), loader)
```

# Inside a loop of Hugging Face Accelerate

`prepare` takes the networks as they are, and mixed precision and several processes stay Accelerate's affair:

```python
import accelerate
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fastgan import functional as FF
from fastgan import nn as fnn
from fastgan.data import digits

accelerator = accelerate.Accelerator()
generator = nn.Sequential(nn.Linear(16, 128), fnn.LeakyReLU(0.2), nn.Linear(128, 64), nn.Tanh())
discriminator = nn.Sequential(nn.Linear(64, 128), fnn.LeakyReLUDropout(0.2, p=0.3), nn.Linear(128, 1))
optimizer_g = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(discriminator.parameters(), 2e-4, betas=(0.5, 0.999))
loader = DataLoader(TensorDataset(digits().samples.flatten(1)), batch_size=64, shuffle=True)
generator, discriminator, optimizer_g, optimizer_d, loader = accelerator.prepare(
    generator, discriminator, optimizer_g, optimizer_d, loader
)

for epoch in range(2):
    for (real,) in loader:
        fake = generator(torch.randn(len(real), 16, device=accelerator.device))

        loss_d, statistics = FF.discriminator_loss(discriminator(real), discriminator(fake.detach()))
        optimizer_d.zero_grad()
        accelerator.backward(loss_d)
        optimizer_d.step()

        loss_g = FF.generator_loss(discriminator(fake))
        optimizer_g.zero_grad()
        accelerator.backward(loss_g)
        optimizer_g.step()
    accelerator.print(f"epoch {epoch}: D {loss_d.item():.3f}, G {loss_g.item():.3f}")
```
"""

__all__: list[str] = []
