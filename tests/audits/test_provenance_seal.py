"""Seals: they hold on untouched media, break on any change, prove nothing without the key.

Everything is tried with C2PA manifests and with our own JSON, which stands in where C2PA does not take a file.
"""

import io
import itertools
import json
import random
import struct
import subprocess
import wave
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageSequence, PngImagePlugin

from audits.provenance import Claim, Key, MediaError, content_digest, looks, manifests, read_claim, seal, verify
from audits.provenance.containers import PNG, insert_png, join_png, png_chunks, split_gif, split_png
from audits.provenance.content import CARRIERS, SIDECARS

KEY, OTHER = Key.of(b"k" * 32), Key.of(b"o" * 32)
CLAIM = Claim("gan-fashion", "cd" * 32, "generate", 3, {"label": "Bag"}, {"truncation": 0.7})


def picture(mode="RGB", size=(9, 7)):
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


def saved(format, mode="RGB", **options):
    out = io.BytesIO()
    picture(mode).save(out, format, **options)
    return out.getvalue()


def wav():
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(np.random.default_rng(0).integers(-999, 999, 101, dtype=np.int16).tobytes())
    return out.getvalue()


def mp4():
    """Boxes that look like a video to us and to nobody else: C2PA does not take it."""

    def box(kind, data):
        return struct.pack(">I4s", 8 + len(data), kind) + data

    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"moov", bytes(40)) + box(b"mdat", bytes(range(200)))


def animation(format):
    frames = [picture(size=(8, 8)).rotate(90 * i) for i in range(3)]
    out = io.BytesIO()
    frames[0].save(out, format, save_all=True, append_images=frames[1:], duration=80, loop=0)
    return out.getvalue()


SAMPLES = {
    "png-rgb": ("image/png", saved("PNG")),
    "png-grey": ("image/png", saved("PNG", "L")),
    "png-palette": ("image/png", saved("PNG", "P")),
    "png-bits": ("image/png", saved("PNG", "1")),
    "png-alpha": ("image/png", saved("PNG", "RGBA")),
    "png-animated": ("image/png", animation("PNG")),
    "gif": ("image/gif", saved("GIF", "P")),
    "gif-animated": ("image/gif", animation("GIF")),
    "jpeg": ("image/jpeg", saved("JPEG")),
    "jpeg-progressive": ("image/jpeg", saved("JPEG", progressive=True, comment=b"hello")),
    "webp": ("image/webp", saved("WEBP")),
    "webp-lossless": ("image/webp", saved("WEBP", "RGBA", lossless=True)),
    "webp-animated": ("image/webp", animation("WEBP")),
    "mp4": ("video/mp4", mp4()),
    "wav": ("audio/wav", wav()),
    "json": ("application/json", b'{"a": 1}'),
    "csv": ("text/csv", b"a,b\n1,2\n"),
    "text": ("text/plain", "Größe\n".encode()),
}


@pytest.fixture(params=SAMPLES)
def sample(request):
    return SAMPLES[request.param]


@pytest.fixture(params=["c2pa", "our own"])
def scheme(request, monkeypatch):
    if request.param != "c2pa":
        monkeypatch.setattr(manifests, "available", lambda: False)
    return request.param


@pytest.fixture
def our_own(monkeypatch):
    monkeypatch.setattr(manifests, "available", lambda: False)


def test_a_sealed_item_is_made_here(sample, scheme):
    media_type, media = sample
    sealed = seal(media, media_type, CLAIM, key=KEY)
    verdict = verify(sealed.media, key=KEY, sidecar=sealed.sidecar)
    assert (verdict.verdict, verdict.claim) == ("made here", CLAIM)
    assert read_claim(sealed.media, sidecar=sealed.sidecar) == CLAIM
    assert (sealed.sidecar is None) == (media_type in CARRIERS)
    if media_type in CARRIERS and media_type != "video/mp4":
        assert ("C2PA" in verdict.layers[0].detail) == (scheme == "c2pa")
    assert content_digest(sealed.media) == content_digest(media)
    assert verify(media, key=KEY).verdict == "no evidence"
    assert read_claim(media) is None


PNGS = {
    "colours": ("RGB", {}), "grey": ("L", {}), "palette": ("P", {}), "alpha": ("RGBA", {}), "two levels": ("1", {}),
    "16 bits": ("I;16", {}), "one clear colour": ("RGB", {"transparency": (1, 2, 3)}), "a text": ("RGB", {"text": 1}),
}  # fmt: skip


