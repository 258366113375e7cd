"""Figures and pictures of codecs, on small untrained ones and a few small photographs."""

import io

import numpy as np
import pytest
from PIL import Image

from genlab.data import Data
from genlab.models import build
from genlab.studio import codec_pictures, evaluate_codec, shelf
from genlab.studio.evaluate import mean_figure


@pytest.fixture
def pictures(monkeypatch):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:200, :220]
    found = []
    for i in range(6):
        shade = 120 + 50 * np.sin(x / (9 + i)) * np.cos(y / (14 - i))
        pixels = shade[..., None] + rng.normal(0, 6, (200, 220, 3))
        found.append((f"{i}.png", pixels.clip(0, 255).astype(np.uint8)))
    for place in (evaluate_codec, codec_pictures):
        monkeypatch.setattr(place, "photographs_to_code", lambda: found)
    return found


def photo():
    arguments = {"channels": 64, "merged": 16, "hyper": 4, "width": 8, "polish": 0, "levels": 3, "blocks": [0, 0]}
    return build("photo-codec", arguments).eval().requires_grad_(False)


def test_figures_of_a_codec(pictures):
    model = photo()
    figures = {k: f for k, f in evaluate_codec.codec_figures(model, mean_figure, quick=False) if f}
    assert set(figures) == {"bits_against_jpeg", "bits_per_pixel", "psnr"}
    assert figures["bits_against_jpeg"]["n"] == 6
    raw = [len(model.compress(pixels, quality=60)) for _, pixels in pictures]
    assert figures["bits_per_pixel"]["value"] == pytest.approx(8 * np.mean(raw) / (200 * 220))


def test_jpeg_against_itself_saves_nothing(pictures):
    class Itself:
        def compress(self, pixels, *, quality):
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=round(quality * 0.9), optimize=True, subsampling="4:2:0")
            return file.getvalue()

        def decompress(self, payload):
            return np.asarray(Image.open(io.BytesIO(payload)))

    figures = {k: f for k, f in evaluate_codec.codec_figures(Itself(), mean_figure, quick=False) if f}
    assert abs(figures["bits_against_jpeg"]["value"]) < 2


def test_the_archive_keeps_to_its_bits():
    model = build("item-codec", {"shape": [1, 28, 28], "latents": 4, "width": 16, "blocks": [0, 0]}).eval()
    model.requires_grad_(False)
    items = np.zeros((40, 1, 28, 28), np.uint8)
    items[:, :, 8:20, 10:18] = np.random.default_rng(0).integers(60, 250, (40, 1, 1, 1))
    data = Data("x", "test", items, np.zeros(40, int), ("x",), "MIT", "")
    figures = {k: f for k, f in evaluate_codec.archive_figures(model, data, quick=False) if f}
    coarsest = 8 * len(model.compress_items(items, quality=1)) / items.size
    assert figures["archive_bits_per_pixel"]["value"] <= max(evaluate_codec.AIM, coarsest)
    psnr = figures["archive_psnr"]
    assert psnr["low"] <= psnr["value"] <= psnr["high"]
    assert psnr["n"] == 40


def test_the_pictures_of_a_card_show_every_quality(pictures, monkeypatch):
    known = shelf.Entry("photo-small", "0", "photo-codec", "photograph-tiles", (3, 128, 128), ("compress",), (), (), 0)
    model = photo()
    monkeypatch.setattr(shelf, "model", lambda name: model)
    sheets = codec_pictures.sheets(known)
    assert set(sheets) == {"samples.png", "failures.png"}
    side = codec_pictures.CROP + codec_pictures.GAP
    assert Image.open(io.BytesIO(sheets["samples.png"])).width == side * (1 + len(codec_pictures.QUALITIES))
