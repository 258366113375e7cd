"""Verifying in the studio, and that everything it seals is in the ledger, whatever happens to the ledger."""

import io
import logging

import numpy as np
import pytest
from PIL import Image
from small_models import picture

from audits.provenance import Claim, Key, seal
from audits.provenance.ledger import Ledger, LedgerProblem
from genlab.studio import ledger, marking
from genlab.studio.decode import decode
from genlab.studio.encode import encode
from genlab.studio.generate import generate
from genlab.studio.regenerate import make_again
from genlab.studio.verify import verify
from genlab.studio.walk import walk


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A ledger of this test's own, and nothing sealed yet."""
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setattr(marking, "_remembered", type(marking._remembered)())
    monkeypatch.setattr(marking, "_size", 0)
    monkeypatch.setattr(ledger, "_waiting", [])
    monkeypatch.setattr(ledger, "_open", {})


def resaved(media, format, **options):
    out = io.BytesIO()
    with Image.open(io.BytesIO(media)) as image:
        image.convert("RGB").save(out, format, **options)
    return out.getvalue()


def test_everything_that_leaves_is_in_the_ledger():
    made = generate("gan-small", count=5)
    start, end = (encode("vae-small", kind="seed", number=i, label="0") for i in (1, 2))
    walked = walk("vae-small", start, end, frames=4)
    decoded = decode("vae-small", list(start.code), origin=start.origin)
    written = ledger.ledger()
    for sealed in (*made.pictures, made.sheet, walked.strip, walked.gif, walked.mp4, decoded):
        result = verify(sealed.media)
        assert (result.verdict, result.claim) == ("made here", sealed.claim)
        assert result.sentence.endswith("this is the very file that was given out.")
    assert written.check().entries == 5 + 1 + 3 + 1
    generate("gan-small", count=5)
    assert written.check().entries == 10  # the same items are the same files


def test_no_picture_of_what_an_upload_had_a_part_in_is_kept():
    start = encode("vae-small", kind="upload", upload=picture())
    from_upload = decode("vae-small", list(start.code), origin=start.origin)
    of_our_own = generate("gan-small", count=1).pictures[0]
    rows = [ledger.ledger().by_content(sealed.content)[0] for sealed in (from_upload, of_our_own)]
    assert rows[0].thumbnail is None
    assert Image.open(io.BytesIO(rows[1].thumbnail)).size == (96, 96)


def test_an_edited_copy_is_told_and_can_be_made_again():
    made = generate("gan-small", seed=7, count=2).pictures[1]
    result = verify(resaved(made.media, "JPEG", quality=60))
    assert result.verdict == "altered"
    assert result.sentence.startswith("Made here by gan-small, seed 8; edited since: saved as JPEG")
    assert result.claim == made.claim
    assert "saved as JPEG" in result.changes
    assert result.obstacle == ""
    assert make_again(result.claim).content == made.content
    assert [layer.layer for layer in result.layers] == ["manifest", "pixel mark", "ledger"]


def test_what_cannot_be_made_again_says_why():
    stranger = verify(picture())
    assert (stranger.verdict, stranger.claim) == ("no evidence", None)
    assert stranger.obstacle == "There is no claim to make it again from."
    foreign = seal(picture(), "image/png", Claim("gan-elsewhere", "w", "generate", 1), key=marking.key()).media
    assert "not on this shelf" in verify(foreign).obstacle
    with pytest.raises(ValueError, match="not on this shelf"):
        make_again(verify(foreign).claim)
    card = seal(picture(), "image/png", Claim("gan-small", "w", "card", 1), key=marking.key()).media
    assert "cannot be repeated here" in verify(card).obstacle


def test_another_installation_is_not_this_one():
    media = seal(picture(), "image/png", Claim("gan-small", "w", "generate", 1), key=Key.of(b"x" * 32)).media
    assert verify(media).verdict == "no evidence"


@pytest.mark.parametrize(("media", "words"), [(b"", "No file"), (None, "No file"), (bytes(17 * 2**20), "16 MiB")])
def test_bad_input_is_one_sentence(media, words):
    with pytest.raises(ValueError, match=words):
        verify(media)


def test_a_ledger_that_cannot_be_opened_stops_neither_making_nor_verifying(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "file" / "no"))
    with caplog.at_level(logging.WARNING):
        made = generate("gan-small", count=2)
    assert "3 entries wait to be written" in caplog.text
    assert "cannot be made" in ledger.problem()
    result = verify(made.pictures[0].media)
    assert result.verdict == "made here"
    assert result.layers[-1].state == "unusable"
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "mended"))
    generate("gan-small", seed=50, count=1)
    assert ledger.problem() == ""
    assert ledger.ledger().check().entries == 5  # what waited came first
    assert verify(made.pictures[0].media).layers[-1].state == "this file"


def test_past_a_thousand_nothing_leaves_unwritten(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "file" / "no"))
    monkeypatch.setattr(ledger, "MOST", 3)
    generate("gan-small", count=4)
    with pytest.raises(LedgerProblem, match="5 items could not be written down, so no more are made") as problem:
        generate("gan-small", seed=100, count=1)
    assert "set GENLAB_LEDGER" in str(problem.value)
    assert "\n" not in str(problem.value)
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "mended"))
    generate("gan-small", seed=100, count=1)
    assert ledger.ledger().check().entries == 7


def test_what_was_never_written_is_in_the_log(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "file" / "no"))
    made = generate("gan-small", count=1)
    ledger._last_try()
    assert caplog.text.count("never written to the ledger") == 2
    assert made.pictures[0].claim.to_json() in caplog.text


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(marking, "KEPT", 20_000)
    generate("gan-small", count=16)
    assert 0 < marking._size == sum(len(s.media) for s in marking._remembered.values()) <= 20_000


def test_the_certificate_is_public():
    assert marking.certificate().count(b"BEGIN CERTIFICATE") == 2
    assert b"PRIVATE" not in marking.certificate()


def test_a_replica_sees_what_another_wrote():
    made = generate("gan-small", count=3).pictures
    elsewhere = Ledger(ledger.ledger().url)
    elsewhere_made = marking.mark(picture(), "image/png", Claim("m", "w", "generate", 1))
    assert elsewhere.by_content(elsewhere_made.content)
    pixels = np.asarray(Image.open(io.BytesIO(made[0].media)))
    assert pixels.shape == (224, 224)
