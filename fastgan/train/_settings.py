"""The fields of `TrainConfig`, with their help texts, ranges and choices, in groups that build on one another."""

from __future__ import annotations

from dataclasses import dataclass

from fastgan.data import FROM_PATH
from fastgan.data.inputs import INPUTS
from fastgan.data.table.options import HEADERS
from fastgan.losses import LOSSES
from fastgan.models import NETWORKS
from fastgan.train._fields import option
from fastgan.train.precision import PRECISIONS
from fastgan.train.recipes import RECIPES
from fastgan.train.sampling import BALANCES

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
SCHEDULES = ("constant", "linear", "cosine")


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """The recipe, and what the samples are and how they are read."""

    recipe: str = option(
        "Set of defaults to start from; if none is given, images of 28 to 47 pixels take r3gan, larger ones rpgan.",
        "mlp",
        choices=RECIPES,
    )
    data: str = option(
        f"Training data: digits, ring, grid, or {', '.join(f'{kind}:PATH' for kind in FROM_PATH)}.", "digits"
    )
    separator: str = option("What separates a table's cells: auto, a name such as semicolon, or a character.", "auto")
    decimal: str = option("A table's decimal mark: auto, . or a comma.", "auto", choices=("auto", ".", ","))
    header: str = option("Whether a table's first row holds names.", "auto", choices=HEADERS)
    encoding: str = option("Encoding of a table's text: auto, which is UTF-8, or a name such as latin-1.", "auto")
    drop: str = option("Columns of a table to leave out, with commas.", "")
    columns: str = option("The only columns of a table to take, with commas, also where they look like ids.", "")
    text: str = option("Columns of a table that are text although they look like numbers, with commas.", "")
    discrete: str = option("Columns of numbers that are categories for the network tabular, with commas.", "")
    image_size: int = option("Pixels a side of the squares to which images are cropped; 0 keeps their size.", 0, low=0)
    color: str = option("Colour of images; auto is grey if all are, else rgb.", "auto", choices=("auto", "grey", "rgb"))
    background: str = option("Colour under transparent images: white, black or #rrggbb.", "white")
    from_: str = option("What to make inputs for image to image of.", "none", choices=("none", *INPUTS))
    reverse: bool = option("Of pairs, take the right image, or that of folder B, for the input.", False)
    flip: bool = option("Mirror each real image left to right with probability 0.5.", False)
    strict: bool = option("Refuse data with a broken image, instead of skipping the image.", False)
    spread: bool = option("Each machine holds other data: its processes draw their share of a batch from them.", False)
    holdout: float = option("Share of each class kept from training, for fastgan eval.", low=0, high=0.9)


@dataclass(frozen=True, kw_only=True)
class RunSettings(DataSettings):
    """How long the run is, where it runs, and what it writes."""

    out: str | None = option("Run folder; if not given, a new folder under runs/.")
    resume: bool = option("Continue the run in --out from its newest undamaged checkpoint.", False)
    steps: int = option("Steps in the whole run, those before --resume included.", low=0)
    batch_size: int = option("Real samples in each update of the discriminator, over all processes.", low=1)
    seed: int = option("Seed of all random numbers.", 0, low=0, high=2**63 - 1)
    device: str = option("Training device: cpu, cuda, cuda:N, or auto, which takes a GPU if there is one.", "auto")
    checkpoint_every: int = option("Steps between checkpoints.", low=1)
    keep: int = option("Number of checkpoints to keep; older ones are deleted.", 3, low=1)
    sample_every: int = option("Steps between sample grids.", low=1)
    log_every: int = option("Steps between lines of metrics.jsonl, the statistics of the training.", low=1)

    eval_every: int = option(
        "Steps between measurements of FID, whose lowest value selects checkpoints/best.pt; 0 measures none.", 0, low=0
    )
    workers: int = option(
        "Processes that load the samples of a Dataset, and threads that decode images; 0 uses none.", 0, low=0
    )
    threads: int = option("CPU threads for training; 0 uses torch's own number.", low=0)


@dataclass(frozen=True, kw_only=True)
class SpeedSettings(RunSettings):
    """How the steps are computed, and what watches them."""

    precision: str = option(
        "Number format of the forward passes; auto is bf16 for images on a GPU that supports it, and for convolutions "
        "on a CPU that multiplies it in hardware, else fp32.",
        "auto",
        choices=PRECISIONS,
    )
    compile: bool = option("Compile both networks with torch.compile, which needs a C++ compiler.", False)
    cuda_graph: str = option(
        "Run steps as CUDA graphs; auto does so on a GPU, except with fp16 or several processes.",
        "auto",
        choices=("auto", "on", "off"),
    )
    channels_last: bool = option("Keep images and weights of convolutions in the channels_last memory format.", True)
    convert: bool = option("Put fused layers into networks that are passed to GANTrainer.", True)
    sync_batchnorm: bool = option("Batch normalisation with the statistics of the samples of all processes.", False)
    on_alarm: str = option(
        "What to do at a dead loss, a saturated discriminator, mode collapse or memorisation; off does not check.",
        "warn",
        choices=("warn", "stop", "off"),
    )
    alarm_readings: int = option(
        "Consecutive lines of metrics.jsonl that show a dead loss or a saturated discriminator before it is an alarm.",
        20,
        low=2,
    )


