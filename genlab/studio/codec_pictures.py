"""The pictures of a codec's card: what it makes of pictures nobody trained on, and of what it never learnt."""

import io
from collections.abc import Sequence

import numpy as np

from genlab.data import load
from genlab.metrics.rate_distortion import psnr
from genlab.studio import shelf
from genlab.studio.evaluate_codec import photographs_to_code
from genlab.studio.pictures import enlarge
from genlab.studio.shelf import Entry

CROP, QUALITIES = 192, (1, 40, 80)
SHOWN, GAP, CAPTION = 6, 4, 16
FEW, ITEM_QUALITIES = 20, (1, 50, 100)


def sheets(known: Entry) -> dict[str, bytes]:
    """`samples.png` and `failures.png` as PNG files."""
    if "compress-items" in known.capabilities:
        return item_sheets(known)
    model, chosen = shelf.model(known.name), photographs_to_code()
    middle = [_middle(pixels) for _, pixels in chosen[:: len(chosen) // SHOWN][:SHOWN]]
    return {"samples.png": _sheet(model, middle), "failures.png": _sheet(model, [text(), lines(), noise()])}


def text() -> np.ndarray:
    """Black words on white in three sizes, uint8 (192, 192, 3)."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (CROP, CROP), "white")
    pen, top = ImageDraw.Draw(page), 6
    for size in (10, 14, 20) * 3:
        pen.text((6, top), "Judge my vow, sphinx of black quartz", "black", ImageFont.load_default(size))
        top += size + 6
    return np.asarray(page)


def lines() -> np.ndarray:
    """Coloured boxes and lines one pixel wide, uint8 (192, 192, 3)."""
    from PIL import Image, ImageDraw

    page, rng = Image.new("RGB", (CROP, CROP), "white"), np.random.default_rng(0)
    pen = ImageDraw.Draw(page)
    for _ in range(14):
        x, y, w, h = (int(v) for v in rng.integers(0, (160, 160, 60, 60)))
        colour = tuple(int(c) for c in rng.integers(0, 200, 3))
        pen.rectangle((x, y, x + w + 4, y + h + 4), outline=colour)
        pen.line((x, y, *(int(v) for v in rng.integers(0, CROP, 2))), colour)
    return np.asarray(page)


def noise() -> np.ndarray:
    """Colours with nothing in common, uint8 (192, 192, 3)."""
    return np.random.default_rng(0).integers(0, 256, (CROP, CROP, 3)).astype(np.uint8)


def _middle(pixels: np.ndarray) -> np.ndarray:
    top, left = ((side - CROP) // 2 for side in pixels.shape[:2])
    return pixels[top : top + CROP, left : left + CROP]


def _sheet(model, pictures: Sequence[np.ndarray]) -> bytes:
    """A row a picture: as it is, then at each quality with bits a pixel and PSNR."""
    rows = []
    for pixels in pictures:
        row = [(pixels, "as it is")]
        for quality in QUALITIES:
            raw = model.compress(pixels, quality=quality)
            back = model.decompress(raw)
            bits = 8 * len(raw) / (pixels.shape[0] * pixels.shape[1])
            row.append((back, f"quality {quality}: {bits:.2f} bits/pixel, {psnr(pixels, back):.1f} dB"))
        rows.append(row)
    return _drawn(rows)


def item_sheets(known: Entry) -> dict[str, bytes]:
    """The first test items in one archive; and of `ARCHIVE` items those that came back worst."""
    model, test = shelf.model(known.name), load(known.data, "test").items
    rows = [[(item, "as it is") for item in test[:FEW]]]
    for quality in ITEM_QUALITIES:
        back = model.decompress_items(model.compress_items(test[:FEW], quality=quality))
        rows.append([(item, f"quality {quality}") for item in back])
    items = test[:1000]
    back = model.decompress_items(model.compress_items(items, quality=50))
    worst = np.argsort(-np.square(items.astype(float) - back).mean((1, 2, 3)))[:FEW]
    failed = [[(items[i], "as it is") for i in worst], [(back[i], f"{psnr(items[i], back[i]):.1f} dB") for i in worst]]
    return {
        "samples.png": _drawn([[(_large(i), c) for i, c in row] for row in rows]),
        "failures.png": _drawn([[(_large(i), c) for i, c in row] for row in failed]),
    }


def _large(item: np.ndarray) -> np.ndarray:
    """(c, h, w) three times as large, (3h, 3w, 3)."""
    return enlarge(item[None], 3)[0].transpose(1, 2, 0).repeat(3 // item.shape[0], axis=2)


def _drawn(rows: Sequence[Sequence[tuple[np.ndarray, str]]]) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    height, width = rows[0][0][0].shape[:2]
    sheet = Image.new("RGB", ((width + GAP) * len(rows[0]), (height + CAPTION + GAP) * len(rows)))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=10)
    for i, row in enumerate(rows):
        for j, (pixels, caption) in enumerate(row):
            left, top = j * (width + GAP), i * (height + CAPTION + GAP)
            sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (left, top))
            pen.text((left + width // 2, top + height + 1), caption, "white", font, anchor="ma")
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()
