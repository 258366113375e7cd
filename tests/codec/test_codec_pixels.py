"""Picture files as they are: every kind that can be kept is, and every other kind is told so."""

import io

import numpy as np
import pytest
from PIL import Image

from genlab.codec.container import ContainerError
from genlab.codec.pixels import pixels_of


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(("shape", "mode"), [((5, 7), "L"), ((5, 7, 2), "LA"), ((5, 7, 3), "RGB"), ((5, 7, 4), "RGBA")])
def test_the_usual_modes_are_kept(shape, mode):
    pixels = noise(*shape)
    assert np.array_equal(pixels_of(saved(Image.fromarray(pixels, mode))), pixels.reshape(5, 7, -1))


def test_a_palette_is_the_colours_it_stands_for():
    colour = Image.fromarray(noise(9, 9, 3)).quantize(16)
    assert np.array_equal(pixels_of(saved(colour)), np.asarray(colour.convert("RGB")))
    grey = Image.fromarray(noise(9, 9)).convert("P")
    assert np.array_equal(pixels_of(saved(grey))[..., 0], np.asarray(grey.convert("L")))
    clear = Image.fromarray(noise(9, 9, 3)).quantize(16)
    clear.info["transparency"] = 3
    found = pixels_of(saved(clear, transparency=3))
    assert found.shape == (9, 9, 4)
    assert (found[..., 3] == 0).any()


def test_one_bit_is_black_and_white():
    image = Image.fromarray(noise(9, 9)).convert("1")
    assert np.array_equal(pixels_of(saved(image))[..., 0], np.asarray(image.convert("L")))


def test_a_picture_is_turned_upright():
    pixels, turned = noise(6, 9, 3), Image.Exif()
    turned[0x0112] = 6
    found = pixels_of(saved(Image.fromarray(pixels), exif=turned))
    assert np.array_equal(found, np.rot90(pixels, -1))


@pytest.mark.parametrize("size", [(1, 1), (10_000, 1), (1, 10_000)])
def test_the_smallest_and_the_slimmest(size):
    pixels = noise(*size, 3)
    assert np.array_equal(pixels_of(saved(Image.fromarray(pixels))), pixels)


def sixteen_colour() -> bytes:
    """A PNG of 16 bits a channel in RGB, which Pillow would read with eight."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    row = b"\0" + bytes(range(12))
    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")


ANIMATED = saved(
    Image.fromarray(noise(8, 8)), "GIF", save_all=True, append_images=[Image.fromarray(255 - noise(8, 8))], duration=50
)
REFUSED = {
    "16 bits of grey": (saved(Image.fromarray(noise(5, 5).astype(np.uint16) * 257)), "16 bits"),
    "16 bits of colour": (sixteen_colour(), "16 bits"),
    "inks": (saved(Image.fromarray(noise(8, 8, 4), "CMYK"), "JPEG"), "CMYK"),
    "an animation": (ANIMATED, "2 frames"),
    "an animated PNG": (
        saved(Image.fromarray(noise(8, 8)), save_all=True, append_images=[Image.fromarray(255 - noise(8, 8))]),
        "2 frames",
    ),
    "too many pixels": (saved(Image.new("1", (9000, 9000))), "9,000 x 9,000"),
    "a bomb": (saved(Image.new("1", (16_000, 16_000))), "pixels"),
    "too long": (saved(Image.new("1", (70_000, 2))), "70,000 x 2"),
    "cut short": (saved(Image.fromarray(noise(50, 50)))[:300], "damaged"),
    "no picture": (b"nonsense", "not a PNG"),
    "nothing": (b"", "not a PNG"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG"),
    "TIFF": (saved(Image.fromarray(noise(5, 5)), "TIFF"), "not a PNG"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_is_told_so(name):
    media, words = REFUSED[name]
    with pytest.raises(ContainerError, match=words) as told:
        pixels_of(media)
    assert str(told.value).endswith(".")
