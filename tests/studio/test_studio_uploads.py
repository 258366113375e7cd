"""The door for uploaded pictures: every way in that is allowed, and one sentence for everything else."""

import contextlib
import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image
from small_models import picture

from genlab.studio import shelf
from genlab.studio.uploads import LARGEST, UploadError, as_item, open_picture, read_file


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


RAMP = Image.fromarray(np.linspace(0, 255, 40 * 30).reshape(40, 30).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_allowed_formats_open(kind):
    opened = open_picture(saved(RAMP, kind))
    assert opened.mode == "RGB"
    assert opened.size == (30, 40)
    assert abs(np.asarray(opened.convert("L"), float) - np.asarray(RAMP, float)).mean() < 6


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "TGA", "PDF", "EPS"])
def test_other_formats_do_not(kind):
    with pytest.raises(UploadError, match="not a PNG, JPEG, WebP, GIF or BMP"):
        open_picture(saved(RAMP.convert("RGB"), kind))


@pytest.mark.parametrize(
    "media",
    [
        b"<svg onload='alert(1)'/>",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"PK\3\4zip",
        b"\x80\x04pickle",
        b"\0" * 1000,
        b"BM",
    ],
    ids=str,
)
def test_what_is_no_picture_is_one_sentence(media):
    with pytest.raises(UploadError) as caught:
        open_picture(media)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_truncated_files_are_one_sentence(kind):
    media = saved(Image.effect_noise((64, 64), 80).convert("RGB"), kind)
    for length in (len(media) // 2, len(media) // 4):
        with pytest.raises(UploadError, match="damaged"):
            open_picture(media[:length])


def test_random_damage_never_escapes_as_anything_else():
    draw = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        media = saved(RAMP, kind)
        for _ in range(60):
            hurt = bytearray(media)
            for at in draw.integers(0, len(hurt), 3):
                hurt[at] = draw.integers(256)
            with contextlib.suppress(UploadError):  # anything else fails the test
                open_picture(bytes(hurt))


@pytest.mark.parametrize(
    "size", [(13300, 13300), (60000, 60000), (1, 5000), (12001, 10), (2**31 - 1, 2**31 - 1), (0, 5)]
)
def test_sizes_are_refused_before_decoding(size):
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(UploadError):
        open_picture(png_header(*size))
    assert time.perf_counter() - began < 0.5
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_bomb_that_fits_the_file_limit_is_refused():
    flat = zlib.compress(b"\0" * 20_000_000, 9)
    assert len(flat) < LARGEST
    with pytest.raises(UploadError, match="pixels"):
        open_picture(png_header(30_000, 30_000) + flat)


def test_modes_become_eight_bit_rgb():
    sixteen = Image.fromarray(np.asarray(RAMP, np.uint16) * 257)
    for image, kind in (
        (sixteen, "PNG"),
        (RAMP.convert("CMYK"), "JPEG"),
        (RAMP.convert("P"), "PNG"),
        (RAMP.convert("1"), "PNG"),
    ):
        opened = open_picture(saved(image, kind))
        assert opened.mode == "RGB"
    assert np.abs(np.asarray(open_picture(saved(sixteen, "PNG")), int)[..., 0] - np.asarray(RAMP, int)).max() <= 1


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (9, 9), (0, 0, 0, 0))
    assert np.asarray(open_picture(saved(clear, "PNG"))).min() == 255
    palette = Image.new("P", (9, 9), 0)
    assert np.asarray(open_picture(saved(palette, "PNG", transparency=0))).min() == 255


def test_orientation_is_applied_and_metadata_dropped():
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees
    exif[34853] = {1: "N", 2: (52.0, 30.0, 0.0)}
    opened = open_picture(saved(RAMP.convert("RGB"), "JPEG", exif=exif))
    assert opened.size == (40, 30)
    assert not opened.getexif()
    assert not opened.info


def test_only_the_first_frame_is_read():
    frames = [Image.new("L", (8, 8), shade) for shade in (10, 200, 250)]
    animated = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.asarray(open_picture(animated)).max() < 50


def test_an_upload_becomes_an_item_on_black():
    known = shelf.entry("vae-small")
    item = as_item(picture(), known)
    assert item.shape == (1, 28, 28)
    assert item.dtype == np.uint8
    assert item[0, 0, 0] == 0  # a white background was made dark
    assert as_item(picture(), known, "no")[0, 0, 0] == 255
    assert (as_item(picture(), known, "yes") == item).all()
    wide = as_item(saved(Image.new("L", (90, 30), 40), "PNG"), known)
    assert (wide == 40).all()  # the border's shade fills the square
    with pytest.raises(UploadError, match="Invert is one of"):
        as_item(picture(), known, "maybe")


def test_files_are_read_within_limits(tmp_path):
    for path, sentence in ((None, "No picture"), ("", "No picture"), (tmp_path / "gone", "no longer here")):
        with pytest.raises(UploadError, match=sentence):
            read_file(path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(UploadError, match="empty"):
        read_file(tmp_path / "empty")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(UploadError, match="larger than 16 MiB"):
        read_file(str(tmp_path / "large"))
