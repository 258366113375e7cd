"""Every kind on one item: what leaves is sealed, noise is its seed's, movements and filters mean what they say."""

import io

import numpy as np
import pytest
from PIL import Image
from small_models import picture

from audits.provenance import pixel_marks, read_claim
from genlab.models.corruption import NOISES
from genlab.studio import encode, kinds, marking, pictures, shelf
from genlab.studio.regenerate import regenerate

NAMES = ["ae-fashion-flat", "ae-fashion-wide", "vae-small"]


def test_kinds_are_the_free_autoencoders_of_one_data_set():
    assert [known.name for known in kinds.kinds()] == NAMES
    assert [kinds.title_of(known) for known in kinds.kinds()] == ["Flat", "Wide", "Small"]
    assert kinds.sentence_of(shelf.entry("vae-small")) == "Some words about summary."
    assert ("none", *NOISES) == kinds.NOISES


def test_every_kind_shows_a_sealed_picture_of_what_it_does():
    item, origin = kinds.item_of("example", number=3)
    looks = kinds.compare(item, origin)
    assert [look.model for look in looks] == NAMES
    for look in looks:
        claim = read_claim(look.picture.media)
        assert (claim.model, claim.action, claim.inputs["from"]) == (look.model, "reconstruct", origin)
        with Image.open(io.BytesIO(look.picture.media)) as shown:
            pixels = np.asarray(shown)
        assert pixels.shape == (112, 4 * (3 * 28 + 2))
        back = shelf.model(look.model).reconstruct(as_images(item))[0].double().numpy()
        panels = np.stack([item / 255, back, np.abs(back - item / 255)])
        sheet = pictures.enlarge(pictures.grid((panels * 255).round().astype(np.uint8), 3, gap=1), 4)[0]
        assert np.array_equal(pixels, pixel_marks.marked(sheet, marking.key(), claim))  # and no more
        assert look.shown_psnr == 99
        assert look.psnr == pytest.approx(-10 * np.log10(np.square(back - item / 255).mean()), abs=1e-6)
        assert len(look.code) == shelf.entry(look.model).latent
        assert 0 <= look.quiet <= 1


def as_images(item):
    import torch

    return torch.from_numpy(item.astype(np.float32))[None] / 255


@pytest.mark.parametrize("noise", NOISES)
def test_noise_is_the_seeds_and_hurts(noise):
    item, origin = kinds.item_of("example", number=3)
    looks = [kinds.compare(item, origin, noise=noise, amount=0.3, seed=seed)[1] for seed in (4, 4, 5)]
    assert looks[0].picture.media == looks[1].picture.media != looks[2].picture.media
    assert looks[0].shown_psnr < 25
    claim = read_claim(looks[0].picture.media)
    assert (claim.seed, claim.knobs) == (4, {"noise": noise, "amount": 0.3})


def test_a_reconstruction_of_an_example_is_made_again_and_one_of_an_upload_is_not():
    item, origin = kinds.item_of("example", number=3)
    look = kinds.compare(item, origin, noise="masking", amount=0.3, seed=4)[0]
    assert regenerate(look.picture.media).media == look.picture.media
    static = kinds.compare(*kinds.item_of("static", number=9))[1]
    assert regenerate(static.picture.media).media == static.picture.media
    given = kinds.compare(*kinds.item_of("upload", upload=picture()))[0]
    with pytest.raises(ValueError, match="was given by somebody"):
        regenerate(given.picture.media)


def test_items_come_from_four_places():
    upload, origin = kinds.item_of("upload", upload=picture(), invert="no")
    drawing, _ = kinds.item_of("drawing", upload=picture())
    assert np.array_equal(upload, drawing)  # a drawing is never turned over
    assert origin.startswith("upload ")
    static, _ = kinds.item_of("static", number=1)
    assert static.std() > 60
    assert not np.array_equal(static, kinds.item_of("static", number=2)[0])


BAD = [
    (lambda: kinds.item_of("camera"), "Items come from example, upload, drawing, static"),
    (lambda: kinds.item_of("example", number=500), "example's number must be a whole number"),
    (lambda: kinds.item_of("static", number=-1), "seed"),
    (lambda: kinds.item_of("upload"), "No picture was uploaded"),
    (lambda: kinds.item_of("drawing", upload=b"no"), "not a PNG"),
    (lambda: kinds.compare(*kinds.item_of("example"), noise="rain"), "Kinds of noise are none, gaussian"),
    (lambda: kinds.compare(*kinds.item_of("example"), noise="gaussian", amount=2), "from 0 to 0.8"),
    (lambda: kinds.compare(*kinds.item_of("example"), noise="gaussian", amount=float("nan")), "from 0 to 0.8"),
    (lambda: kinds.compare(*kinds.item_of("example"), noise="gaussian", amount="much"), "from 0 to 0.8"),
    (lambda: kinds.filters("gan-small"), "cannot autoencode"),
]


@pytest.mark.parametrize(("call", "sentence"), BAD)
def test_bad_input_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_jacobians_norm_agrees_with_the_exact_one():
    item, _ = kinds.item_of("example", number=8)
    found = {m.model: m for m in kinds.movements(item)}
    model = shelf.model("ae-fashion-flat")
    exact = float(model.squared_jacobian(as_images(item))[0].sqrt())
    usual = kinds._usual[shelf.entry("ae-fashion-flat").weights]
    assert found["ae-fashion-flat"].jacobian * usual == pytest.approx(exact, rel=0.4)  # 32 random directions
    codes = encode.codes_of("ae-fashion-flat", np.stack([item, np.concatenate([item[..., :1], item[..., :-1]], -1)]))
    moved = float(np.linalg.norm(codes[1] - codes[0])) / usual
    assert found["ae-fashion-flat"].shifted[0] == pytest.approx(moved, rel=1e-3)


@pytest.mark.parametrize("model", NAMES)
def test_filters_are_the_first_layers_weights(model):
    sealed = kinds.filters(model)
    assert read_claim(sealed.media).action == "filters"
    with Image.open(io.BytesIO(sealed.media)) as shown:
        assert max(shown.size) > 200
        assert np.asarray(shown).std() > 10
