"""The combined verdict: what each piece of evidence is worth, alone and with others, in words and as an exit status."""

import gc
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_provenance_ledger import sql
from test_provenance_perceptual import saved, smooth

from audits.__main__ import main
from audits.provenance import Claim, Key, content, looks, pixel_marks, seal
from audits.provenance.containers import join_png, media_type_of, png_chunks
from audits.provenance.detection import Detection
from audits.provenance.examine import examine
from audits.provenance.ledger import Ledger, LedgerProblem
from audits.provenance.recording import entry_of

KEY, OTHER = Key.of(b"k" * 32), Key.of(b"o" * 32)
CLAIM = Claim("gan-portraits", "cd" * 32, "generate", 42, {"label": "dark"}, {"truncation": 0.7})
TEXT = b"name,seed\n" + b"\n".join(b"item,%d" % i for i in range(20))


def found(p):
    return lambda pixels: Detection("watermark", p, "Tried everything.")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


@pytest.fixture
def sealed(ledger):
    made = seal(saved(smooth(), "PNG"), "image/png", CLAIM, key=KEY)
    others = [seal(saved(smooth(i), "PNG"), "image/png", replace(CLAIM, seed=i), key=KEY) for i in range(1, 6)]
    ledger.append([entry_of(s, thumbnail=True) for s in (made, *others)])
    return made.media


def again(media, format="PNG", change=lambda image: image, **options):
    """The picture opened and saved by somebody else: metadata is gone."""
    with Image.open(io.BytesIO(media)) as image:
        return saved(np.asarray(change(image)), format, **options)


def states(result):
    return {layer.layer: layer.state for layer in result.verdict.layers}


def test_the_very_file(sealed, ledger):
    result = examine(sealed, key=KEY, ledger=ledger)
    assert result.sentence == "Made here by gan-portraits, seed 42; this is the very file that was given out."
    assert (result.verdict.verdict, result.verdict.claim) == ("made here", CLAIM)
    assert states(result) == {"manifest": "valid", "ledger": "this file"}


def test_a_byte_of_padding_in_the_manifest_is_told_by_the_ledger(ledger):
    made = seal(saved(smooth(), "JPEG"), "image/jpeg", CLAIM, key=KEY)
    ledger.append([entry_of(made, thumbnail=True)])
    quiet = 0
    for at in range(150, 3300, 13):  # the place where manifests stand in a JPEG
        changed = bytearray(made.media)
        changed[at] ^= 1
        result = examine(bytes(changed), key=KEY, ledger=ledger)
        assert result.verdict.claim == CLAIM
        assert states(result)["ledger"] == "this content"
        if states(result)["manifest"] == "valid":
            quiet += 1
            assert "some bytes beside the content" in result.sentence
    assert quiet > 10  # C2PA leaves room in its manifests, and nothing but the ledger sees a change there


def test_a_stripped_manifest_same_pixels(sealed, ledger):
    result = examine(again(sealed), key=KEY, ledger=ledger)
    assert result.verdict.verdict == "made here"
    assert result.sentence == (
        "Made here by gan-portraits, seed 42: the content is what was given out; its manifest was removed."
    )
    assert states(result) == {"manifest": "absent", "ledger": "this content"}


@pytest.mark.parametrize(
    ("media", "words"),
    [
        (lambda m: again(m, "JPEG", quality=50), "saved as JPEG"),
        (lambda m: again(m, "WEBP", lambda i: i.resize((208, 144)), quality=90), "resized from 260 x 180 to 208 x 144"),
        (lambda m: again(m, "JPEG", lambda i: i.transpose(Image.Transpose.ROTATE_90)), "turned by 270°"),
        (lambda m: again(m, "PNG", lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), "mirrored"),
        (lambda m: again(m, "PNG", lambda i: i.convert("L")), "its manifest is gone"),
    ],
)
def test_an_edited_copy_looks_like_an_item_and_says_on_what_that_rests(sealed, ledger, media, words):
    media = media(sealed)
    result = examine(media, key=KEY, ledger=ledger)
    assert result.verdict.verdict == "altered"
    assert result.sentence.startswith("Looks like an item made here by gan-portraits, seed 42 (")
    assert words in result.sentence
    assert result.sentence.endswith("nothing in the file itself says so: it may be another picture.")
    assert result.entry.claim == result.verdict.claim == CLAIM
    marked = examine(media, key=KEY, ledger=ledger, detectors=[found(1e-9)])
    assert marked.sentence.startswith("Made here by gan-portraits, seed 42; edited since: ")
    assert examine(media, key=KEY).verdict.verdict == "no evidence"


