"""The one door for uploaded pictures: sizes are read from the header and checked before anything is decoded."""

import io
import warnings
from pathlib import Path

import numpy as np

from genlab.studio.shelf import Entry

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
SHOWN = "PNG, JPEG, WebP, GIF or BMP"
LARGEST = 16 * 2**20  # bytes of a file
PIXELS = 24_000_000
SIDE = 12_000
SLIMMEST = 50  # times longer than wide
BRIGHT = 128  # a border brighter than this is taken for a light background
INVERT = ("auto", "yes", "no")


class UploadError(ValueError):
    """The uploaded file cannot be used; the message is one sentence to the visitor."""


def read_file(path: object) -> bytes:
    """The bytes of an uploaded file.

    Raises:
        UploadError: nothing was uploaded, or the file is empty, too large or gone.
    """
    if not isinstance(path, str | Path) or not path:
        raise UploadError("No picture was uploaded: choose a file first.")
    try:
        with open(path, "rb") as file:
            media = file.read(LARGEST + 1)
    except OSError:
        raise UploadError("The uploaded file is no longer here: upload it again.") from None
    if not media:
        raise UploadError("The uploaded file is empty.")
    if len(media) > LARGEST:
        raise UploadError(f"The uploaded file is larger than {LARGEST // 2**20} MiB: make it smaller.")
    return media


def open_picture(media: bytes):
    """The first frame of an uploaded picture as an upright 8-bit RGB image without metadata (a PIL image).

    Transparency is laid on white. Nothing of the file but its pixels goes on.

    Raises:
        UploadError: it is not one of the allowed formats, too large, damaged or cut short.
    """
    from PIL import Image, ImageOps

    if not isinstance(media, bytes) or not media:
        raise UploadError("No picture was uploaded: choose a file first.")
    if len(media) > LARGEST:
        raise UploadError(f"The uploaded file is larger than {LARGEST // 2**20} MiB: make it smaller.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(media), formats=FORMATS) as image:
                _check_size(*image.size)
                if image.format == "JPEG":
                    image.draft("RGB", (1024, 1024))  # decodes a large photograph at a fraction of its size
                image.seek(0)
                image.load()
                upright = ImageOps.exif_transpose(image)
                return _plain(upright)
    except UploadError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UploadError(f"The picture has more than {PIXELS // 1_000_000} million pixels: make it smaller.") from None
    except Image.UnidentifiedImageError:
        raise UploadError(f"The uploaded file is not a {SHOWN} picture, or it is damaged.") from None
    except Exception:  # decoders fail on hostile bytes in many ways, and all mean the same
        raise UploadError("The picture is damaged or cut short: save it again and upload it.") from None


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > PIXELS or max(width, height) > SIDE:
        raise UploadError(
            f"The picture has {width:,} x {height:,} pixels; up to {PIXELS // 1_000_000} million, "
            f"and {SIDE:,} a side, can be read."
        )
    if max(width, height) > SLIMMEST * min(width, height):
        raise UploadError(f"The picture is {width:,} x {height:,} pixels, too long and thin to show anything.")


def _plain(image):
    """Any mode as RGB: 16 bits scaled to 8, transparency on white."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        image = Image.fromarray((values / top * 255).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return Image.fromarray(np.array(image.convert("RGB")))  # a fresh image: no metadata


def as_item(media: bytes, known: Entry, invert: str = "auto") -> np.ndarray:
    """An uploaded picture as the model sees items: uint8 (c, h, w), centred on a square of its own border's shade.

    Args:
        invert: "yes", "no", or "auto": light backgrounds become dark, which the shipped grey items have.

    Raises:
        UploadError: the file cannot be used, or `invert` is something else.
    """
    if invert not in INVERT:
        raise UploadError(f"Invert is one of {', '.join(INVERT)}; {str(invert)[:40]!r} was given.")
    small, shade = fitted(open_picture(media), known.shape)
    if known.shape[0] == 1 and (invert == "yes" or (invert == "auto" and shade > BRIGHT)):
        small = 255 - small
    return small


def fitted(picture, shape: tuple[int, int, int]) -> tuple[np.ndarray, float]:
    """A PIL image as an item uint8 (c, h, w), on a square of its own border's shade, and that shade from 0 to 255."""
    from PIL import Image

    channels, height, width = shape
    if channels == 1:
        picture = picture.convert("L")
    pixels = np.asarray(picture)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    shade = np.median(border, axis=0)
    side = max(picture.size)
    fill = int(shade) if channels == 1 else tuple(int(v) for v in shade)
    square = Image.new(picture.mode, (side, side), fill)
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    small = np.asarray(
        square.resize((width, height), Image.Resampling.BOX if side > width else Image.Resampling.LANCZOS)
    )
    small = np.ascontiguousarray(small[None] if channels == 1 else small.transpose(2, 0, 1))
    return small, float(np.mean(shade))
