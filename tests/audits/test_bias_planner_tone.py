"""The planner against its known answers and simulation; skin tone on the ten swatches under other lights."""

import numpy as np
import pytest

from audits.bias.planner import detectable_gap, items_for_gap
from audits.bias.skin_tone import (
    MONK,
    appearances,
    face_region,
    skin_tone,
    skin_tone_report,
    skin_tones,
    tone_names,
    under_light,
)  # fmt: skip

SWATCHES = np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in MONK])


def test_planner_gives_the_known_answers():
    assert items_for_gap(0.05).items == 783
    assert items_for_gap(0.05, accuracy=(0.94, 0.94), validation=1000).items == 1143
    never = items_for_gap(0.05, accuracy=(0.9, 0.9), validation=200)
    assert never.items is None
    assert "label more than" in never.reading
    assert items_for_gap(0.05, accuracy=(0.9, 0.9), validation=never.validation + 1).items is not None
    assert items_for_gap(0.05, accuracy=(0.9, 0.9), validation=never.validation - 1).items is None


def test_the_planned_number_has_the_planned_power():
    rng, plan = np.random.default_rng(0), items_for_gap(0.05, accuracy=(0.94, 0.94), validation=1000)
    n, m, runs = plan.items, 1000, 20_000
    a, b = rng.binomial(m, 0.94, runs) / m, rng.binomial(m, 0.94, runs) / m
    q = rng.binomial(n, 0.55 * 0.94 + 0.45 * 0.06, runs) / n
    share = (q + b - 1) / (a + b - 1)
    null = np.sqrt(0.25 / n + 0.25 * (a * (1 - a) + b * (1 - b)) / m) / (a + b - 1)
    assert np.mean(np.abs(share - 0.5) > 1.96 * null) == pytest.approx(0.8, abs=0.02)


def test_detectable_gap_is_the_planner_turned_round():
    assert detectable_gap(783) == pytest.approx(0.05, abs=1e-4)
    assert detectable_gap(10_000) < detectable_gap(1000)
    assert np.isnan(detectable_gap(1000, accuracy=(0.6, 0.6), validation=10))


@pytest.mark.parametrize(
    ("gap", "options"),
    [(0, {}), (0.6, {}), (0.1, {"accuracy": (0.5, 0.5)}), (0.1, {"validation": 0}), (0.1, {"power": 1})],
)
def test_planner_refuses_nonsense(gap, options):
    with pytest.raises(ValueError):
        items_for_gap(gap, **options)


@pytest.mark.parametrize("kelvin", [6504, 5000, 5500, 7500, 9000])
@pytest.mark.parametrize("stops", [0, -0.3, 0.3])
def test_swatches_are_found_within_one_step(kelvin, stops):
    colours = np.round(under_light(SWATCHES, kelvin=kelvin, stops=stops) * 255) / 255
    found = [skin_tone(colour[None]) for colour in colours]
    told = [(i, t) for i, t in enumerate(found, 1) if t.tone is not None]
    blown = [t for t in found if t.tone is None]
    assert all("blown out" in t.why for t in blown)  # 0.3 stop clips tones 1 to 3 to white under a cool light
    assert len(blown) <= (2 if stops > 0 and kelvin > 7000 else 0)
    assert sum(abs(t.tone - i) <= 1 for i, t in told) >= 9 - len(blown)
    assert all(t.low <= t.tone <= t.high for _, t in told)
    assert sum(t.low - 1 <= i <= t.high + 1 for i, t in told) == len(told)


@pytest.mark.parametrize("colour", [[0.1, 0.2, 0.9], [0.1, 0.8, 0.2], [0, 0, 0], [1, 1, 1], [1, 0, 0]])
def test_other_colours_cannot_be_told(colour):
    assert skin_tone([colour]).tone is None
    assert tone_names([skin_tone([colour])]) == ["cannot tell"]


def test_lights_beyond_the_range_are_refused_when_asked_to_be_strict():
    for kelvin in (2856, 25_000):
        seen = under_light(SWATCHES, kelvin=kelvin)
        assert sum(skin_tone(c[None], farthest=6.0).tone is None for c in seen) >= 3


