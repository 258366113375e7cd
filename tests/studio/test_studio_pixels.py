"""Items that appear value by value, and items that are completed: what leaves, what is exact, what is refused."""

import io

import numpy as np
import pytest
from PIL import Image
from small_models import PIXELS, build_shelf

from audits.provenance import read_claim
from genlab.studio import appear, complete, generate, vary
from genlab.studio.evaluate import evaluate
from genlab.studio.regenerate import regenerate
from genlab.studio.shelf import StudioError


@pytest.fixture(scope="module")
def pixel_shelf(tmp_path_factory):
    return build_shelf(tmp_path_factory.mktemp("pixels"), PIXELS)


@pytest.fixture(autouse=True)
def on_that_shelf(studio_environment, pixel_shelf, monkeypatch):
    monkeypatch.setenv("GENLAB_SHELF", str(pixel_shelf))


@pytest.fixture
def item():
    return complete.item_of("pixelcnn-small", "example", number=3)[0]


@pytest.fixture
def unmarked(monkeypatch):
    """What is drawn, as it is before the mark, whose strength depends on the installation's key."""
    seen, seal = [], complete.sealed
    monkeypatch.setattr(complete, "sealed", lambda *given: seen.append(given[2]) or seal(*given))
    return seen


def test_the_finished_item_is_the_one_that_generate_gives():
    made = appear.appear("pixelcnn-small", label="bag", seed=5)
    alone = generate.generate("pixelcnn-small", label="bag", seed=5, count=1).pictures[0]
    assert made.item.media == alone.media
    claim = read_claim(made.animation.media)
    assert (claim.action, claim.seed, claim.inputs["label"]) == ("appear", 5, "bag")
    with Image.open(io.BytesIO(made.animation.media)) as film:
        assert film.n_frames > 20
        first = np.asarray(film.convert("L"))
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("L"))
    assert np.abs(first[-8:].astype(int) - appear.UNDRAWN).max() < 12  # grey, but for the mark
    assert np.abs(last.astype(int) - first).max() > 60


def test_a_diffusion_model_appears_out_of_noise_and_ends_with_its_item():
    made = appear.appear("ddpm-small", label="bag", seed=5, knobs={"steps": 6})
    alone = generate.generate("ddpm-small", label="bag", seed=5, count=1, knobs={"steps": 6}).pictures[0]
    assert made.item.media == alone.media
    claim = read_claim(made.animation.media)
    assert (claim.action, claim.knobs["steps"]) == ("appear", 6)
    with Image.open(io.BytesIO(made.animation.media)) as film:
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("L")).astype(int)
    assert np.abs(last - np.asarray(Image.open(io.BytesIO(made.item.media)).convert("L")).astype(int)).max() <= 24
    assert appear.takes_temperature("pixelcnn-small")
    assert not appear.takes_temperature("ddpm-small")
    assert appear.models() == ["pixelcnn-small", "pixelrnn-small", "ddpm-small"]


def test_a_completion_by_diffusion_says_that_it_is_approximate(item, unmarked):
    made = complete.complete("ddpm-small", item, "here", kept=0.5, count=1)
    assert not made.exact
    assert "takes noise away" in made.sentence
    assert (unmarked[0][:, :, :14] == item[:, :14]).all()


def test_what_was_kept_is_kept_and_the_claim_says_what_was_done(item, unmarked):
    made = complete.complete("pixelcnn-small", item, "example 3, coat", kept=0.5, seed=7, count=3)
    assert made.exact
    assert [s.claim.seed for s in made.items] == [7, 8, 9]
    assert made.items[0].claim.inputs == {"from": "example 3, coat", "erased": "below a row", "kept": "0.5"}
    assert (unmarked[0][:, :, :14] == item[:, :14]).all()
    one, two = (np.asarray(Image.open(io.BytesIO(s.media)).convert("L")).astype(int) for s in made.items[:2])
    assert np.abs(one[112:] - two[112:]).max() > 60


@pytest.mark.parametrize(
    ("region", "exact"), [("below a row", True), ("right of a column", False), ("in the middle", False)]
)
def test_only_below_a_row_is_exact(item, region, exact):
    made = complete.complete("pixelcnn-small", item, "here", region=region, kept=0.5, count=1)
    assert made.exact == exact
    assert made.sentence.startswith("Exact" if exact else "Approximate")


