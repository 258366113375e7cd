"""The best classical lossless codec: PNG or WebP of each picture, WebP of one sheet of all, or xz of the pixels."""

import io
import lzma
import math
from collections.abc import Callable, Sequence

import numpy as np

from genlab.codec.container import ContainerError, Reader, Shape, varint

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by channels
WEBP_SIDE = 16_383
QUICK, LARGE, SLOW = 8_192, 262_144, 2_000_000  # pixels above which encoders are asked for less and less effort
FEW, LIGHT = 16, 2 * 2**20  # xz is tried on so many pictures or more, and on so many bytes or fewer


def encode(items: Sequence[np.ndarray], *, allowed: Sequence[str] = ()) -> bytes:
    """Pictures uint8 (h, w, c), c from 1 to 4, as the shortest payload that decodes to the same.

    Args:
        allowed: ways to choose from, of `WAYS` (all).
    """
    best = b""
    for number, (name, (write, read)) in enumerate(WAYS.items()):
        if allowed and name not in allowed:
            continue
        payload = write(items)
        if payload is not None and (not best or len(payload) + 1 < len(best)):
            shapes = [item.shape for item in items]
            if all(np.array_equal(a, b) for a, b in zip(read(payload, shapes), items, strict=True)):
                best = bytes([number]) + payload
    if not best:
        raise ContainerError("No lossless codec takes pictures of this size.")
    return best


def decode(payload: bytes, shapes: Sequence[Shape]) -> list[np.ndarray]:
    """What `encode` was given.

    Raises:
        ContainerError: the payload is damaged, or the pictures in it have other shapes.
    """
    if not payload or payload[0] >= len(WAYS):
        raise ContainerError("The file's pictures are damaged.")
    _, read = list(WAYS.values())[payload[0]]
    items = read(payload[1:], shapes)
    if [item.shape for item in items] != [tuple(shape) for shape in shapes]:
        raise ContainerError("The file's pictures do not have the sizes that its header says.")
    return items


def name_of(payload: bytes) -> str:
    """Which way a payload was coded."""
    return list(WAYS)[payload[0]]


def png(item: np.ndarray) -> bytes | None:
    """One picture as the smallest PNG that Pillow makes."""
    from PIL import Image

    file = io.BytesIO()
    large = item.shape[0] * item.shape[1] > LARGE
    options = {"compress_level": 6} if large else {"optimize": True}
    Image.fromarray(_flat(item), MODES[item.shape[2]]).save(file, "PNG", **options)
    return file.getvalue()


def webp(item: np.ndarray) -> bytes | None:
    """One picture as a lossless WebP; None where it is too large for one."""
    from PIL import Image

    h, w, c = item.shape
    if max(h, w) > WEBP_SIDE:
        return None
    image = Image.fromarray(_flat(item), MODES[c]).convert("RGB" if c % 2 else "RGBA")
    file = io.BytesIO()
    quality, method = (100, 6) if h * w <= QUICK else (75, 6) if h * w <= SLOW else (60, 4)
    image.save(file, "WEBP", lossless=True, quality=quality, method=method, exact=True)
    return file.getvalue()