@pytest.mark.parametrize("kind", PNGS)
def test_pixels_decoded_before_give_the_same_digest(kind):
    mode, how = PNGS[kind]
    made = Image.fromarray(np.random.default_rng(0).integers(0, 256, (31, 45, 3), dtype=np.uint8))
    made, info = made.convert("L" if mode == "I;16" else mode), PngImagePlugin.PngInfo()
    info.add_text("transparency", "none")
    how = {"pnginfo": info} if "text" in how else how
    file = io.BytesIO()
    (made.convert("I;16") if mode == "I;16" else made).save(file, "PNG", **how)
    digest = content_digest(file.getvalue())
    if kind == "a text":  # what Pillow makes of such a word is not what the file shows
        assert content_digest(file.getvalue(), np.zeros((31, 45, 3), np.uint8)) == digest
        return
    pixels = looks.decoded(file.getvalue(), "image/png")
    assert content_digest(file.getvalue(), pixels) == digest
    bare = kind in ("colours", "grey")
    assert (content_digest(file.getvalue(), 255 - pixels) == digest) != bare  # pixels count where nothing else does


def test_the_pixels_do_not_change(sample, scheme):
    media_type, media = sample
    sealed = seal(media, media_type, CLAIM, key=KEY).media
    if not media_type.startswith("image/"):
        assert media in sealed or sealed == media or content_digest(sealed) == content_digest(media)
        return
    with Image.open(io.BytesIO(media)) as before, Image.open(io.BytesIO(sealed)) as after:
        pairs = itertools.zip_longest(ImageSequence.Iterator(before), ImageSequence.Iterator(after))
        for one, two in pairs:
            assert one.mode == two.mode
            assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("flip", [1, 128, 255])
def test_any_flipped_byte_is_seen(sample, flip, our_own):
    media_type, media = sample
    sealed = seal(media, media_type, CLAIM, key=KEY)
    start = sealed.media.find(b"genlab.claim")
    end = sealed.media.find(b"}", sealed.media.find(b'"signature"')) + 1 if start >= 0 else start
    for at in range(len(sealed.media)):
        changed = bytearray(sealed.media)
        changed[at] ^= flip
        verdict = verify(bytes(changed), key=KEY, sidecar=sealed.sidecar)
        inside = start <= at < end and media_type != "image/png"  # whose checksums guard the manifest too
        # A claim that no longer names our key proves nothing: that is the worst that a flip in it may do.
        assert verdict.verdict in ("altered", "unreadable") or (inside and verdict.verdict == "no evidence"), at
        assert verdict.claim in (None, CLAIM)


def test_the_wrong_key_no_key_and_no_signature_prove_nothing(sample, scheme):
    media_type, media = sample
    signed, unsigned = seal(media, media_type, CLAIM, key=KEY), seal(media, media_type, CLAIM)
    cases = ((signed, OTHER, "unknown key"), (signed, None, "unknown key"), (unsigned, KEY, "unsigned"))
    for sealed, key, state in cases:
        verdict = verify(sealed.media, key=key, sidecar=sealed.sidecar)
        assert verdict.verdict == "no evidence"
        assert verdict.layers[0].state == state
        assert verdict.claim == CLAIM  # shown all the same


def test_a_forger_who_names_our_key_is_caught(sample, scheme):
    media_type, media = sample
    sealed = seal(media, media_type, CLAIM, key=Key(KEY.id, OTHER.secret))
    assert verify(sealed.media, key=KEY, sidecar=sealed.sidecar).verdict == "altered"


def test_other_pixels_under_a_genuine_manifest_are_altered(our_own):
    sealed = seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media
    stolen = png_chunks(sealed)[1]
    other = png_chunks(saved("PNG", "L"))
    verdict = verify(join_png([other[0], stolen, *other[1:]]), key=KEY)
    assert verdict.verdict == "altered"
    assert verdict.claim == CLAIM


@pytest.mark.parametrize("kind", [b"gAMA", b"acTL", b"fdAT", b"eXIf", b"iCCP"])
def test_a_chunk_that_changes_the_look_is_altered(kind, scheme):
    chunks = png_chunks(seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media)
    assert verify(join_png([*chunks[:2], (kind, b"\0\0\0\1"), *chunks[2:]]), key=KEY).verdict == "altered"


def test_recompression_and_comments_keep_a_png_valid(our_own):
    sealed = seal(saved("PNG", compress_level=1), "image/png", CLAIM, key=KEY).media
    text = split_png(sealed)[1][0].decode()
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt("genlab.claim", text)
    notes.add_text("Comment", "hello")
    out = io.BytesIO()
    with Image.open(io.BytesIO(sealed)) as image:
        image.save(out, "PNG", pnginfo=notes, compress_level=9)
    assert out.getvalue() != sealed
    assert verify(out.getvalue(), key=KEY).verdict == "made here"


