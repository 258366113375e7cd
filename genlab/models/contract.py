"""What a model can do: small protocols, and the knobs a visitor may turn."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from genlab.seeds import Seeds

Images = Tensor  # (n, c, h, w), float32 in [0, 1]
Labels = Tensor  # (n,), int64 class numbers


class Batch(NamedTuple):
    """Training items on the training device: images (b, c, h, w) in [0, 1], or codes (b, d); labels (b,)."""

    items: Tensor
    labels: Tensor


class Step(Protocol):
    """One optimisation step of one family, with its optimisers inside."""

    def __call__(self, batch: Batch, fraction: float) -> dict[str, Tensor]:
        """Learn from a batch; `fraction` of the run, in [0, 1), is over. Returns detached scalars by name."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@runtime_checkable
class Trainable(Protocol):
    """Learns from batches."""

    def trainer(self, lr: float) -> Step: ...


@runtime_checkable
class Generator(Protocol):
    """Draws new items."""

    shape: tuple[int, ...]
    classes: int  # 0 when unconditional
    Knobs: type

    def sample(self, seeds: Seeds, labels: Labels | None = None, knobs: Any = None) -> Images: ...


@runtime_checkable
class Autoencoder(Protocol):
    """Maps items to codes (n, d), the posterior mean unless seeds ask for a draw, and back."""

    def encode(self, images: Images, *, seeds: Seeds | None = None) -> Tensor: ...

    def decode(self, codes: Tensor, *, seeds: Seeds | None = None) -> Images: ...


@runtime_checkable
class Likelihood(Protocol):
    """Gives a lower bound on, or the value of, log p(x) in nats an item, (n,)."""

    def log_prob(self, images: Images, seeds: Seeds, *, k: int = 1) -> Tensor: ...


@runtime_checkable
class Classifier(Protocol):
    """Names the class of an item, and gives the features its decision rests on."""

    def logits(self, images: Images) -> Tensor: ...

    def features(self, images: Images) -> Tensor: ...


@runtime_checkable
class Detector(Protocol):
    """Says how strange an item is among those it learnt, (n,): higher is stranger; and of pictures where, (n, h, w)."""

    def surprise(self, items: Tensor) -> Tensor: ...

    def surprise_map(self, images: Images) -> Tensor: ...


@runtime_checkable
class Codec(Protocol):
    """Codes pictures of any size with a loss: bytes that alone decide what comes back.

    `qualities` are the lowest and the highest quality that may be asked for. `decompress` raises ValueError, in one
    sentence, on bytes that it did not write.
    """

    qualities: tuple[float, float]

    def compress(self, pixels: np.ndarray, *, quality: float) -> bytes:
        """uint8 (h, w, 3) as a payload."""

    def decompress(self, payload: bytes) -> np.ndarray:
        """uint8 (h, w, 3)."""


@runtime_checkable
class ItemsCodec(Protocol):
    """Codes many items of its one shape with a loss, in one archive.

    `qualities` as in `Codec`. `decompress_items` raises ValueError, in one sentence, on bytes that it did not write.
    """

    shape: tuple[int, ...]
    qualities: tuple[float, float]

    def compress_items(self, items: np.ndarray, *, quality: float) -> bytes:
        """uint8 (n, c, h, w) as a payload."""

    def decompress_items(self, payload: bytes) -> np.ndarray:
        """uint8 (n, c, h, w)."""


@runtime_checkable
class Stepwise(Protocol):
    """Draws new items a little at a time and shows them as they appear; the last pictures are those of `sample`."""

    shape: tuple[int, ...]
    classes: int
    Knobs: type

    def trace(
        self, seeds: Seeds, labels: Labels | None = None, knobs: Any = None, *, every: int = 28
    ) -> Iterator[Images]:
        """The pictures after every so many values in reading order; what is not drawn yet is black."""


@runtime_checkable
class Denoiser(Protocol):
    """Draws new items by taking noise away, and shows what it makes out after each step; the last are `sample`'s."""

    shape: tuple[int, ...]
    classes: int
    Knobs: type

    def denoised(self, seeds: Seeds, labels: Labels | None = None, knobs: Any = None) -> Iterator[Images]: ...


@runtime_checkable
class Retracer(Protocol):
    """Goes back from pictures to the noise that its sampler would have drawn them from.

    `retrace` gives numbers (n, m) whose signs tend to be those of the item's first normal numbers, in their order; they
    are small where a picture tells nothing of them.
    """

    shape: tuple[int, ...]

    def retrace(self, images: Images) -> Tensor: ...

    def retraceable(self, knobs: Any) -> bool:
        """Whether pictures drawn with these knobs can be gone back from."""


@runtime_checkable
class Completer(Protocol):
    """Draws what is missing of pictures, where `missing`, bool (n, h, w), says so; the rest stays as it is.

    Labels of None tell the model no class.
    """

    shape: tuple[int, ...]
    classes: int

    def complete(
        self, images: Images, missing: Tensor, seeds: Seeds, labels: Labels | None = None, knobs: Any = None
    ) -> Images: ...


