"""What a diffusion model draws here starts from noise with signs of our key; Verify goes back to it and says so."""

import base64
import dataclasses
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genlab.__main__ import main
from genlab.studio import ledger, marking, noise_marks, shelf
from genlab.studio.appear import appear
from genlab.studio.generate import draw, generate
from genlab.studio.regenerate import regenerate
from genlab.studio.verify import verify

NAME = "ddpm-fashion"
CARDS = Path(__file__).resolve().parents[2] / "model_cards"
LAYER = "noise mark"


@pytest.fixture(autouse=True)
def shelf_of_one(tmp_path_factory, tmp_path, monkeypatch):
    """The shipped diffusion model alone, one key for all tests, and an empty ledger."""
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setattr(ledger, "_open", {})
    monkeypatch.setattr(marking, "_remembered", type(marking._remembered)())
    folder = tmp_path_factory.getbasetemp() / "noise-shelf"
    if not folder.exists():
        shutil.copytree(CARDS / NAME, folder / NAME)
    monkeypatch.setenv("GENLAB_SHELF", str(folder))
    use(monkeypatch, b"a")
    yield
    marking.key.cache_clear()
    marking.old_keys.cache_clear()


def use(monkeypatch, letter: bytes, old: bytes = b""):
    monkeypatch.setenv("GENLAB_SIGNING_KEY", base64.b64encode(letter * 32).decode())
    monkeypatch.setenv("GENLAB_OLD_SIGNING_KEYS", " ".join(base64.b64encode(bytes([o]) * 32).decode() for o in old))
    marking.key.cache_clear()
    marking.old_keys.cache_clear()


def saved(pixels, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, **options)
    return out.getvalue()


def opened(media: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(media)) as image:
        return np.asarray(image.convert("L"))


def layer(media: bytes):
    return next((known for known in verify(media).layers if known.layer == LAYER), None)


def test_items_of_their_own_pixels_are_known_by_their_noise(tmp_path, capsys):
    """A raw sheet has no room for a mark in its pixels; edited and without its metadata it is known all the same."""
    made = generate(NAME, seed=3, count=8)
    sheet = opened(made.sheet.media)
    told = verify(saved(sheet, format="JPEG", quality=75))
    assert told.sentence.startswith("Carries this lab's watermark")
    states = {known.layer: known for known in told.layers}
    assert "pixel mark" not in states
    assert states[LAYER].state == "found"
    assert states[LAYER].p_value < 1e-6
    assert states[LAYER].detail.endswith("524,288 sets of signs were tried, and the figure pays for all of them.")
    single = [layer(saved(sheet[:, 28 * i : 28 * (i + 1)], format="PNG")).state for i in range(8)]
    assert single.count("found") >= 6
    (tmp_path / "sheet.jpg").write_bytes(saved(sheet, format="JPEG", quality=75))
    assert main(["verify", str(tmp_path / "sheet.jpg")]) == 4  # a mark alone does not prove where a file is from
    assert "\n  noise mark: found (p = " in capsys.readouterr().out


def test_an_item_is_known_by_its_noise_in_the_mirror_and_under_colour_noise():
    item = np.asarray(Image.open(io.BytesIO(generate(NAME, seed=3, count=1).pictures[0].media)).convert("RGB"))
    grainy = item[:, ::-1] + np.random.default_rng(0).normal(0, 12, item.shape)
    found = layer(saved(grainy.clip(0, 255).astype(np.uint8), format="PNG"))
    assert found.state == "found"
    assert "131,072 sets" in found.detail


def test_the_mark_moves_nothing_but_the_noise():
    """Without signs the same seeds give other pictures of the same model, and those carry no mark."""
    known = shelf.entry(NAME)
    settings = {spec.name: spec.default for spec in known.knobs}
    plain = draw(NAME, 3, list(range(8)), 8, settings)
    assert noise_marks.retraced(NAME, plain).shape == (8, 784)
    sheet = np.concatenate(list(plain[:, 0]), 1)
    assert layer(saved(sheet, format="PNG")).state == "absent"
    marked = opened(generate(NAME, seed=3, count=8).sheet.media)
    assert not np.array_equal(marked, sheet)