def test_sealing_again_replaces_the_claim(sample, scheme):
    media_type, media = sample
    second = replace(CLAIM, seed=4)
    once = seal(media, media_type, CLAIM, key=KEY)
    twice = seal(once.media, media_type, second, key=KEY)
    fresh = seal(media, media_type, second, key=KEY)
    assert verify(twice.media, key=KEY, sidecar=twice.sidecar).claim == second
    assert content_digest(twice.media) == content_digest(fresh.media)
    assert abs(len(twice.media) - len(fresh.media)) < 16  # nothing of the first claim is left


def test_two_claims_contradict_each_other():
    chunks = png_chunks(seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media)
    twice = join_png([*chunks[:2], *chunks[1:]])
    assert verify(twice, key=KEY).verdict == "altered"
    with pytest.raises(MediaError, match="2 claims"):
        read_claim(twice)


def test_a_claim_signed_for_another_type_is_altered():
    text = seal(b"a,b\n", "text/csv", CLAIM, key=KEY)
    lying = text.sidecar.replace(b"text/csv", b"text/plain")
    assert verify(text.media, key=KEY, sidecar=lying).verdict == "altered"
    assert verify(text.media, key=KEY).verdict == "no evidence"
    assert verify(SAMPLES["png-rgb"][1], key=KEY, sidecar=text.sidecar).verdict == "unreadable"


def test_a_manifest_moved_to_another_kind_of_file_is_altered(our_own):
    manifest = split_gif(seal(SAMPLES["gif"][1], "image/gif", CLAIM, key=KEY).media)[1][0]
    verdict = verify(insert_png(SAMPLES["png-rgb"][1], manifest), key=KEY)
    assert verdict.verdict == "altered"
    assert "signed for image/gif" in verdict.layers[0].detail


def test_a_compressed_claim_is_not_unpacked():
    verdict = verify(HOSTILE["compressed claim"], key=KEY)
    assert verdict.verdict == "unreadable"
    assert "compressed" in verdict.layers[0].detail


def test_the_verdict_says_when_the_key_is_for_development():
    key = Key.of(b"d" * 32, development=True)
    sealed = seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=key).media
    assert "development key" in verify(sealed, key=key).layers[0].detail
    plain = seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY.secret).media
    assert "development" not in verify(plain, key=KEY.secret).layers[0].detail


def test_the_json_of_a_verdict():
    body = json.loads(verify(seal(SAMPLES["gif"][1], "image/gif", CLAIM, key=KEY).media, key=KEY).to_json())
    assert list(body) == ["verdict", "claim", "layers"]
    assert list(body["layers"][0]) == ["layer", "p_value", "state", "detail"]
    assert body["claim"] == json.loads(CLAIM.to_json())
    assert json.loads(verify(b"\xff").to_json())["claim"] is None


def header(width, height, depth=8, colours=2):
    return struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)


def claimed_png(head, *chunks):
    """A PNG with this header and these chunks after a signed claim that was made for another picture."""
    manifest = png_chunks(seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media)[1]
    return join_png([(b"IHDR", head), manifest, *chunks, (b"IEND", b"")])


def texted_png(text):
    """A PNG with this iTXt chunk and no pixels."""
    return join_png([(b"IHDR", header(1, 1)), (b"iTXt", text), (b"IEND", b"")])