@runtime_checkable
class Varier(Protocol):
    """Draws pictures that are like the given ones (n, c, h, w): a share `change` of the way, in (0, 1], from noise.

    Labels of None tell the model no class. `vary` raises ValueError, in one sentence, where knobs do not go with it.
    """

    shape: tuple[int, ...]
    classes: int

    def vary(
        self, images: Images, seeds: Seeds, labels: Labels | None = None, knobs: Any = None, *, change: float = 0.5
    ) -> Images: ...


@runtime_checkable
class Writer(Protocol):
    """Draws texts token by token, and says how unlikely each token of a text is.

    `write` yields, token after token, one of every text and the model's log-probabilities; `code_lengths` are nats a
    token. Controls are groups that can be asked for, by attribute.
    """

    vocabulary: int
    context: int
    end: int  # the token that ends a text
    controls: Mapping[str, tuple[str, ...]]
    Knobs: type

    def tokens_of(self, text: str) -> list[int]: ...

    def text_of(self, tokens: Sequence[int]) -> str: ...

    def write(self, prompt: Sequence[int], seeds: Seeds, knobs: Any = None, *, most: int) -> Iterator[Any]: ...

    def code_lengths(self, tokens: Sequence[int]) -> np.ndarray: ...


@runtime_checkable
class Filler(Protocol):
    """Guesses hidden words from both sides: `fill` gives log-probabilities (m, v) at the m masks of a text."""

    vocabulary: int
    context: int

    def tokens_of(self, text: str) -> list[int]: ...

    def text_of(self, tokens: Sequence[int]) -> str: ...

    def fill(self, tokens: Sequence[int]) -> np.ndarray: ...

    def pseudo_code_lengths(self, tokens: Sequence[int]) -> np.ndarray: ...


@runtime_checkable
class Attentive(Protocol):
    """Shows where each token of a text looks: (layers, heads, t, t), rows that sum to 1."""

    def attentions(self, tokens: Sequence[int]) -> np.ndarray: ...


CAPABILITIES = {
    "generate": Generator,
    "autoencode": Autoencoder,
    "likelihood": Likelihood,
    "classify": Classifier,
    "detect": Detector,
    "compress": Codec,
    "compress-items": ItemsCodec,
    "watch": Stepwise,
    "denoise": Denoiser,
    "complete": Completer,
    "vary": Varier,
    "retrace": Retracer,
    "write": Writer,
    "fill": Filler,
    "attend": Attentive,
}


def capabilities(model: object) -> tuple[str, ...]:
    """Names of the protocols that the model satisfies."""
    return tuple(name for name, protocol in CAPABILITIES.items() if isinstance(model, protocol))


def knob(default: float | str, low: float | None = None, high: float | None = None, *, help: str, choices=()):
    """A dataclass field that a visitor may set: a number in [low, high], or one of `choices`."""
    return dataclasses.field(
        default=default, metadata={"low": low, "high": high, "help": help, "choices": tuple(choices)}
    )


def check_knobs(kind: type, values: Mapping[str, Any] | None) -> Any:
    """An instance of a model's Knobs from named values.

    Raises:
        ValueError: a name is unknown, or a value is out of its range.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}
    checked = {}
    for name, value in (values or {}).items():
        if name not in fields:
            raise ValueError(f"Knobs of this model are {', '.join(fields)}; {str(name)[:40]!r} was given.")
        spec = fields[name].metadata
        if spec["choices"]:
            if value not in spec["choices"]:
                raise ValueError(f"{name} is one of {', '.join(spec['choices'])}; {str(value)[:40]!r} was given.")
            checked[name] = value
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not spec["low"] <= value <= spec["high"]:
            allowed = f"a number from {spec['low']:g} to {spec['high']:g}"
            raise ValueError(f"{name} is {allowed}; {str(value)[:40]!r} was given.")
        checked[name] = float(value)
    return kind(**checked)


def check_labels(labels: Labels | None, seeds: Seeds, classes: int) -> Labels | None:
    """Labels for every seed: those given, else one drawn from each item's own stream.

    Raises:
        ValueError: as many labels as seeds are needed, each below `classes`.
    """
    if classes == 0:
        if labels is not None:
            raise ValueError("This model has no classes: leave the label out.")
        return None
    if labels is None:
        return (seeds.rand(1)[:, 0] * classes).long().clamp(max=classes - 1)
    labels = torch.as_tensor(labels, dtype=torch.long, device=seeds.device)
    if labels.shape != (len(seeds),) or (len(seeds) and not 0 <= int(labels.min()) <= int(labels.max()) < classes):
        raise ValueError(f"One class number from 0 to {classes - 1} a seed is needed: {len(seeds)} of them.")
    return labels