def test_nothing_found_is_said_with_care(ledger, sealed):
    result = examine(saved(smooth(77), "PNG"), key=KEY, ledger=ledger, detectors=[found(0.4)])
    assert result.sentence == "No mark of this lab found; that does not prove it is real."
    assert result.verdict.verdict == "no evidence"
    assert states(result) == {"manifest": "absent", "watermark": "absent", "ledger": "absent"}
    assert result.verdict.layers[1].p_value == 0.4


def test_a_mark_alone_never_proves_origin(ledger):
    media = saved(smooth(77), "PNG")
    result = examine(media, key=KEY, ledger=ledger, detectors=[found(1e-9)])
    assert result.verdict.verdict == "altered"
    assert "a mark can be copied" in result.sentence


def test_p_values_are_held_to_account_for_every_detector(ledger):
    media = saved(smooth(77), "PNG")
    for many, verdict in ((1, "altered"), (2, "no evidence")):
        tried = [found(0.8e-6), *[found(1.0)] * (many - 1)]
        assert examine(media, key=KEY, ledger=ledger, detectors=tried).verdict.verdict == verdict
    assert examine(media, key=KEY, detectors=[lambda pixels: None]).verdict.verdict == "no evidence"


def test_other_content_under_our_manifest(sealed, ledger):
    store = png_chunks(sealed)[1]
    other = png_chunks(saved(smooth(88), "PNG"))
    result = examine(join_png([other[0], store, *other[1:]]), key=KEY, ledger=ledger)
    assert result.verdict.verdict == "altered"
    assert result.sentence.startswith("Says that gan-portraits, seed 42 made it here, and that was signed for other")
    near = png_chunks(saved((smooth() * 0.9).astype(np.uint8), "PNG"))
    result = examine(join_png([near[0], store, *near[1:]]), key=KEY, ledger=ledger)
    assert result.sentence.startswith("Made here by gan-portraits, seed 42; edited since")


def test_a_strangers_manifest_is_never_made_here(sealed, ledger):
    stranger = seal(saved(smooth(77), "PNG"), "image/png", CLAIM, key=OTHER).media
    result = examine(stranger, key=KEY, ledger=ledger)
    assert result.verdict.verdict == "no evidence"
    assert result.sentence.startswith("No mark of this lab found: the C2PA manifest is signed by")
    copied = seal(again(sealed, "JPEG"), "image/jpeg", CLAIM, key=OTHER).media
    result = examine(copied, key=KEY, ledger=ledger)
    assert result.verdict.verdict == "altered"
    assert result.sentence.endswith("its manifest is unknown key: it may be another picture.")


def test_text_is_known_by_its_content(ledger):
    made = seal(TEXT, "text/csv", CLAIM, key=KEY)
    short = seal(b"yes", "text/plain", CLAIM, key=KEY)
    ledger.append([entry_of(made, thumbnail=False), entry_of(short, thumbnail=False)])
    assert examine(TEXT, key=KEY, sidecar=made.sidecar, ledger=ledger).verdict.verdict == "made here"
    assert examine(TEXT, key=KEY, ledger=ledger).sentence.startswith("Made here by gan-portraits, seed 42: the ledger")
    assert examine(TEXT + b"\n", key=KEY, ledger=ledger).verdict.verdict == "no evidence"
    assert examine(TEXT, key=KEY).verdict.verdict == "no evidence"


def test_a_text_that_anybody_might_write_is_no_evidence_without_its_claim(ledger):
    made = seal(b"yes", "text/plain", CLAIM, key=KEY)
    ledger.append([entry_of(made, thumbnail=False)])
    assert examine(b"yes", key=KEY, ledger=ledger).verdict.verdict == "no evidence"
    assert examine(b"yes", key=KEY, sidecar=made.sidecar, ledger=ledger).verdict.verdict == "made here"


