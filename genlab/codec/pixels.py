"""A picture file's pixels as they are, uint8 (h, w, c), or a sentence why they cannot be kept exactly."""

import io
import struct
import warnings

import numpy as np

from genlab.codec.container import PIXELS, SIDE, ContainerError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
SHOWN = "PNG, JPEG, WebP, GIF or BMP"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
KEPT = {"L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "1": "L", "P": "", "PA": "RGBA", "RGBX": "RGB"}


def pixels_of(media: bytes, *, most: int = PIXELS) -> np.ndarray:
    """The upright picture: grey, grey and alpha, RGB, or RGB and alpha. A palette becomes the colours it stands for.

    Args:
        most: pixels that are read.

    Raises:
        ContainerError: no such picture, too large, damaged, animated, or of 16 bits or inks, which would be lost.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            with Image.open(io.BytesIO(media), formats=FORMATS) as image:
                _check(image, media, most)
                image.load()
                turned = ImageOps.exif_transpose(image)
                mode = KEPT[turned.mode]
                if "transparency" in turned.info:
                    mode = "RGBA"
                elif turned.mode == "P":
                    mode = "L" if _grey(turned) else "RGB"
                pixels = np.asarray(turned if turned.mode == mode else turned.convert(mode))
    except ContainerError:
        raise
    except Image.DecompressionBombError:
        raise ContainerError(f"The picture has more than {most // 10**6} million pixels: make it smaller.") from None
    except Image.UnidentifiedImageError:
        raise ContainerError(f"The file is not a {SHOWN} picture, or it is damaged.") from None
    except Exception:  # decoders fail on hostile bytes in many ways, and all mean the same
        raise ContainerError("The picture is damaged or cut short: save it again.") from None
    return np.ascontiguousarray(pixels[..., None] if pixels.ndim == 2 else pixels)


def _check(image, media: bytes, most: int) -> None:
    width, height = image.size
    if width < 1 or height < 1 or width * height > most or max(width, height) > SIDE:
        allowed = f"up to {most // 10**6} million, and {SIDE:,} a side, can be read"
        raise ContainerError(f"The picture has {width:,} x {height:,} pixels; {allowed}.")
    if getattr(image, "is_animated", False):
        raise ContainerError(f"The picture has {image.n_frames:,} frames: give single ones, an animation is not kept.")
    deep = image.format == "PNG" and len(media) > 24 and struct.unpack_from(">B", media, 24)[0] == 16
    if deep or image.mode.startswith("I") or image.mode == "F":
        raise ContainerError("The picture has 16 bits a channel, of which 8 would be lost: convert it to 8 bits first.")
    if image.mode not in KEPT:
        raise ContainerError(f"The picture's colours are {image.mode}, which is not kept: convert it to RGB first.")


def _grey(image) -> bool:
    """Whether every colour of a palette picture is grey."""
    pixels = np.asarray(image.convert("RGB"))
    return bool((pixels == pixels[..., :1]).all())