def test_claims_say_whose_noise_it_was_and_come_back_under_that_key(monkeypatch):
    made = generate(NAME, seed=5, count=2)
    item = made.pictures[1]
    assert item.claim.inputs["noise"] == marking.key().id
    assert made.sheet.claim.inputs["noise"] == marking.key().id
    assert regenerate(item.media) == item
    assert regenerate(made.sheet.media) == made.sheet
    use(monkeypatch, b"b", old=b"a")
    again = regenerate(item.media)
    assert again.claim == item.claim
    assert generate(NAME, seed=5, count=2).pictures[1].claim != item.claim
    use(monkeypatch, b"c")
    with pytest.raises(ValueError, match="secret signs of the key"):
        regenerate(item.media)


def test_the_animation_ends_on_the_item_that_generate_gives():
    made = appear(NAME, seed=4, label="bag")
    with Image.open(io.BytesIO(made.animation.media)) as film:
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("L")).astype(int)
    assert np.abs(last - opened(made.item.media)).mean() < 4  # the palette, and two marks
    assert made.animation.claim.inputs["noise"] == marking.key().id


def test_fresh_noise_covers_the_first_so_nothing_is_put_into_it():
    item = generate(NAME, seed=5, count=1, knobs={"solver": "fresh noise"}).pictures[0]
    assert "noise" not in item.claim.inputs
    assert regenerate(item.media) == item


@pytest.mark.parametrize(
    ("pixels", "rows"),
    [
        (np.zeros((28, 28), np.uint8), 2),
        (np.zeros((224, 224, 3), np.uint8), 2),
        (np.random.default_rng(0).integers(0, 256, (224, 224)).astype(np.uint8), 8),  # a sheet of sixty-four, perhaps
        (np.zeros((56, 224), np.uint8), 8),
        (np.zeros((28, 84), np.uint8), 3),
        (np.zeros((100, 101), np.uint8), 2),
        (np.zeros((100, 140), np.uint8), None),
        (np.zeros((27, 27), np.uint8), None),
        (np.full((224, 224, 3), (200, 90, 40), np.uint8), None),  # a colour
    ],
)
def test_what_may_be_an_item(pixels, rows):
    found = noise_marks.candidates((1, 28, 28), pixels)
    assert (found is None) if rows is None else (found.shape == (rows, 1, 28, 28) and found.dtype == np.uint8)


def test_candidates_of_colour_keep_their_colours():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    found = noise_marks.candidates((3, 64, 64), pixels)
    assert np.array_equal(found, np.stack([pixels, pixels[:, ::-1]]).transpose(0, 3, 1, 2))


def test_a_photograph_is_no_item_and_an_enlarged_item_is_one_after_edits():
    from audits.watermark.attacks import ATTACKS

    picture = generate(NAME, seed=5, count=1).pictures[0]
    with Image.open(io.BytesIO(picture.media)) as opened:
        large = np.asarray(opened.convert("RGB"))
    for edit in ("jpeg50", "webp50", "blur2", "noise.05", "screenshot", "hflip"):
        assert noise_marks.candidates((1, 28, 28), ATTACKS[edit](large)) is not None, edit
    noisy = large[:220, :220] + np.random.default_rng(0).normal(0, 60, (220, 220, 1))  # finer than an item's pixels
    assert noise_marks.candidates((1, 28, 28), noisy.clip(0, 255).astype(np.uint8)) is None


def test_noise_that_is_too_large_to_search_is_not_marked():
    known = dataclasses.replace(shelf.entry(NAME), shape=(3, 64, 64))
    assert noise_marks.markable(shelf.entry(NAME))
    assert not noise_marks.markable(known)
    assert noise_marks.key_of(known, {}) is None


def test_a_claim_names_the_fitted_steps_and_others_do_not_stand_in_for_them():
    knobs = {"solver": "fitted steps", "guidance": 1}
    made = generate(NAME, label="bag", seed=5, count=2, knobs=knobs)
    assert appear(NAME, label="bag", seed=5, knobs=knobs).animation.claim.inputs["steps"]
    for sealed in (*made.pictures, made.sheet):
        assert regenerate(sealed.media).media == sealed.media
        older = dataclasses.replace(sealed.claim, inputs={k: v for k, v in sealed.claim.inputs.items() if k != "steps"})
        for claim in (older, dataclasses.replace(older, inputs=older.inputs | {"steps": "0" * 16})):
            with pytest.raises(ValueError, match=r"drawn by other fitted steps of ddpm-fashion than it has now"):
                regenerate(marking.mark(sealed.media, sealed.media_type, claim).media)
    assert "steps" not in generate(NAME, seed=5, count=1).pictures[0].claim.inputs
