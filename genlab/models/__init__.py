"""The families. A new one is one file beside these and one line in `FAMILIES`."""

from typing import Any

from torch import nn

from genlab.models.autoencoder import AE
from genlab.models.bert import BERT
from genlab.models.diffusion import Diffusion
from genlab.models.gan import GAN
from genlab.models.gpt import GPT
from genlab.models.item_codec import ItemCodec
from genlab.models.judge import Judge
from genlab.models.latent_diffusion import LatentDiffusion
from genlab.models.photo_codec import PhotoCodec
from genlab.models.pixel import PixelCNN
from genlab.models.pixel_rnn import PixelRNN
from genlab.models.vae import VAE

FAMILIES: dict[str, type[nn.Module]] = {
    "vae": VAE,
    "gan": GAN,
    "judge": Judge,
    "ae": AE,
    "photo-codec": PhotoCodec,
    "item-codec": ItemCodec,
    "pixelcnn": PixelCNN,
    "pixelrnn": PixelRNN,
    "diffusion": Diffusion,
    "latent-diffusion": LatentDiffusion,
    "gpt": GPT,
    "bert": BERT,
}


def build(family: str, arguments: dict[str, Any]) -> nn.Module:
    """An untrained model; lists become the tuples that JSON cannot hold.

    Raises:
        ValueError: the family or one of its arguments is unknown or out of range.
    """
    if family not in FAMILIES:
        raise ValueError(f"Families are {', '.join(FAMILIES)}; {family!r} was given.")
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    try:
        return FAMILIES[family](**tuples)
    except TypeError as error:
        raise ValueError(f"{family}: {error}") from None
