"""The attack bench: edits, what they leave of each layer, and what is refused."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from audits.provenance import Claim, read_claim
from audits.watermark import attacks
from genlab.studio import ledger, mark_limits, marking
from genlab.studio.attack import BOXES, Edit, attack, battery
from genlab.studio.generate import generate


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A ledger of this test's own, and nothing sealed yet."""
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setattr(marking, "_remembered", type(marking._remembered)())
    monkeypatch.setattr(ledger, "_open", {})


def test_the_metadata_alone_kills_the_manifest_and_nothing_else():
    made = attack("gan-small", seed=3)
    assert made.known
    assert {layer.layer: layer.state for layer in made.layers} == {
        "manifest": "absent", "pixel mark": "found", "ledger": "this content",
    }  # fmt: skip
    kept = attack("gan-small", seed=3, edit=Edit(metadata_gone=False))
    assert kept.layers[0].state == "valid"
    assert kept.sentence.startswith("Made here by gan-small, seed 3")


def test_an_edit_under_kept_metadata_is_an_altered_file_that_is_known():
    made = attack("gan-small", seed=3, edit=Edit(crop=0.8, metadata_gone=False))
    assert made.layers[0].state == "altered"
    assert made.sentence.startswith("Made here by gan-small, seed 3; edited since: cut to about 64%")


def test_what_is_shown_says_that_it_was_edited_and_the_ledger_does_not_learn_it():
    made = attack("gan-small", seed=3, edit=Edit(blur=1.0, mirrored=True))
    claim = read_claim(made.shown.media)
    assert (claim.action, claim.inputs["edit"]) == ("edit", "blur 1, mirrored")
    entries = len(ledger.ledger())
    again = attack("gan-small", seed=3, edit=Edit(blur=1.0, mirrored=True))
    assert len(ledger.ledger()) == entries
    assert again.layers == made.layers


def test_noise_that_drowns_the_mark_kills_it():
    weak = attack("vae-small", seed=1, edit=Edit(noise=0.1, blur=3.0, size=0.3, jpeg=10))
    assert {layer.layer: layer.state for layer in weak.layers}["pixel mark"] == "absent"


def test_edits_are_what_the_battery_does():
    pixels = np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    same = {
        "crop80": Edit(crop=0.8), "rot15": Edit(turn=15), "blur1": Edit(blur=1), "bright1.5": Edit(brightness=1.5),
        "grayscale": Edit(colour=0), "jpeg50": Edit(jpeg=50), "screenshot": Edit(screenshot=True),
        "hflip": Edit(mirrored=True), "noise.05": Edit(noise=0.05),
    }  # fmt: skip
    for name, edit in same.items():
        assert (edit.apply(pixels) == attacks.ATTACKS[name](pixels)).all(), name
    assert (Edit().apply(pixels) == pixels).all()
    assert (Edit(upside_down=True).apply(pixels) == pixels[::-1]).all()


@pytest.mark.parametrize("field", [f for f in dataclasses.fields(Edit) if f.name not in BOXES], ids=lambda f: f.name)
def test_numbers_out_of_their_range_are_one_sentence(field):
    for value in (field.metadata["high"] + 1, field.metadata["low"] - 1, float("nan"), "much", True, None):
        with pytest.raises(ValueError, match=f"{field.name} is a number from"):
            Edit(**{field.name: value})
    with pytest.raises(ValueError, match="screenshot is yes or no"):
        Edit(screenshot=1)


def test_the_battery_counts_every_layer():
    work, steps = battery("gan-small", count=2, seed=5), []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as done:
            rows = {row.edit: row for row in done.value}
            break
    assert len(rows) == len(steps) == len(attacks.ATTACKS) + 1
    assert (rows["metadata removed"].mark, rows["metadata removed"].manifest, rows["rot90"].verdict) == (2, 0, 2)
    assert all(row.verdict >= max(row.mark, row.look) for row in rows.values())
    with pytest.raises(ValueError, match="number of items must be a whole number"):
        next(battery("gan-small", count=99))


def test_pixels_carry_the_mark_of_their_claim_and_small_ones_none():
    from audits.watermark import image

    made = generate("gan-small", seed=8, count=1)
    pixels = np.asarray(Image.open(io.BytesIO(made.pictures[0].media)))
    found = image.detect(pixels, [marking.key().secret])
    assert found.payload == int(made.pictures[0].claim.digest[:8], 16)
    drawn = marking.Drawn(np.zeros((1, 28, 28), np.uint8), lambda item: item.tobytes())
    assert drawn.file(Claim("m", "w", "generate", 1)) == (bytes(784), None)


def test_figures_on_the_page_come_from_the_results(monkeypatch, tmp_path):
    text = mark_limits.words()
    assert "Signs in the noise" in text
    assert "Of texts of 256 tokens" in text
    assert "one in a million" in text
    assert "% of edits" in text
    monkeypatch.setattr(mark_limits, "RESULTS", tmp_path)
    assert "% of edits" not in mark_limits.words()