HOSTILE = {
    "empty": b"",
    "noise": random.Random(0).randbytes(5000),
    "only a signature": PNG,
    "chunk of 2^31 bytes": PNG + struct.pack(">I4s", 2**31, b"IHDR") + bytes(30),
    "177 megapixels": claimed_png(header(13_300, 13_300), (b"IDAT", zlib.compress(bytes(99)))),
    "2^31 pixels wide": claimed_png(header(2**31 - 1, 2**31 - 1)),
    "no pixels": claimed_png(header(0, 0), (b"IDAT", b"")),
    "one pixel, no data": claimed_png(header(1, 1)),
    "one pixel, 50 MB of data": claimed_png(header(1, 1), (b"IDAT", zlib.compress(bytes(50_000_000)))),
    "compressed claim": texted_png(b"genlab.claim\0\1\0\0\0" + zlib.compress(bytes(50_000_000))),
    "claim that is not JSON": texted_png(b"genlab.claim\0\0\0\0\0{"),
    "claim without fields": texted_png(b"genlab.claim\0"),
    "deep claim": texted_png(b"genlab.claim\0\0\0\0\0" + b"[" * 70_000),
    "claim in a comment": texted_png(b"Comment\0\0\0\0\0genlab.claim\0{}"),
    "GIF without an end": b"GIF89a" + bytes(20),
    "GIF cut in its colours": b"GIF89a\1\0\1\0\xf7\0\0",
    "JPEG of one segment": b"\xff\xd8\xff\xe0\xff\xff",
    "JPEG with length 0": b"\xff\xd8\xff\xe0\0\0" * 3,
    "WebP of 4 GB": b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(20),
    "WebP without a picture": b"RIFF\x0c\0\0\0WEBPEXIF\0\0\0\0",
    "MP4 with a huge box": b"\0\0\0\x10ftypisom\0\0\0\0\xff\xff\xff\xffmdat",
    "MP4 with box length 2": b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\2mdat",
    "text with NUL": b"a\0b",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_get_a_verdict_and_little_memory(name):
    import tracemalloc

    tracemalloc.start()
    verdict = verify(HOSTILE[name], key=KEY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict.verdict in ("unreadable", "altered", "no evidence")
    assert verdict.verdict != "no evidence" or name.startswith("WebP without")
    assert peak < 4_000_000
    assert "\n" not in verdict.layers[0].detail
    if name != "one pixel, 50 MB of data":  # which decoders show as one pixel
        with pytest.raises(ValueError, match=r"\.$"):
            seal(HOSTILE[name], "image/png", CLAIM, key=KEY)


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_and_shuffled_files_never_raise(name):
    media_type, media = SAMPLES[name]
    sealed = seal(media, media_type, CLAIM, key=KEY)
    chance = random.Random(1)
    for _ in range(150):
        broken = bytearray(sealed.media[: chance.randrange(1, len(sealed.media))])
        for _ in range(chance.randrange(4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        assert verify(bytes(broken), key=KEY, sidecar=sealed.sidecar).verdict != "made here"


@pytest.mark.parametrize(
    ("media", "media_type", "words"),
    [
        (SAMPLES["png-rgb"][1], "image/gif", "not image/gif"),
        (SAMPLES["png-rgb"][1], "text/plain", "not text/plain"),
        (SAMPLES["png-rgb"][1], "image/tiff", "image/tiff"),
        (SAMPLES["png-rgb"][1] + b"more", "image/png", "after its end"),
        ("text", "text/plain", "must be bytes"),
        (b"\xff\xfe", "text/csv", "UTF-8"),
        (bytes(8), "video/mp4", "not video/mp4"),
    ],
)
def test_what_cannot_be_sealed_is_one_sentence(media, media_type, words):
    with pytest.raises(MediaError, match=words):
        seal(media, media_type, CLAIM, key=KEY)


def test_16_bit_colour_is_refused_because_its_low_bits_would_go_unseen():
    deep = join_png([(b"IHDR", header(1, 1, depth=16)), (b"IDAT", zlib.compress(bytes(7))), (b"IEND", b"")])
    with pytest.raises(MediaError, match="16 bits"):
        seal(deep, "image/png", CLAIM, key=KEY)


def test_a_long_claim_fits_everything_but_a_jpeg(our_own):
    long = replace(CLAIM, inputs={"prompt": "é" * 10_500})  # 63 kB once written as ASCII
    for media_type, media in SAMPLES.values():
        if media_type == "image/jpeg":
            continue
        sealed = seal(media, media_type, long, key=KEY)
        assert verify(sealed.media, key=KEY, sidecar=sealed.sidecar).claim == long
    with pytest.raises(MediaError, match="too long"):
        seal(SAMPLES["jpeg"][1], "image/jpeg", replace(CLAIM, inputs={"prompt": "é" * 10_880}), key=KEY)


def test_a_real_video_still_plays(tmp_path, scheme):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    plain, marked = tmp_path / "plain.mp4", tmp_path / "marked.mp4"
    make = ["-f", "lavfi", "-i", "testsrc=size=64x48:duration=0.4:rate=10", "-threads", "1", str(plain)]
    subprocess.run([ffmpeg, "-v", "error", *make], check=True)
    marked.write_bytes(seal(plain.read_bytes(), "video/mp4", CLAIM, key=KEY).media)
    assert verify(marked.read_bytes(), key=KEY).verdict == "made here"
    decode = [ffmpeg, "-v", "error", "-xerror", "-threads", "1", "-i"]
    frames = [
        subprocess.run([*decode, str(path), "-f", "md5", "-"], check=True, capture_output=True).stdout
        for path in (plain, marked)
    ]
    assert frames[0] == frames[1]


def test_every_type_has_a_sample():
    assert {media_type for media_type, _ in SAMPLES.values()} == {*CARRIERS, *SIDECARS}
