"""The mark in a diffusion model's first noise: which draws start from it, and who reads it back from any picture."""

from collections.abc import Mapping, Sequence

import numpy as np

from audits.provenance import Claim, Key, noise_marks
from audits.provenance.detection import Detector
from audits.watermark.noise import LARGEST
from genlab.device import gpu
from genlab.studio import marking, shelf
from genlab.studio.shelf import Entry, StudioError

GREY = 8  # of 255: what the colours of a pixel may differ by, on average, in a grey picture
SQUARE = 0.02  # of a side: what height and width may differ by where one item is looked for
FINE = 0.25  # of a sheet's variance that is finer than the pixels of one item in its place, at the least
ENLARGED = 0.1  # of an enlarged item's variance that may be finer than its pixels: three rows cut off leave .03 to .13
CELLS = 8  # items of a sheet that are looked at: its first row


def key_of(known: Entry, knobs: Mapping[str, object], noise: str | None = None) -> Key | None:
    """The key whose signs the first noise of an item has; None where it has none.

    Args:
        noise: the key's id, "" for none, None for the key in use where the model can be walked back.

    Raises:
        StudioError: a key that is not known here, or a model that starts from no such noise.
    """
    if not markable(known):
        if noise:
            raise StudioError(f"{known.name} starts from no noise that could be marked, as the claim says it did.")
        return None
    if noise is not None:
        return key_named(noise)
    from genlab.models.contract import check_knobs

    model = shelf.model(known.name)
    return marking.key() if model.retraceable(check_knobs(model.Knobs, knobs)) else None


def markable(known: Entry) -> bool:
    """Whether the first noise of a model's items can be marked and found again."""
    return "retrace" in known.capabilities and int(np.prod(known.shape)) <= LARGEST


def key_named(noise: str) -> Key | None:
    """The key of this installation with that id, None for "".

    Raises:
        StudioError: there is none.
    """
    if not noise:
        return None
    for key in (marking.key(), *marking.old_keys()):
        if key.id == noise:
            return key
    raise StudioError(
        f"This file was drawn from noise with secret signs of the key {noise[:40]!r}, which is not known here, so it "
        "cannot be made again."
    )


def input_of(key: Key | None) -> dict[str, str]:
    """What a claim says of the noise: whose signs it has."""
    return {} if key is None else {"noise": key.id}


def signs(known: Entry, key: Key | None, claims: Sequence[Claim]) -> np.ndarray | None:
    """Signs for the first noise of items of these claims, (n, numbers of an item); None without a key."""
    return None if key is None else noise_marks.signs(key, claims, int(np.prod(known.shape)))


def detectors() -> tuple[Detector, ...]:
    """One for each model that can be walked back to its noise; it is opened when there is a picture to look at."""
    keys = [marking.key(), *marking.old_keys()]
    return tuple(
        noise_marks.detector(keys, known.name, lambda pixels, known=known: recovered(known, pixels))
        for known in filter(markable, shelf.with_capability("retrace"))
    )


def recovered(known: Entry, pixels: np.ndarray) -> np.ndarray | None:
    """Noise (n, numbers) that the model would have drawn a picture from, or each item of a raw sheet's first row; None
    where it can be neither."""
    items = candidates(known.shape, pixels)
    return None if items is None else retraced(known.name, items)


def candidates(shape: tuple[int, int, int], pixels: np.ndarray) -> np.ndarray | None:
    """Items (n, c, h, w) that a picture (h, w) or (h, w, 3) may show, uint8; None where it shows none.

    The whole and its mirror image where it has an item's proportions; the first row where it may be a raw sheet.
    """
    from PIL import Image

    channels, height, width = shape
    whole = pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, 2)
    rows, columns = whole.shape[:2]
    found, fine = [], 1.0
    if abs(rows * width - columns * height) <= SQUARE * rows * width and min(rows, columns) >= min(height, width):
        item = np.asarray(Image.fromarray(whole).resize((width, height), Image.Resampling.BOX))
        if channels > 1 or _grey(item):
            fine = _finer(whole, item)
        if fine <= ENLARGED:
            found += [item, item[:, ::-1]]
    sheet = rows % height == 0 and columns % width == 0 and rows * columns > height * width
    if sheet and fine > FINE:
        found += [whole[:height, i * width : (i + 1) * width] for i in range(min(CELLS, columns // width))]
    if channels == 1:
        found = [item.mean(2, keepdims=True).round().astype(np.uint8) for item in found if _grey(item)]
    return np.stack(found).transpose(0, 3, 1, 2) if found else None


def _grey(item: np.ndarray) -> bool:
    return np.ptp(item.astype(np.int16), axis=2).mean() <= GREY


def _finer(whole: np.ndarray, item: np.ndarray) -> float:
    """The share of a picture's variance that is finer than the pixels of the item that it may show enlarged.

    Photographs have most often more of it than `ENLARGED`, and are not walked back for nothing. Pixels may have stayed
    blocks or have been smoothed: the kinder of the two counts.
    """
    from PIL import Image

    size = whole.shape[1], whole.shape[0]
    seen, grey = whole.mean(2, dtype=np.float32), Image.fromarray(item.mean(2, dtype=np.float32))
    shares = []
    for way in (Image.Resampling.NEAREST, Image.Resampling.BICUBIC):
        coarse = np.asarray(grey.resize(size, way))
        shares.append(float(np.square(seen - coarse).mean() / max(seen.var(), 1e-6)))
        if shares[-1] <= ENLARGED:
            break
    return min(shares)


@gpu(10)
def retraced(name: str, items: np.ndarray) -> np.ndarray:
    """Noise (n, numbers) of items (n, c, h, w), uint8; only plain values and arrays cross this border."""
    import torch

    model = shelf.model(name)
    device = next(model.parameters()).device
    return model.retrace(torch.from_numpy(items).to(device).float() / 255).cpu().numpy()