GREY = np.full((1, 3), 1.055 * 0.18 ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("kelvin", "stops"), [(6504, 0), (5000, 0.3), (4600, -0.3), (7500, -0.3), (8800, 0)])
def test_a_grey_card_shows_the_light_and_narrows_the_tone(kelvin, stops):
    seen, card = (np.round(under_light(c, kelvin=kelvin, stops=stops) * 255) / 255 for c in (SWATCHES, GREY))
    told, alone = [skin_tone(c[None], card=card) for c in seen], [skin_tone(c[None]) for c in seen]
    assert all(abs(t.tone - i) <= 1 and t.low <= i <= t.high for i, t in enumerate(told, 1))
    assert sum(t.high - t.low for t in told) < sum(t.high - t.low for t in alone)


@pytest.mark.parametrize(
    ("kelvin", "stops", "why"),
    [
        (2856, 0, "light of 2,"),
        (25_000, 0, "light of"),
        (6504, 1, "1.0 stop too bright"),
        (5000, -0.5, "0.5 stop too dark"),
    ],
)
def test_light_beyond_the_range_cannot_be_told_where_a_card_shows_it(kelvin, stops, why):
    seen, card = (under_light(c, kelvin=kelvin, stops=stops) for c in (SWATCHES, GREY))
    told = [skin_tone(c[None], card=card) for c in seen]
    assert all(t.tone is None for t in told)
    assert any(why in t.why for t in told)
    assert sum(skin_tone(c[None]).tone is not None for c in seen) > 5  # without a card it looks like another tone


def test_a_card_must_be_one():
    skin = SWATCHES[4][None]
    assert "coloured light" in skin_tone(skin, card=[[0.2, 0.6, 0.2]]).why
    assert "blown out" in skin_tone(skin, card=[[1.0, 1.0, 1.0]]).why
    for wrong in ({"card": [[0.5, 0.5, 2.0]]}, {"card": np.ones((0, 3))}, {"card": GREY, "reflectance": 0.0}):
        with pytest.raises(ValueError, match=r"^(Card pixels|A card)"):
            skin_tone(skin, **wrong)
    images = np.ones((2, 32, 32, 3)) * SWATCHES[4]
    images[1] = under_light(images[1], stops=1)
    images[:, :4], images[1, :4] = GREY, under_light(GREY, stops=1)
    where = np.zeros((32, 32), bool)
    where[:4] = True
    assert tone_names(skin_tones(images, card=where)) == ["tone 5", "cannot tell"]
    with pytest.raises(ValueError, match="card must be a mask"):
        skin_tones(images, card=where[:4])


def test_an_uneven_region_cannot_be_told():
    pixels = np.concatenate([np.tile(SWATCHES[0], (50, 1)), np.tile(SWATCHES[9], (50, 1))])
    assert "one surface" in skin_tone(pixels).why


def test_ita_and_light_are_what_they_should_be():
    assert under_light(SWATCHES, kelvin=6504) == pytest.approx(SWATCHES, abs=0.004)
    angles = [skin_tone(s[None]).ita for s in SWATCHES]
    assert angles[4] == pytest.approx(np.degrees(np.arctan2(77.9 - 50, 23.1)), abs=0.3)
    assert angles[0] > 80 > 0 > angles[9]
    looks, tones = appearances()
    assert looks.shape == (len(tones), 3)


def test_pictures_are_masked_by_geometry():
    images = np.ones((3, 32, 32, 3)) * [0.1, 0.2, 0.9]
    images[:, 6:26, 8:24] = SWATCHES[[4, 6, 8]][:, None, None]
    found = skin_tones(images)
    assert [abs(t.tone - i) <= 1 for t, i in zip(found, (5, 7, 9), strict=True)] == [True] * 3
    mask = face_region(32, 32)
    assert mask[16, 16]
    assert not mask[0, 0]
    report = skin_tone_report(found)
    assert report["share.cannot tell"].n == 0
    assert len([f for f in report.findings if f.name.startswith("share.tone")]) == 10
    for wrong in (np.ones((2, 3)), np.full((1, 3), 2.0), np.full((1, 3), np.nan), np.ones((0, 3))):
        if wrong.shape != (2, 3):
            with pytest.raises(ValueError, match="Skin pixels"):
                skin_tone(wrong)
    with pytest.raises(ValueError, match="mask"):
        skin_tones(images, region=np.zeros((32, 32)))