def _flat(item: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(item[..., 0] if item.shape[2] == 1 else item)


def opened(media: bytes, kind: str, shape: Shape) -> np.ndarray:
    """One picture (h, w, c) of a PNG or WebP whose header says the same size as ours."""
    from PIL import Image

    h, w, c = shape
    try:
        with Image.open(io.BytesIO(media), formats=[kind]) as image:
            if image.size != (w, h):
                raise ContainerError("The file's pictures do not have the sizes that its header says.")
            pixels = np.asarray(image.convert("RGBA" if c in (2, 4) else "RGB"))
    except ContainerError:
        raise
    except Exception:  # decoders fail on hostile bytes in many ways, and all mean the same
        raise ContainerError("The file's pictures are damaged.") from None
    return np.ascontiguousarray({1: pixels[..., :1], 2: pixels[..., ::3], 3: pixels, 4: pixels}[c])


# ---- each way: write(items) -> payload or None, read(payload, shapes) -> items


def _each(one: Callable[[np.ndarray], bytes | None], kind: str) -> tuple[Callable, Callable]:
    """Every picture a file of its own; the last one's length is what is left."""

    def write(items: Sequence[np.ndarray]) -> bytes | None:
        files = [one(item) for item in items]
        if any(file is None for file in files):
            return None
        return b"".join(varint(len(file)) for file in files[:-1]) + b"".join(files)

    def read(payload: bytes, shapes: Sequence[Shape]) -> list[np.ndarray]:
        reader = Reader(payload)
        lengths = [reader.varint(len(payload)) for _ in shapes[:-1]]
        lengths.append(len(payload) - reader.at - sum(lengths))
        if lengths[-1] <= 0:
            raise ContainerError("The file's pictures are cut short.")
        return [opened(reader.take(n), kind, shape) for n, shape in zip(lengths, shapes, strict=True)]

    return write, read


def sheet_of(items: np.ndarray) -> np.ndarray:
    """Pictures (n, h, w, c) of one shape side by side in a square, row by row; what is left over is black."""
    n, h, w, c = items.shape
    columns = math.ceil(math.sqrt(n * h / w)) or 1
    rows = math.ceil(n / columns)
    full = np.zeros((rows * columns, h, w, c), np.uint8)
    full[:n] = items
    return full.reshape(rows, columns, h, w, c).transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, c)


def _write_sheet(items: Sequence[np.ndarray]) -> bytes | None:
    if len(items) < 2 or len({item.shape for item in items}) > 1:
        return None
    return webp(sheet_of(np.stack(items)))


def _read_sheet(payload: bytes, shapes: Sequence[Shape]) -> list[np.ndarray]:
    if len(set(shapes)) > 1:
        raise ContainerError("The file's header is contradictory: its counts do not fit.")
    (h, w, c), n = shapes[0], len(shapes)
    columns = math.ceil(math.sqrt(n * h / w)) or 1
    rows = math.ceil(n / columns)
    sheet = opened(payload, "WEBP", (rows * h, columns * w, c))
    return list(sheet.reshape(rows, h, columns, w, c).transpose(0, 2, 1, 3, 4).reshape(-1, h, w, c)[:n])


def _write_xz(items: Sequence[np.ndarray]) -> bytes | None:
    size = sum(item.nbytes for item in items)
    if size > 64 * 2**20 or (size > LIGHT and len(items) < FEW):
        return None
    raw = b"".join(np.ascontiguousarray(item).tobytes() for item in items)
    return lzma.compress(raw, lzma.FORMAT_RAW, filters=_xz(size))


def _xz(size: int) -> list[dict]:
    """The filter for so many bytes: its memory is no larger than they need."""
    memory = min(max(2**12, 1 << (size - 1).bit_length()), 64 * 2**20)
    return [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": memory}]


def _read_xz(payload: bytes, shapes: Sequence[Shape]) -> list[np.ndarray]:
    sizes = [math.prod(shape) for shape in shapes]
    unzip = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_xz(sum(sizes)))
    try:
        raw = unzip.decompress(payload, sum(sizes) + 1)
    except lzma.LZMAError:
        raise ContainerError("The file's pictures are damaged.") from None
    if len(raw) != sum(sizes):
        raise ContainerError("The file's pictures do not have the sizes that its header says.")
    starts = np.cumsum([0, *sizes])
    flat = np.frombuffer(raw, np.uint8)
    return [flat[a : a + n].reshape(shape).copy() for a, n, shape in zip(starts, sizes, shapes, strict=False)]


WAYS: dict[str, tuple[Callable, Callable]] = {  # by the number that stands in the file: append only
    "PNG": _each(png, "PNG"),
    "WebP": _each(webp, "WEBP"),
    "WebP sheet": (_write_sheet, _read_sheet),
    "xz": (_write_xz, _read_xz),
}
