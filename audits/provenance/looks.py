"""What a picture file looks like: its first frame, its perceptual hashes, a thumbnail, and how two compare."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np

from audits.provenance import perceptual
from audits.provenance.containers import MediaError
from audits.provenance.content import MAX_PIXELS
from audits.provenance.perceptual import Print
from audits.provenance.video import first_frame

PICTURES = {"image/png": "PNG", "image/gif": "GIF", "image/jpeg": "JPEG", "image/webp": "WEBP"}
THUMBNAIL = 96  # pixels of the longer side
PLAIN = 25  # of 100: a picture of lower quality as a hash has too little in it to be told from others


@dataclass(frozen=True)
class Look:
    """The first frame of a picture: pixels (h, w) or (h, w, 3) uint8, and its hashes."""

    pixels: np.ndarray
    print: Print

    @property
    def plain(self) -> bool:
        """Whether there is too little in the picture to know it by."""
        return self.print.quality < PLAIN

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]


def look(media: bytes, media_type: str | None) -> Look | None:
    """The look of a picture file, or of a video's first frame; None for other kinds of media.

    Raises:
        MediaError: the picture is damaged, or has more than 64 million pixels; nothing was decoded then.
    """
    if media_type == "video/mp4":
        pixels = first_frame(media)
    elif media_type in PICTURES:
        pixels = decoded(media, media_type)
    else:
        return None
    return Look(pixels, perceptual.print_of(pixels))


def decoded(media: bytes, media_type: str) -> np.ndarray:
    """The first frame, grey (h, w) or RGB (h, w, 3), uint8, transparency on white; as stored, not turned by EXIF."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit comes first
            with Image.open(io.BytesIO(media), formats=[PICTURES[media_type]]) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise MediaError(
                        f"The picture has {width:,} x {height:,} pixels; the limit is {MAX_PIXELS:,} in all."
                    )
                image.seek(0)
                image.load()
                return _plain(image)
    except MediaError:
        raise
    except Image.DecompressionBombError:
        raise MediaError(f"The picture has more than {MAX_PIXELS:,} pixels.") from None
    except Exception as error:  # whatever a decoder raises on hostile bytes, it means the same here
        raise MediaError("The picture is damaged: it cannot be decoded.") from error


def _plain(image) -> np.ndarray:
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    elif image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float32)
        return (values / 257 if values.max(initial=0) > 255 else values).clip(0, 255).astype(np.uint8)
    elif image.mode in ("1", "L"):
        image = image.convert("L")
    else:
        image = image.convert("RGB")
    return np.asarray(image)


def thumbnail(pixels: np.ndarray) -> bytes:
    """A small JPEG of the pixels, at most 96 a side."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def turned(pixels: np.ndarray, view: str) -> np.ndarray:
    """The pixels (h, w, ...) seen the other way round: undoes what `view`, one of `perceptual.VIEWS`, says was done."""
    undone = {
        perceptual.VIEWS[0]: lambda a: a,
        perceptual.VIEWS[1]: lambda a: a[:, ::-1],
        perceptual.VIEWS[2]: lambda a: a[::-1],
        perceptual.VIEWS[3]: lambda a: a[::-1, ::-1],
        perceptual.VIEWS[4]: lambda a: a.swapaxes(0, 1),
        perceptual.VIEWS[5]: lambda a: a.swapaxes(0, 1)[::-1],
        perceptual.VIEWS[6]: lambda a: a.swapaxes(0, 1)[:, ::-1],
        perceptual.VIEWS[7]: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    }
    return undone[view](pixels)


def likeness(pixels: np.ndarray, thumb: bytes, view: str) -> float:
    """How far the picture, turned back from `view`, shows what the thumbnail shows: correlation, 1 is the same."""
    mine = perceptual.shrunk(perceptual.luma(turned(pixels, view)))
    theirs = perceptual.shrunk(perceptual.luma(decoded(thumb, "image/jpeg")))
    mine, theirs = mine - mine.mean(), theirs - theirs.mean()
    scale = float(np.sqrt((mine**2).sum() * (theirs**2).sum()))
    return float((mine * theirs).sum()) / scale if scale > 0 else 0.0