@dataclass(frozen=True, kw_only=True)
class MethodSettings(SpeedSettings):
    """What is trained and by which method; most are the recipe's."""

    balance: str = option(
        "For uneven classes: sampler draws all equally often; weights gives rare ones a larger weight in the bce loss.",
        "none",
        choices=BALANCES,
    )
    conditional: bool = option("Train a conditional GAN: both networks get the data's labels.")
    network: str = option("Architecture of both networks.", choices=NETWORKS)
    hidden: str = option("Widths of the layers of the network tabular, with commas, if not 256,256.", "")
    loss: str = option("Adversarial loss.", choices=LOSSES)
    latent_dim: int = option("Number of entries in a latent vector.", low=1)
    negative_slope: float = option("Slope of leaky ReLU for negative inputs.")
    dropout: float = option("Dropout probability in the discriminator; pix2pix's in G is its noise.", low=0, high=1)
    optimizer: str = option("Optimizer of both networks.", choices=OPTIMIZERS)
    lr_g: float = option("Learning rate of the generator, before the schedule.", above=0)
    lr_d: float = option("Learning rate of the discriminator, before the schedule.", above=0)
    betas: tuple[float, float] = option("The two betas of Adam and AdamW.", low=0, below=1)
    n_critic: int = option("Updates of the discriminator in each step.", low=1)
    g_steps: int = option("Updates of the generator in each step, after those of the discriminator.", low=1)
    ema_decay: float = option("Decay per step of the moving average of the generator's weights.", low=0, below=1)
    beta2_start: float = option(
        "Second beta of Adam and AdamW at first, from where it goes to that of `betas` as a cosine in 8 stairs; "
        "0 keeps it.",
        low=0,
        below=1,
    )
    ema_schedule: str = option(
        "Moving average: constant, or linear, where its half-life rises from 0 to that of `ema_decay`.",
        choices=("constant", "linear"),
    )
    schedule_share: float = option(
        "Share of the run after which all schedules stay at their last values; 1 is the whole run.", above=0, high=1
    )
    lr_schedule: str = option("Schedule of both learning rates.", choices=SCHEDULES)
    lr_final: float = option("Last value of the learning rates' schedule, as a share of the first.", low=0, high=1)
    warmup_steps: int = option("Steps over which both learning rates rise linearly to their full values.", low=0)
    grad_clip: float = option("Largest norm of a network's gradient, to which it is clipped; 0 does not clip.", low=0)
    real_target: float = option(
        "The discriminator's target for real samples; 0.9 is one-sided label smoothing.", low=0, high=1
    )
    fake_target: float = option("The discriminator's target for generated samples.", low=0, high=1)
    instance_noise: float = option(
        "Standard deviation of noise on the discriminator's input; it falls linearly to 0 over the run.", low=0
    )
    augment: str = option(
        "Augmentations of real and generated images: color, translation, cutout, separated by commas."
    )
    pack: int = option("Samples that the discriminator gets together as one input (PacGAN).", low=1)

    weight_clip: float = option(
        "Bound c of the discriminator's weights, clipped to [-c, c] after each update; 0 does not clip.", low=0
    )
    gp_weight: float = option("Weight of the gradient penalty of WGAN-GP.", low=0)
    r1_gamma: float = option("Weight of the R1 penalty on the discriminator's gradient at real samples.", low=0)
    r2_gamma: float = option("Weight of the R2 penalty on the discriminator's gradient at generated samples.", low=0)
    r1_interval: int = option(
        "Discriminator updates from one R1 or R2 penalty to the next; their weights are multiplied by it.", low=1
    )
    penalty_share: float = option(
        "Share of each batch at which the gradient penalties are computed: WGAN-GP's, R1 and R2.", above=0, high=1
    )
    gamma_schedule: str = option("Schedule of the weights of R1 and R2.", choices=SCHEDULES)
    gamma_final: float = option("Last value of the schedule of R1 and R2, as a share of the first.", low=0, high=1)
    reconstruction: float = option("Weight in G's loss of the mean absolute difference from the target.", low=0)
    l1: float = option(
        "Weight of the L1 penalty in each network's loss: the sum of the absolute values of its weights.", low=0
    )
    l2: float = option(
        "Weight of the L2 penalty in each network's loss: half the sum of the squares of its weights.", low=0
    )
