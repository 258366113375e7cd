"""Range coding with an exact likelihood: files of about -log2 p(x) bits, for models that tell each value's chances.

The values of all pictures at one place are coded together, place after place in reading order, each with the 256
probabilities that the model gives it after what came before. Those come out of whole-number arithmetic, so neither
batches nor threads nor the machine can change them, and what is read is what was written.
"""

import copy
from collections.abc import Callable

import constriction
import numpy as np
import torch

from genlab.codec.stacks import PayloadError
from genlab.models.pixel import PixelCNN, as_images, in_order
from genlab.models.pixel_reader import Reader

LANE = 512  # pictures that are coded side by side
MOST_PER_BYTE = 64  # pictures a byte of a payload: no model finds any so plain, and nobody may ask for hours of work
DAMAGED = "The coded pictures are cut short or damaged."
_levels = constriction.stream.model.Categorical(perfect=False)


def usable(model: object) -> bool:
    """Whether pictures can be coded with the model: one whose probabilities are whole numbers."""
    return isinstance(model, PixelCNN) and model.output == "levels"


class Coder:
    """One autoregressive model ready to code: a copy of it on the CPU.

    Raises:
        ValueError: the model is not `usable`.
    """

    def __init__(self, model: PixelCNN):
        if not usable(model):
            raise ValueError('Coding needs an autoregressive model with the output "levels".')
        self.model = copy.deepcopy(model).cpu().eval().requires_grad_(False)
        self.shape = tuple(model.shape)

    def encode(self, items: np.ndarray, *, progress: Callable[[], None] | None = None) -> bytes:
        """Pictures uint8 (n, c, h, w), n >= 1, as one payload."""
        if items.dtype != np.uint8 or items.shape[1:] != self.shape or not len(items):
            raise ValueError(f"Pictures of uint8 (n, {', '.join(map(str, self.shape))}) are needed, not {items.shape}.")
        coder = constriction.stream.queue.RangeEncoder()
        for lane in np.split(items, range(LANE, len(items), LANE)):
            flat = in_order(torch.tensor(lane).double() / 255)
            for place, chances in self._chances(flat, progress):
                coder.encode(flat[:, place].numpy().astype(np.int32), _levels, chances)
        return coder.get_compressed().astype("<u4").tobytes()

    def decode(self, payload: bytes, count: int, *, progress: Callable[[], None] | None = None) -> np.ndarray:
        """What `encode` was given.

        Raises:
            PayloadError: the payload is cut short or damaged, as far as that shows; a checksum shows the rest.
        """
        if len(payload) % 4 or not 1 <= count <= MOST_PER_BYTE * len(payload):
            raise PayloadError(DAMAGED)
        coder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        found = []
        for start in range(0, count, LANE):
            flat = torch.zeros(min(LANE, count - start), self.model.count, dtype=torch.long)
            for place, chances in self._chances(flat, progress):
                try:
                    flat[:, place] = torch.from_numpy(coder.decode(_levels, chances).astype(np.int64))
                except (ValueError, AssertionError):
                    raise PayloadError(DAMAGED) from None
            found.append((as_images(flat, self.shape) * 255).round().to(torch.uint8).numpy())
        if not coder.maybe_exhausted():
            raise PayloadError(DAMAGED)
        return np.concatenate(found)

    def costs(self, item: np.ndarray) -> np.ndarray:
        """Bits of every pixel (h, w) of one picture uint8 (c, h, w), its channels together."""
        flat = in_order(torch.tensor(item[None]).double() / 255)
        bits = [-np.log2(max(chances[0, flat[0, place]], 2.0**-24)) for place, chances in self._chances(flat, None)]
        channels, height, width = self.shape
        return np.reshape(bits, (height, width, channels)).sum(2)

    def _chances(self, flat: torch.Tensor, progress: Callable[[], None] | None):
        """(place, probabilities float32 (n, 256)) of each place; the values there must be known when it goes on."""
        reader, done = Reader(self.model, flat, torch.full((len(flat),), self.model.classes)), 0
        with torch.no_grad():
            for place in range(self.model.count):
                whole = reader.frequencies(place).double()
                yield place, (whole / whole.sum(1, keepdim=True)).float().numpy()
                reader.saw(place)
                while progress and done < len(flat) * (place + 1) // self.model.count:
                    progress()
                    done += 1