def test_everything_may_be_missing_and_nothing_may_not(item):
    whole = complete.complete("pixelcnn-small", item, "here", kept=0, count=1)
    assert whole.exact
    with pytest.raises(StudioError, match="Nothing would be missing"):
        complete.complete("pixelcnn-small", item, "here", kept=1.0)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"region": "everywhere"}, "What is erased lies"),
        ({"kept": float("nan")}, "from 0 to 1"),
        ({"kept": "half"}, "from 0 to 1"),
        ({"count": 13}, "from 1 to 12"),
        ({"seed": -1}, "whole number"),
        ({"knobs": {"temperature": 9}}, "temperature is a number"),
    ],
)
def test_bad_input_is_one_sentence(item, asked, told):
    with pytest.raises(ValueError, match=told) as error:
        complete.complete("pixelcnn-small", item, "here", **asked)
    assert str(error.value).endswith(".")


def pixels_of(sealed) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(sealed.media)).convert("L")).astype(int)


def test_a_changed_picture_stays_like_the_one_given_and_says_what_was_done(item):
    near = vary.vary("ddpm-small", item, "example 3, coat", change=0.05, seed=7, count=3)
    far = vary.vary("ddpm-small", item, "example 3, coat", change=1, label="bag", seed=7, count=3)
    assert [s.claim.seed for s in near.items] == [7, 8, 9]
    assert near.items[0].claim.inputs == {"from": "example 3, coat", "change": "0.05"}
    assert far.items[0].claim.inputs == {"from": "example 3, coat", "change": "1", "label": "bag"}
    assert far.items[0].claim.action == "vary"
    assert "no class was told" in near.sentence
    assert "100%" in far.sentence
    assert "told was bag" in far.sentence
    given = pixels_of(near.shown)
    apart = [np.abs(pixels_of(made.items[0]) - given).mean() for made in (near, far)]
    assert apart[0] < apart[1] / 2
    assert vary.models() == ["ddpm-small"]


def test_what_was_made_from_an_example_comes_back_bit_for_bit(item):
    origin = complete.item_of("ddpm-small", "example", number=3)[1]
    made = vary.vary("ddpm-small", item, origin, change=0.4, label="bag", seed=7, count=2, knobs={"steps": 4})
    made_whole = complete.complete("pixelcnn-small", item, origin, kept=0.3, label="coat", seed=2, count=2)
    for sealed in (*made.items, *made_whole.items):
        assert regenerate(sealed.media) == sealed
    uploaded = vary.vary("ddpm-small", item, "upload 0123", count=1)
    with pytest.raises(StudioError, match="given by somebody, which is not kept"):
        regenerate(uploaded.items[0].media)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"change": 0}, "The change is a number from 0.05 to 1"),
        ({"change": float("nan")}, "The change is a number"),
        ({"change": True}, "The change is a number"),
        ({"label": "hat"}, "Classes of ddpm-small are"),
        ({"count": 13}, "from 1 to 12"),
        ({"seed": -1}, "whole number"),
        ({"knobs": {"steps": 5000}}, "steps is a number"),
    ],
)
def test_a_change_that_cannot_be_made_is_one_sentence(item, asked, told):
    with pytest.raises(ValueError, match=told) as error:
        vary.vary("ddpm-small", item, "here", **asked)
    assert str(error.value).endswith(".")


def test_other_models_are_refused(item):
    with pytest.raises(StudioError, match="pixelcnn-small"):
        vary.vary("pixelcnn-small", item, "here")
    with pytest.raises(StudioError, match="changes items of"):
        vary.vary("ddpm-small", item[:, :5], "here")
    with pytest.raises(StudioError, match="gan-small"):
        complete.complete("gan-small", item, "here")
    with pytest.raises(StudioError, match="gan-small"):
        appear.appear("gan-small")
    with pytest.raises(StudioError, match="Items come from"):
        complete.item_of("pixelcnn-small", "nowhere")
    with pytest.raises(StudioError, match="completes items of"):
        complete.complete("pixelcnn-small", item[:, :5], "here")


def test_the_likelihood_alone_is_measured():
    found = evaluate("pixelcnn-small", quick=True, only="likelihood")
    assert list(found) == ["bits_per_dim"]
    assert found["bits_per_dim"]["unit"] == "bits/dim, exact"
    assert found["bits_per_dim"]["low"] < found["bits_per_dim"]["value"] < found["bits_per_dim"]["high"]
    with pytest.raises(ValueError, match="Figures of pixelcnn-small are of likelihood, samples"):
        evaluate("pixelcnn-small", only="taste")
