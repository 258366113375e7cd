"""One picture compressed, beside what other codecs make of it: everything that the Compress tab shows."""

import functools
from dataclasses import dataclass

import numpy as np

from genlab.codec import archive
from genlab.data import examples
from genlab.studio import bit_map, pictures, rivals, shelf
from genlab.studio.bit_map import Spent
from genlab.studio.compress import Compressed, compress
from genlab.studio.rivals import Coded
from genlab.studio.shelf import StudioError

OURS = "Ours"
CURVED = 1_000_000  # pixels of which curves are drawn: the middle of a larger picture
SHARES = (5, 100)  # per cent of our file that others may take
AMPLIFIED = 8  # times that differences are enlarged before they are shown


@dataclass(frozen=True)
class Comparison:
    """A picture as we coded it and as others did.

    Attributes:
        ours: as a row beside the others; its file is the `.glz`.
        others: lossless ones first.
        curves: (bits per pixel, PSNR) of each lossy codec; of the middle of the picture where `cut`.
    """

    made: Compressed
    ours: Coded
    others: tuple[Coded, ...]
    spent: Spent
    curves: dict[str, list[tuple[float, float]]]
    cut: bool

    @property
    def item(self) -> np.ndarray:
        return self.made.items[0]

    def bits_per_pixel(self, coded: Coded) -> float:
        return 8 * coded.size / self.made.pixels

    def lossy(self) -> dict[str, Coded]:
        """The rows of which something can be seen: ours, and the lossy ones."""
        return {OURS: self.ours} | {other.codec: other for other in self.others if other.file}


def compare(
    name: str, media: bytes, *, quality: object = None, aim: str = rivals.AIMS[0], share: object = 100
) -> Comparison:
    """Compress one picture and ask every other codec for the same.

    Args:
        name: its file name.
        quality: of our lossy codec; None brings every pixel back.
        aim: of `rivals.AIMS`.
        share: per cent of our file that others may take, with the first aim.

    Raises:
        ValueError: one sentence.
    """
    part = shelf.whole(share, "share of our file in per cent", *SHARES)
    made = compress([name], [media], quality=quality, limits=archive.Limits(pixels=rivals.MOST))
    item, back = made.items[0], made.back[0]
    same = item.shape == back.shape
    gone = rivals.psnr(item, back) if same else rivals.psnr(item.repeat(3, axis=2), back)
    ours = Coded(OURS, made.coders[0], len(made.file), made.file, gone)
    others = rivals.rivals(item, size=len(made.file) * part // 100, quality=gone, aim=aim)
    middle, cut = _middle(item)
    curves = {codec: rivals.curve(middle, codec) for codec in rivals.lossy_codecs()}
    return Comparison(made, ours, tuple(others), bit_map.spent(made.file, item), curves, cut)


def _middle(item: np.ndarray) -> tuple[np.ndarray, bool]:
    """The middle of a picture, of at most `CURVED` pixels, and whether anything was cut off."""
    h, w = item.shape[:2]
    if h * w <= CURVED:
        return item, False
    scale = (CURVED / (h * w)) ** 0.5
    rows, columns = max(1, int(h * scale)), max(1, int(w * scale))
    top, left = (h - rows) // 2, (w - columns) // 2
    return np.ascontiguousarray(item[top : top + rows, left : left + columns]), True


def views(found: Comparison, which: str) -> tuple[bytes, bytes, bytes, bytes]:
    """PNGs: the picture as it came, as `which` codec gives it back, where the two differ, and where our bits go.

    Raises:
        StudioError: the codec is not among those compared.
    """
    rows = found.lossy()
    if which not in rows:
        raise StudioError(f"What is shown is of {', '.join(rows)}; {str(which)[:40]!r} was given.")
    before = rivals.opaque(found.item)
    after = rivals.opaque(found.made.back[0]) if which == OURS else _opened(rows[which], before.shape)
    if after.shape != before.shape:
        before = before.repeat(3, axis=2)
    difference = np.abs(after.astype(np.int16) - before).max(2, keepdims=True)
    residual = np.clip(AMPLIFIED * difference, 0, 255).astype(np.uint8)
    return tuple(_png(x) for x in (before, after, residual, _heat(found.spent.pixels)))


def _opened(coded: Coded, shape: tuple[int, ...]) -> np.ndarray:
    return rivals.opened(coded.file, coded.codec, shape)


def _heat(bits: np.ndarray) -> np.ndarray:
    """Bits of every pixel as colours (h, w, 3): dark blue for none, over green, to yellow for the most."""
    level = np.clip(bits / max(float(np.quantile(bits, 0.995)), 1e-6), 0, 1)[..., None]
    stops = np.array([[13, 20, 60], [20, 110, 120], [90, 190, 90], [250, 230, 60]], np.float32)
    at = level * (len(stops) - 1)
    low = np.minimum(at.astype(int), len(stops) - 2)[..., 0]
    mixed = stops[low] + (at - low[..., None]) * (stops[low + 1] - stops[low])
    return np.round(mixed).astype(np.uint8)


def _png(item: np.ndarray) -> bytes:
    """A picture (h, w, c) as a PNG that fills the page: small ones are enlarged by whole factors."""
    factor = pictures.enlargement(*item.shape[:2]) if max(item.shape[:2]) <= 2 * pictures.TARGET else 1
    return pictures.png(pictures.enlarge(item.transpose(2, 0, 1), factor))


# ---- shipped items


@functools.cache
def shipped() -> dict[str, int]:
    """Data sets whose example items are shipped, and how many."""
    known = sorted(path.stem for path in examples.FOLDER.glob("*.json"))
    return {name: len(examples.about(name)["labels"]) for name in known}


def example(data: object, number: object) -> tuple[str, bytes]:
    """A shipped item as a file: its name, and a PNG.

    Raises:
        StudioError: no such item.
    """
    known = shipped()
    if data not in known:
        raise StudioError(f"Items are shipped of {', '.join(known)}; {str(data)[:40]!r} was given.")
    at = shelf.whole(number, "item's number", 0, known[data] - 1)
    return f"{data}-{at:03d}.png", pictures.png(examples.load(data).items[at])


def is_archive(media: bytes) -> bool:
    """Whether a file says that it is one of ours."""
    from genlab.codec.container import MAGIC

    return media[:4] == MAGIC