def test_a_plain_picture_is_known_by_nothing_but_its_file(ledger):
    flat = saved(np.full((40, 40), 90, np.uint8), "PNG")
    made = seal(flat, "image/png", CLAIM, key=KEY)
    ledger.append([entry_of(made, thumbnail=True)])
    assert examine(made.media, key=OTHER, ledger=ledger).verdict.verdict == "made here"
    result = examine(flat, key=KEY, ledger=ledger)
    assert (result.verdict.verdict, states(result)["ledger"]) == ("no evidence", "plain")


def test_without_a_thumbnail_a_close_hash_proves_nothing(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'other.sqlite'}")
    ledger.append([entry_of(seal(saved(smooth(), "PNG"), "image/png", CLAIM, key=KEY), thumbnail=False)])
    assert examine(saved(smooth(), "JPEG", quality=90), key=KEY, ledger=ledger).verdict.verdict == "no evidence"
    assert examine(saved(smooth(1), "JPEG", quality=90), key=KEY, ledger=ledger).verdict.verdict == "no evidence"


def test_a_ledger_that_fails_is_told_and_the_rest_still_counts(sealed, ledger):
    for unusable in (LedgerProblem("The ledger is away."), ledger):
        if unusable is ledger:
            sql(ledger, "UPDATE entries SET made = 'never'")
        result = examine(sealed, key=KEY, ledger=unusable)
        assert result.verdict.verdict == "made here"
        assert states(result)["ledger"] == "unusable"
        assert result.verdict.layers[-1].detail.endswith(".")


