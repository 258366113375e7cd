"""A mark in the tokens of a text, as a layer of the combined verdict: what it says alone and beside other evidence."""

import re

import numpy as np
import pytest
from test_provenance_perceptual import saved, smooth

from audits.provenance import Claim, Key, seal, text_marks
from audits.provenance.detection import Detection
from audits.provenance.examine import MAX_TEXT, examine
from audits.provenance.ledger import Ledger
from audits.provenance.recording import entry_of

KEY, OLD, OTHER = (Key.of(letter * 32) for letter in (b"k", b"p", b"o"))
CLAIM = Claim("gpt-names", "cd" * 32, "generate", 42, {}, {})
WORDS = 500


def encode(text):
    """A tokeniser of the test: w7 is token 7, everything else is skipped."""
    return [int(number) % WORDS for number in re.findall(r"\bw(\d+)", text)]


def written(key, count=120, seed=0):
    """A text of `count` words, all equally likely, marked under the key."""
    rng, tokens, mark = np.random.default_rng(seed), [], text_marks.tournament(key, WORDS)
    for _ in range(count):
        p = mark.adjust(tokens, np.full(WORDS, 1 / WORDS))
        tokens.append(int(rng.choice(WORDS, p=p)))
    return " ".join(f"w{token}" for token in tokens).encode()


def unmarked(count=120, seed=1):
    return " ".join(f"w{token}" for token in np.random.default_rng(seed).integers(0, WORDS, count)).encode()


READERS = [text_marks.reader([KEY, OLD], WORDS, encode)]


def verdict(media, **given):
    return examine(media, **{"key": KEY, "readers": READERS, **given})


def layer(result, name="watermark"):
    return next((found for found in result.verdict.layers if found.layer == name), None)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


@pytest.mark.parametrize("key", [KEY, OLD])
def test_a_mark_alone_is_told_and_proves_no_origin(key, ledger):
    result = verdict(b"Somebody pasted this:\r\n" + written(key), ledger=ledger)
    assert result.verdict.verdict == "altered"
    assert result.verdict.claim is None
    assert result.sentence == (
        "Carries this lab's watermark, and nothing else here vouches for it: a mark can be copied."
    )
    assert layer(result).state == "found"
    assert layer(result).p_value < 1e-9
    assert [found.layer for found in result.verdict.layers] == ["manifest", "watermark", "ledger"]


@pytest.mark.parametrize("media", [unmarked(), written(OTHER)])
def test_no_mark_of_a_key_here(media):
    result = verdict(media)
    assert result.verdict.verdict == "no evidence"
    assert result.sentence == "No mark of this lab found; that does not prove it is real."
    assert layer(result).state == "absent"
    assert layer(result).p_value > 1e-4
    assert layer(result).detail.startswith("No mark of a key here")


def test_a_text_that_is_too_short_says_so():
    result = verdict(unmarked(20))
    assert layer(result).state == "absent"
    assert layer(result).detail.startswith("Too short to tell: 16 different contexts")
    assert result.verdict.verdict == "no evidence"


def test_ledger_and_sidecar_keep_their_verdicts(ledger):
    text = written(KEY)
    made = seal(text, "text/plain", CLAIM, key=KEY)
    for given in ({"sidecar": made.sidecar}, {"sidecar": made.sidecar, "ledger": ledger}):
        result = verdict(text, **given)
        assert result.sentence == "Made here by gpt-names, seed 42; its signature fits the content."
        assert layer(result).state == "found"
    changed = verdict(text + b" w1", sidecar=made.sidecar)
    assert changed.sentence.startswith("Says that gpt-names, seed 42 made it here, and that was signed for other")
    ledger.append([entry_of(made, thumbnail=False)])
    result = verdict(text, ledger=ledger)
    assert result.sentence == "Made here by gpt-names, seed 42: the ledger holds this very file."
    assert result.verdict.claim == CLAIM
    assert verdict(text + b"\n", ledger=ledger).sentence.startswith("Carries this lab's watermark")


def test_pictures_and_other_bytes_are_not_read():
    def never(text):
        raise AssertionError("This is no text.")

    for media in (saved(smooth(), "PNG"), b"\xff\xfe\x00text", b"a\0b", b"caf\xe9", b"", None, b"GIF89a"):
        assert layer(examine(media, key=KEY, readers=[never])) is None
    with_picture = examine(
        saved(smooth(), "PNG"), key=KEY, detectors=[lambda _: Detection("watermark", 0.9e-6, "")], readers=READERS
    )
    assert layer(with_picture).state == "found"  # and it does not pay for readers of texts


def test_readers_see_the_first_mebibyte_whole_letters_only_and_no_byte_order_mark():
    seen = []
    for media in ("é".encode() * MAX_TEXT, b"x" + "é".encode() * MAX_TEXT, b"\xef\xbb\xbfcaf\xc3\xa9"):
        examine(media, readers=[seen.append])
    assert [len(text) for text in seen] == [MAX_TEXT // 2, MAX_TEXT // 2, 4]
    assert seen[2] == "café"


def test_every_reader_is_paid_for():
    for many, word in ((1, "altered"), (2, "no evidence")):
        readers = [lambda text: Detection("watermark", 0.8e-6, "Tried."), *[lambda text: None] * (many - 1)]
        assert examine(b"some text", key=KEY, readers=readers).verdict.verdict == word
