"""The mark in the pixels and the ledger together: what it names, how the picture lies, and what it does not prove."""

import dataclasses
import io

import numpy as np
import pytest
import sqlalchemy
from PIL import Image
from test_provenance_perceptual import saved

from audits.__main__ import main
from audits.provenance import Claim, Key, pixel_marks, seal
from audits.provenance.examine import examine
from audits.provenance.ledger import Ledger
from audits.provenance.placing import placed
from audits.provenance.recording import entry_of
from audits.watermark import attacks
from audits.watermark.image import View

KEY, OTHER = Key.of(b"k" * 32), Key.of(b"o" * 32)
CLAIM = Claim("gan-portraits", "cd" * 32, "generate", 42, {"label": "dark"}, {"truncation": 0.7})
DETECTORS = [pixel_marks.detector([KEY], learned=False)]


def drawing(seed: int) -> np.ndarray:
    """A picture (256, 256, 3) of soft blobs with edges, as drawings have."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256] / 256
    pixels = np.full((256, 256, 3), rng.uniform(60, 200, 3))
    for _ in range(14):
        cx, cy, rx, ry = *rng.uniform(0.1, 0.9, 2), *rng.uniform(0.05, 0.25, 2)
        pixels[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1] = rng.uniform(20, 235, 3)
    return (pixels + rng.normal(0, 2, pixels.shape)).clip(0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    known = Ledger(f"sqlite:///{tmp_path_factory.mktemp('marks') / 'ledger.sqlite'}")
    for i in range(4):
        claim = dataclasses.replace(CLAIM, seed=42 + i)
        made = seal(saved(marked(i, claim), "PNG"), "image/png", claim, key=KEY)
        known.append([entry_of(made, thumbnail=True, payload=pixel_marks.payload_of(claim))])
    return known


def marked(i: int, claim: Claim = CLAIM) -> np.ndarray:
    return pixel_marks.marked(drawing(i), KEY, claim)


def verdict(pixels, ledger, format="PNG", key=KEY, **options):
    return examine(saved(pixels, format, **options), key=key, ledger=ledger, detectors=DETECTORS)


EDITS = [
    (lambda p: attacks.crop(p, 0.75), "cut to about 5"),
    (lambda p: attacks.turn(p, 12), "turned by 348°"),
    (lambda p: attacks.scale(p, 0.6), "resized to about 60%"),
    (lambda p: np.rot90(p[:, ::-1]).copy(), "mirrored, turned by 270°"),
    (lambda p: p[::-1].copy(), "since: upside down,"),
    (lambda p: attacks.enhance(p, "Contrast", 0.5), "its manifest is gone"),
]


@pytest.mark.parametrize(("edit", "told"), EDITS)
def test_an_edited_picture_is_known_by_its_mark_and_says_what_was_done(ledger, edit, told):
    for format, options in (("PNG", {}), ("JPEG", {"quality": 80})):
        result = verdict(edit(marked(0)), ledger, format, **options)
        assert result.sentence.startswith("Made here by gan-portraits, seed 42; edited since: ")
        assert result.verdict.verdict == "altered"
        assert result.verdict.claim == CLAIM
        assert told in result.sentence
        assert {layer.layer: layer.state for layer in result.verdict.layers}["ledger"] == "named"


def test_a_mark_copied_onto_another_picture_does_not_make_it_ours(ledger):
    difference = marked(0).astype(int) - drawing(0)
    forged = (drawing(77) + 1.5 * difference).clip(0, 255).round().astype(np.uint8)
    result = verdict(forged, ledger)
    assert result.sentence == (
        "Carries the mark of an item made here by gan-portraits, seed 42, and shows something else: "
        "a mark can be copied."
    )
    assert result.verdict.verdict == "altered"


def test_a_mark_that_names_nothing_in_the_ledger(ledger):
    strange = pixel_marks.marked(drawing(9), KEY, dataclasses.replace(CLAIM, seed=999))
    result = verdict(strange, ledger)
    assert result.sentence.startswith("Carries this lab's watermark, and nothing else here vouches for it")


def test_neither_unmarked_pictures_nor_marks_of_other_keys_are_ours(ledger):
    for pixels in (drawing(50), pixel_marks.marked(drawing(51), OTHER, CLAIM)):
        result = verdict(pixels, ledger)
        assert (result.verdict.verdict, result.verdict.claim) == ("no evidence", None)


def test_without_a_picture_kept_the_mark_says_so(tmp_path):
    known = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    made = seal(saved(marked(0), "PNG"), "image/png", CLAIM, key=KEY)
    known.append([entry_of(made, thumbnail=False, payload=pixel_marks.payload_of(CLAIM))])
    result = verdict(attacks.crop(marked(0), 0.7), known)
    assert "and no picture of it is kept: a mark can be copied." in result.sentence


@pytest.mark.parametrize("degrees", [0.0, 30.0, 137.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_pose_that_is_known_is_undone(degrees, mirrored):
    """The place of a cut-out under an affine map that is known: all of it lies on the whole, and looks the same."""
    whole = drawing(3)[64:192, 64:192]
    image = Image.fromarray(whole[:, ::-1] if mirrored else whole).resize((192, 192), Image.Resampling.BICUBIC)
    seen = np.asarray(image.rotate(-degrees, Image.Resampling.BICUBIC))[40:152, 40:152]
    small = np.asarray(Image.fromarray(whole).resize((96, 96), Image.Resampling.BILINEAR))
    laid = placed(seen, View(degrees, 1.5, mirrored), small, (128, 128))
    assert laid.likeness > 0.97
    assert laid.share == pytest.approx((112 / 192) ** 2, abs=0.06)
    assert placed(seen, View(degrees + 50, 1.5, mirrored), small, (128, 128)).likeness < 0.9


def test_a_ledger_from_before_marks_is_opened_and_keeps_its_chain(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    made = seal(saved(drawing(5), "PNG"), "image/png", CLAIM, key=KEY)
    Ledger(url).append([entry_of(made, thumbnail=True)])
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_entries_payload")
        connection.exec_driver_sql("ALTER TABLE entries DROP COLUMN payload")
    engine.dispose()
    known = Ledger(url)
    assert known.check().broken is None
    again = seal(saved(marked(6), "PNG"), "image/png", CLAIM, key=KEY)
    known.append([entry_of(again, thumbnail=True, payload=7)])
    assert [entry.id for entry in known.by_payload(7)] == [2]
    assert known.check().broken is None


def test_a_changed_payload_breaks_the_chain(ledger, tmp_path):
    known = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    made = seal(saved(marked(0), "PNG"), "image/png", CLAIM, key=KEY)
    known.append([entry_of(made, thumbnail=True, payload=pixel_marks.payload_of(CLAIM))])
    with known.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE entries SET payload = 1")
    assert known.check().broken == 1


def test_the_command_marks_pixels_where_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("GENLAB_KEY_FOLDER", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claim.json").write_text(CLAIM.to_json())
    (tmp_path / "plain.png").write_bytes(saved(drawing(1), "PNG"))
    (tmp_path / "plain.jpg").write_bytes(saved(drawing(1), "JPEG"))
    assert main(["seal", "plain.png", "--claim", "claim.json", "--out", "sealed.png", "--mark"]) == 0
    with Image.open("sealed.png") as image:
        image.rotate(90).save(tmp_path / "turned.jpg", quality=70)
    capsys.readouterr()
    assert main(["verify", "turned.jpg"]) == 4
    assert "Made here by gan-portraits, seed 42; edited since: turned by 270°" in capsys.readouterr().out
    assert main(["seal", "plain.jpg", "--claim", "claim.json", "--out", "sealed.jpg", "--mark"]) == 2
    assert "save it as PNG first" in capsys.readouterr().err


def test_grey_pictures_stay_grey():
    grey = drawing(2).mean(2).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixel_marks.marked(grey, KEY, CLAIM)).save(file, "PNG")
    assert Image.open(file).mode == "L"


def test_without_a_picture_kept_the_look_of_the_whole_is_compared(tmp_path):
    known = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    made = seal(saved(marked(0), "PNG"), "image/png", CLAIM, key=KEY)
    known.append([entry_of(made, thumbnail=False, payload=pixel_marks.payload_of(CLAIM))])
    result = verdict(marked(0)[:, ::-1], known, "JPEG", quality=80)
    assert result.sentence == (
        "Made here by gan-portraits, seed 42; edited since: mirrored, saved as JPEG, its manifest is gone."
    )


def test_a_video_made_anew_is_still_known_by_its_first_frame(tmp_path):
    import subprocess

    import imageio_ffmpeg

    from genlab.studio.pictures import mp4

    known = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    frames = np.stack([marked(0).transpose(2, 0, 1)] * 3)
    made = seal(mp4(frames, 12), "video/mp4", CLAIM, key=KEY)
    known.append([entry_of(made, thumbnail=False, payload=pixel_marks.payload_of(CLAIM))])
    (tmp_path / "given.mp4").write_bytes(made.media)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(tmp_path / "given.mp4"), "-map_metadata", "-1"]
    subprocess.run([*command, "-c:v", "libx264", "-crf", "20", str(tmp_path / "again.mp4")], check=True)
    again = (tmp_path / "again.mp4").read_bytes()
    result = examine(again, key=KEY, ledger=known, detectors=DETECTORS)
    assert result.sentence.startswith("Made here by gan-portraits, seed 42; edited since")
    broken = examine(again[:200] + bytes(len(again) - 200), key=KEY, ledger=known, detectors=DETECTORS)
    assert broken.verdict.verdict in ("unreadable", "no evidence")