HOSTILE = {
    "empty": b"",
    "NUL": b"a\0b" * 100,
    "a PNG that says GIF": b"GIF89a" + saved(smooth(), "PNG")[6:],
    "a zip at the end of a PNG": saved(smooth(), "PNG") + b"PK\x03\x04" + bytes(200),
    "HTML in a JPEG's tail": saved(smooth(), "JPEG") + b"<script>alert(1)</script>",
    "a JPEG cut short": saved(smooth(), "JPEG")[:-800],
    "a WebP that lies about its size": saved(smooth(), "WEBP")[:4] + b"\xff\xff\xff\x7f" + saved(smooth(), "WEBP")[8:],
    "a GIF of 65,000 a side": saved(smooth(), "GIF")[:6] + b"\xe8\xfd\xe8\xfd" + saved(smooth(), "GIF")[10:],
    "1 pixel": saved(np.zeros((1, 1), np.uint8), "PNG"),
    "1 x 5000": saved(np.zeros((1, 5000), np.uint8), "PNG"),
    "pickle": b"\x80\x04\x95" + bytes(60),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_one_sentence(name, ledger):
    result = examine(HOSTILE[name], key=KEY, ledger=ledger, detectors=[found(1.0)])
    assert result.verdict.verdict in ("no evidence", "unreadable")
    assert result.sentence.count("\n") == 0
    assert result.sentence.endswith(".")
    assert all("\n" not in layer.detail for layer in result.verdict.layers)
    json.loads(result.verdict.to_json())


def test_a_hundred_megapixels_cost_no_memory(ledger):
    import tracemalloc

    huge = {f: io.BytesIO() for f in ("PNG", "JPEG")}
    for format, out in huge.items():
        Image.new("L", (10_001, 10_000)).save(out, format)
    tracemalloc.start()
    for out in huge.values():
        result = examine(out.getvalue(), key=KEY, ledger=ledger)
        assert result.verdict.verdict == "unreadable"
        assert "10,001 x 10,000 pixels; the limit is 64,000,000" in result.sentence
    assert tracemalloc.get_traced_memory()[1] < 30_000_000
    tracemalloc.stop()


def test_a_claim_with_strange_text_stays_on_its_line(ledger):
    strange = replace(CLAIM, model="gan\n\x1b[31m<script>\u202e" + "x" * 300)
    media = seal(saved(smooth(), "PNG"), "image/png", strange, key=KEY).media
    sentence = examine(media, key=KEY, ledger=ledger).sentence
    assert sentence.isprintable()
    assert len(sentence) < 200


def test_every_medium_has_a_look_or_none():
    for media_type in (*content.CARRIERS, *content.SIDECARS):
        assert (media_type in looks.PICTURES) == (media_type.startswith("image/"))
    assert media_type_of(TEXT) is None


def test_the_command_tells_the_sentence_first(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("GENLAB_KEY_FOLDER", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.png").write_bytes(saved(smooth(), "PNG"))
    (tmp_path / "claim.json").write_text(CLAIM.to_json())
    assert main(["verify", "plain.png"]) == 1
    assert not (tmp_path / "ledger").exists()  # looking begins no ledger
    assert main(["seal", "plain.png", "--claim", "claim.json", "--out", "sealed.png"]) == 0
    capsys.readouterr()
    assert main(["verify", "sealed.png"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Made here by gan-portraits, seed 42; this is the very file that was given out."
    assert "development key" in printed[2]
    assert main(["verify", "plain.png", "--json"]) == 0  # the same pixels
    body = json.loads(capsys.readouterr().out)
    assert list(body) == ["verdict", "claim", "layers"]
    assert [layer["layer"] for layer in body["layers"]] == ["manifest", "pixel mark", "ledger"]
    (tmp_path / "copy.jpg").write_bytes(saved(smooth(), "JPEG", quality=90))
    assert main(["verify", "copy.jpg"]) == 1  # its pixels carry no mark, and no picture of it is kept
    assert "No mark of this lab found" in capsys.readouterr().out
    assert main(["certificate"]) == 0
    assert capsys.readouterr().out.count("BEGIN CERTIFICATE") == 2
    assert main(["certificate", "--key-folder", "elsewhere"]) == 1
    (tmp_path / "ledger" / "ledger.sqlite").write_bytes(b"nonsense" * 999)
    for rest in ("-wal", "-shm"):
        (tmp_path / "ledger" / f"ledger.sqlite{rest}").unlink(missing_ok=True)
    assert main(["verify", "sealed.png"]) == 0
    assert "is damaged" in capsys.readouterr().out
    gc.collect()  # a connection that a command had left open would write its pages back now
    assert main(["seal", "plain.png", "--claim", "claim.json", "--out", "again.png"]) == 2
    assert not (tmp_path / "again.png").exists()


def test_what_a_former_key_signed_is_still_ours(sealed):
    new = Key.of(b"n" * 32)
    assert examine(sealed, key=new).verdict.verdict == "no evidence"
    assert examine(sealed, key=new, old=[OTHER]).verdict.verdict == "no evidence"
    result = examine(sealed, key=new, old=[OTHER, KEY])
    assert (result.verdict.verdict, result.verdict.claim, states(result)["manifest"]) == ("made here", CLAIM, "valid")
    assert "an older one of ours" in result.verdict.layers[0].detail
    changed = bytearray(seal(saved(smooth(), "JPEG"), "image/jpeg", CLAIM, key=KEY).media)
    changed[-40] ^= 1
    assert examine(bytes(changed), key=new, old=[OTHER, KEY]).verdict.verdict == "altered"


def test_a_mark_of_a_former_key_is_still_read(ledger):
    pixels = np.asarray(Image.open(io.BytesIO(saved(smooth(), "PNG"))).convert("RGB"))
    marked = pixel_marks.marked(pixels, KEY, CLAIM)
    made = seal(saved(marked, "PNG"), "image/png", CLAIM, key=KEY)
    ledger.append([entry_of(made, thumbnail=True, payload=pixel_marks.payload_of(CLAIM))])
    new, bare = Key.of(b"n" * 32), saved(marked[:, ::-1], "PNG")
    for keys, state in (([new], "absent"), ([new, OTHER, KEY], "found")):
        result = examine(bare, key=new, ledger=ledger, detectors=[pixel_marks.detector(keys, learned=False)])
        assert states(result)["pixel mark"] == state
    assert result.verdict.claim == CLAIM
    assert states(result)["ledger"] == "named"
