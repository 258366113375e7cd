"""Portraits: every label is what was drawn, and the mix is what was asked for."""

from collections import Counter

import numpy as np
import pytest
from skimage.color import rgb2lab

from genlab.data import examples, load, portraits
from genlab.data.portraits import ATTRIBUTES, MIXES, SKIN


@pytest.fixture(scope="module", params=list(SKIN))
def drawn(request):
    return request.param, *portraits.draw(60, [{"share": 1.0}], style=request.param, first_seed=500)


def test_the_skin_that_was_asked_for_is_in_the_picture(drawn):
    style, items, groups = drawn
    for item, tone in zip(items, groups["tone"], strict=True):
        counts = Counter(map(tuple, item.reshape(3, -1).T.tolist()))
        seen = {i for i, text in enumerate(SKIN[style]) if counts[tuple(bytes.fromhex(text[1:]))] > 40}
        assert seen == {tone}


def test_the_clothes_that_were_asked_for_are_in_the_picture(drawn):
    style, items, groups = drawn
    for item, place in zip(items, groups["clothing"], strict=True):
        wanted = portraits.CLOTHING[style][ATTRIBUTES["clothing"][place]]
        below = item[:, 52:].reshape(3, -1).T
        assert (below == np.frombuffer(bytes.fromhex(wanted[1:]), np.uint8)).all(1).sum() > 5


def test_both_styles_share_one_scale_of_lightness():
    edges = (np.inf, 55, 28, 10, -30, -np.inf)  # of the individual typology angle, in degrees
    for colours in SKIN.values():
        for place, text in enumerate(colours):
            lightness, _, b = rgb2lab(np.frombuffer(bytes.fromhex(text[1:]), np.uint8)[None, None] / 255)[0, 0]
            angle = np.degrees(np.arctan2(lightness - 50, b))
            assert edges[place + 1] < angle <= edges[place]


def test_an_item_depends_on_its_seed_alone():
    items, groups = portraits.draw(3, MIXES["portraits-biased"], first_seed=40)
    alone, group = portraits.draw(1, MIXES["portraits-biased"], first_seed=42)
    assert np.array_equal(items[2], alone[0])
    assert all(groups[name][2] == group[name][0] for name in ATTRIBUTES)


def test_a_mix_is_drawn_at_its_shares():
    found = [portraits.describe(seed, MIXES["portraits-biased"]) for seed in range(4000)]
    tones = Counter(groups["tone"] for groups in found)
    for tone, share in zip(ATTRIBUTES["tone"], (0.55, 0.20, 0.12, 0.08, 0.05), strict=True):
        assert tones[tone] / 4000 == pytest.approx(share, abs=4 * (share * (1 - share) / 4000) ** 0.5)
    worn = Counter(groups["tone"] for groups in found if groups["glasses"] == "glasses")
    assert worn["very light"] / tones["very light"] == pytest.approx(0.5, abs=0.05)
    assert worn["dark"] / tones["dark"] == pytest.approx(0.05, abs=0.07)


@pytest.mark.parametrize("style", list(SKIN))
def test_a_covered_head_shows_no_hair(style):
    for seed in range(300):
        groups = portraits.describe(seed, [{"share": 1.0}], style)
        assert set(groups) == set(ATTRIBUTES)
        assert all(groups[name] in portraits.drawable(name, style) for name in ATTRIBUTES)
        if groups["covering"] == "covered":
            assert groups["hair"] == "no hair to be seen"


def test_presentation_is_the_proxy_that_the_card_documents():
    assert portraits.presentation({"facial_hair": "facial hair", "hair": "long hair"}) == "masculine"
    assert portraits.presentation({"facial_hair": "no facial hair", "hair": "long hair"}) == "feminine"
    assert portraits.presentation({"facial_hair": "no facial hair", "hair": "short hair"}) == "open"


@pytest.mark.parametrize(
    ("mix", "style", "message"),
    [
        ([{"share": 0.5}], "open-peeps", "sum to 1"),
        ([{"tone": "dark"}], "open-peeps", "needs a share"),
        ([{"share": 1, "tone": "green"}], "open-peeps", "tone='green' was given"),
        ([{"share": 1, "age": "old"}], "open-peeps", "age='old' was given"),
        ([{"share": 1, "glasses": "glasses"}], "toon-head", "glasses='glasses' was given"),
        ([{"share": 1, "covering": "covered", "hair": "long hair"}], "open-peeps", "shows no hair"),
        ([{"share": 1}], "avataaars", "Styles are"),
    ],
)
def test_a_mix_that_cannot_be_drawn_is_refused(mix, style, message):
    with pytest.raises(ValueError, match=message):
        portraits.draw(1, mix, style=style)


def test_splits_are_kept_and_do_not_meet(monkeypatch, tmp_path):
    monkeypatch.setenv("GENLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(portraits, "COUNTS", {"train": 30, "validate": 10, "test": 20})
    splits = {split: load("portraits", split) for split in ("train", "validate", "test")}
    assert [len(data) for data in splits.values()] == [30, 10, 20]
    assert splits["train"].items.shape == (30, 3, 64, 64)
    assert splits["train"].attributes["style"].tolist() == [0] * 15 + [1] * 15
    assert splits["train"].names == ATTRIBUTES["tone"]
    assert splits["train"].licence == "CC0-1.0 AND CC-BY-4.0"
    rows = [{item.tobytes() for item in data.items} for data in splits.values()]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    again = load("portraits", "test")
    assert np.array_equal(again.items, splits["test"].items)
    shares = splits["train"].shares()
    assert all(sum(groups.values()) == pytest.approx(1) for groups in shares.values())
    with pytest.raises(ValueError, match="train and validate and test"):
        load("portraits", "dev")


def test_large_portraits_are_the_same_drawings(monkeypatch, tmp_path):
    monkeypatch.setattr(portraits, "cache_folder", lambda: tmp_path)
    monkeypatch.setitem(portraits.COUNTS, "validate", 6)
    large, usual = load("portraits-balanced-128", "validate"), load("portraits-balanced", "validate")
    assert large.items.shape == (6, 3, 128, 128)
    reduced = large.items.reshape(6, 3, 64, 2, 64, 2).mean((3, 5))
    assert np.abs(reduced - usual.items).mean() < 2  # both are rasters of one drawing
    for attribute, groups in usual.attributes.items():
        assert np.array_equal(large.attributes[attribute], groups)


def test_example_items_show_both_mixes_every_tone_alike():
    for mix in ("portraits-biased", "portraits-balanced"):
        shown = examples.load(mix)
        assert shown.items.shape == (120, 3, 64, 64)
        assert np.bincount(shown.labels).tolist() == [24] * 5
    first, groups = portraits.draw(1, MIXES["portraits-balanced"], first_seed=portraits.FIRST_SEED["test"])
    place = examples.about("portraits-biased")["rows_of_the_split"].index(0)
    assert np.array_equal(shown.items[place], first[0])
    assert shown.labels[place] == groups["tone"][0]


def test_described_is_what_load_knows(monkeypatch):
    monkeypatch.setitem(portraits.COUNTS, "validate", 40)
    portraits.described.cache_clear()
    words = portraits.described("portraits-biased", "validate")
    _, found = portraits.draw(40, portraits.MIXES["portraits-biased"], first_seed=portraits.FIRST_SEED["validate"])
    portraits.described.cache_clear()
    for attribute, groups in portraits.ATTRIBUTES.items():
        assert list(words[attribute]) == [groups[i] for i in found[attribute]]
