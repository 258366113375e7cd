"""Making a file again from the claim inside it."""

import dataclasses
import io

import pytest
from PIL import Image
from small_models import picture

from audits.provenance import Claim
from genlab.studio import encode, walk
from genlab.studio.decode import decode
from genlab.studio.generate import generate
from genlab.studio.marking import mark
from genlab.studio.regenerate import describe, regenerate


@pytest.mark.parametrize("model", ["vae-small", "gan-small", "gan-plain"])
def test_a_picture_and_a_sheet_come_back_bit_for_bit(model):
    made = generate(model, seed=77, count=5)
    for sealed in (*made.pictures, made.sheet):
        assert regenerate(sealed.media) == sealed


def test_a_sheet_of_one_class_or_of_a_later_part_comes_back():
    for asked in ({"label": "bag", "knobs": {"truncation": 1}}, {"offset": 7}):
        sheet = generate("gan-small", seed=2, count=4, **asked).sheet
        assert regenerate(sheet.media).media == sheet.media


def test_decoded_codes_and_walks_come_back():
    start = encode.encode("vae-small", kind="upload", upload=picture())
    end = encode.encode("vae-small", kind="seed", number=4, label="coat")
    made = walk.walk("vae-small", start, end, frames=5, path="linear")
    decoded = decode("vae-small", list(start.code), origin=start.origin)
    for sealed in (decoded, made.strip, made.gif, made.mp4):
        assert regenerate(sealed.media) == sealed


def claimed(sealed, **changes):
    """The same picture under a changed claim."""
    return mark(sealed.media, sealed.media_type, dataclasses.replace(sealed.claim, **changes)).media


REFUSED = [
    ({"weights": "0" * 64}, "other weights of gan-small"),
    ({"model": "gan-elsewhere"}, "'gan-elsewhere', which is not on this shelf"),
    ({"model": "../gan-small"}, "not on this shelf"),
    ({"action": "photograph"}, "'photograph', which cannot be repeated"),
    ({"seed": 78}, "largest difference"),
    ({"seed": -4}, "seed must be a whole number"),
    ({"inputs": {"label": "hat"}}, "Classes of gan-small are"),
    ({"inputs": {"sheet": "sixteen"}}, "sheet is not a whole number"),
    ({"inputs": {"sheet": "9999"}}, "count must be a whole number"),
    ({"inputs": {"noise": "0123456789abcdef"}}, "key '0123456789abcdef', which is not known here"),
    ({"knobs": {"truncation": 77}}, "truncation is a number"),
    ({"knobs": {"heat": 1}}, "Knobs of this model are"),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED, ids=str)
def test_a_claim_that_does_not_hold_is_one_sentence(changes, sentence):
    sealed = generate("gan-small", seed=77, count=1).pictures[0]
    with pytest.raises(ValueError, match=sentence):
        regenerate(claimed(sealed, **changes))


@pytest.mark.parametrize(
    ("action", "knobs", "sentence"),
    [
        ("decode", {}, "code"),
        ("decode", {"code": "1,2"}, "list of 16 numbers"),
        ("decode", {"code": "nan," * 15 + "nan"}, "list of 16 numbers"),
        ("walk", {"start": "1"}, "list of"),
    ],
)
def test_claims_of_codes_are_checked(action, knobs, sentence):
    sealed = decode("vae-small", [0.0] * 16)
    with pytest.raises(ValueError, match=sentence):
        regenerate(claimed(sealed, action=action, knobs=knobs))


def test_a_changed_picture_is_noticed():
    sealed = generate("vae-small", count=1).pictures[0]
    image = Image.open(io.BytesIO(sealed.media))
    image.paste(255 - image.getpixel((9, 9)), (8, 8, 16, 16))
    file = io.BytesIO()
    image.save(file, "PNG")
    with pytest.raises(ValueError, match="changed since"):
        regenerate(mark(file.getvalue(), "image/png", sealed.claim).media)


def test_files_without_a_claim():
    for media, sentence in (
        (picture(), "carries no claim"),
        (b"", "No file"),
        (b"\x89PNG\r\n\x1a\nxx", "PNG"),
        (b"hello", "carries no claim"),
    ):
        with pytest.raises(ValueError, match=sentence):
            regenerate(media)


def test_a_claim_in_words():
    assert describe(Claim("m", "w", "generate", 4, {"label": "bag"}, {})) == "m, generate, seed 4, bag"
