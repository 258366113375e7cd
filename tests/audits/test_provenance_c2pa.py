"""C2PA manifests: what they say, what breaks them, whom they vouch for, and that reading one asks nobody anything."""

import datetime
import io
import itertools
import json
import socket
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from test_provenance_seal import CLAIM, KEY, OTHER, SAMPLES, claimed_png, header

from audits.provenance import (
    Claim,
    Key,
    KeyProblem,
    content_digest,
    credentials,
    manifests,
    read_claim,
    seal,
    verify,
)  # fmt: skip
from audits.provenance.certificates import (
    CHAIN_VARIABLE,
    PRIVATE_VARIABLE,
    chain_of,
    given_certificates,
    public_certificate,
    signing_key_with_chain,
)  # fmt: skip
from audits.provenance.containers import insert_png, join_png, media_type_of, png_chunks

c2pa = pytest.importorskip("c2pa")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """The same film with its index first and last."""
    ffmpeg, folder = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe(), tmp_path_factory.mktemp("films")
    source = ["-f", "lavfi", "-i", "testsrc=size=32x32:duration=0.3:rate=10", "-pix_fmt", "yuv420p", "-threads", "1"]
    made = []
    for i, options in enumerate(([], ["-movflags", "+faststart"], ["-movflags", "+frag_keyframe+empty_moov"])):
        subprocess.run([ffmpeg, "-v", "error", *source, *options, str(folder / f"{i}.mp4")], check=True)
        made.append((folder / f"{i}.mp4").read_bytes())
    return made


def samples(videos):
    found = {name: pair for name, pair in SAMPLES.items() if pair[0] in credentials.SPLITTERS and name != "mp4"}
    return found | {"mp4-index-last": ("video/mp4", videos[0]), "mp4-index-first": ("video/mp4", videos[1])}


def store_of(media):
    return credentials.split(media, media_type_of(media))[1]


def report(media, key=KEY):
    """What the library itself says of a file."""
    reader = c2pa.Reader(media_type_of(media), io.BytesIO(media), context=manifests._context(key, 0))
    return json.loads(reader.json())


def test_the_manifest_says_what_the_issue_asks_for():
    body = report(seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media)
    assert body["validation_state"] == "Trusted"
    assertions = {a["label"]: a["data"] for a in body["manifests"][body["active_manifest"]]["assertions"]}
    (action,) = assertions["c2pa.actions.v2"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert assertions["genlab.claim"]["claim"] == CLAIM.as_dict()


def test_numbers_come_back_as_they_were():
    knobs = {f"k{i}": (i + 1) / 7 * 10.0 ** (i - 8) for i in range(16)} | {"large": 2**63 - 1, "whole": 1.0}
    claim = Claim("m", "w", "generate", 2**63 - 1, {"prompt": "Größe \u202e\x07"}, knobs)
    sealed = seal(SAMPLES["png-rgb"][1], "image/png", claim, key=KEY)
    assert read_claim(sealed.media).to_json() == claim.to_json()


def test_the_file_without_its_manifest_is_the_file_before(videos):
    for name, (media_type, media) in samples(videos).items():
        sealed = seal(media, media_type, CLAIM, key=KEY).media
        without, stores = credentials.split(sealed, media_type)
        assert len(stores) == 1, name
        assert stores[0][4:8] == b"jumb"
        assert content_digest(sealed) == content_digest(media)
        if media_type not in ("image/webp", "image/gif"):  # whose version or header may have to change first
            assert without == media, name
        assert credentials.split(without, media_type) == (without, [])


def test_a_long_claim_is_cut_in_pieces_for_a_jpeg_and_joined_again():
    long = replace(CLAIM, inputs={"prompt": "é" * 10_800})  # 65 kB as escapes, 22 kB as UTF-8
    longer = replace(CLAIM, inputs={"prompt": "x" * 60_000})
    for claim, (media_type, media) in itertools.product((long, longer), [SAMPLES["jpeg"], SAMPLES["gif"]]):
        sealed = seal(media, media_type, claim, key=KEY).media
        assert verify(sealed, key=KEY).claim == claim
        assert content_digest(sealed) == content_digest(media)


def test_any_flipped_byte_outside_is_reported_and_inside_no_other_claim_is_shown(videos):
    """Every byte of two files, and a byte in so many of the others, by turns; the manifest has about 3,400 of them."""
    for name, (media_type, media) in samples(videos).items():
        sealed = seal(media, media_type, CLAIM, key=KEY).media
        (store,) = store_of(sealed)
        first = sealed.find(store[:200])
        inside = range(first - 40, first + len(store) + len(store) // 64)  # with the header of its place
        outside_every, inside_every = (1, 11) if name in ("jpeg", "wav") else (5, 41)
        for at in range(len(sealed)):
            if at % (inside_every if at in inside else outside_every):
                continue
            changed = bytearray(sealed)
            changed[at] ^= (1, 128, 255)[at % 3]
            verdict = verify(bytes(changed), key=KEY)
            assert verdict.claim in (None, CLAIM), (name, at)
            assert at in inside or verdict.verdict in ("altered", "unreadable"), (name, at)


def test_a_byte_in_the_type_box_of_a_video_is_seen_though_c2pa_leaves_it_out(videos):
    sealed = bytearray(seal(videos[1], "video/mp4", CLAIM, key=KEY).media)
    sealed[20] ^= 1
    assert report(bytes(sealed))["validation_state"] == "Trusted"
    assert verify(bytes(sealed), key=KEY).verdict == "altered"


def test_a_video_in_fragments_gets_our_own_claim(videos):
    sealed = seal(videos[2], "video/mp4", CLAIM, key=KEY).media
    verdict = verify(sealed, key=KEY)
    assert (verdict.verdict, verdict.claim) == ("made here", CLAIM)


def test_pixels_kept_and_comments_added_is_said():
    sealed = seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media
    chunks = png_chunks(sealed)
    verdict = verify(join_png([*chunks[:-1], (b"tEXt", b"Comment\0hello"), chunks[-1]]), key=KEY)
    assert (verdict.verdict, verdict.claim) == ("altered", CLAIM)
    assert "pixels are as they were" in verdict.layers[0].detail
    other = png_chunks(SAMPLES["png-grey"][1])
    verdict = verify(join_png([other[0], chunks[1], *other[1:]]), key=KEY)
    assert (verdict.verdict, verdict.claim) == ("altered", CLAIM)
    assert "pixels are as they were" not in verdict.layers[0].detail


def test_another_key_is_never_made_here():
    sealed = seal(SAMPLES["jpeg"][1], "image/jpeg", CLAIM, key=OTHER).media
    verdict = verify(sealed, key=KEY)
    assert (verdict.verdict, verdict.layers[0].state) == ("no evidence", "unknown key")
    assert OTHER.id in verdict.layers[0].detail
    forged = verify(seal(SAMPLES["jpeg"][1], "image/jpeg", CLAIM, key=Key(KEY.id, OTHER.secret)).media, key=KEY)
    assert (forged.verdict, forged.claim, forged.layers[0].state) == ("altered", None, "forged")


def test_a_second_leaf_of_our_issuer_is_not_ours():
    """Whoever buys a certificate where we bought ours is still somebody else."""
    first, second = leaf_of("one", serial=5), leaf_of("two", serial=6)
    mine, theirs = (replace(KEY, certificates=pair) for pair in (first, second))
    sealed = seal(SAMPLES["gif"][1], "image/gif", CLAIM, key=theirs).media
    assert report(sealed, mine)["validation_state"] == "Trusted"
    assert verify(sealed, key=mine).verdict == "no evidence"
    assert verify(sealed, key=theirs).verdict == "made here"


def test_two_manifests_contradict_each_other():
    chunks = png_chunks(seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media)
    assert verify(join_png([*chunks[:2], *chunks[1:]]), key=KEY).verdict == "altered"
    both = insert_png(join_png(chunks), json.dumps({"claim": 1}).encode())
    verdict = verify(both, key=KEY)
    assert (verdict.verdict, verdict.layers[0].state) == ("altered", "contradictory")
    with pytest.raises(ValueError, match="2 claims"):
        read_claim(both)


def test_the_chain_is_made_of_the_secret_alone():
    assert chain_of(KEY).certificates == chain_of(Key.of(KEY.secret)).certificates
    assert chain_of(KEY).certificates != chain_of(OTHER).certificates
    code = "from audits.provenance import Key; from audits.provenance.certificates import public_certificate as p; "
    code += "import sys; sys.stdout.buffer.write(p(Key.of(b'k' * 32)))"
    again = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout
    assert again == public_certificate(KEY)
    assert public_certificate(KEY).count(b"BEGIN CERTIFICATE") == 2
    assert b"PRIVATE" not in public_certificate(KEY)
    assert "PRIVATE" not in repr(chain_of(KEY))
    assert chain_of(KEY).ends.year >= 2050


def test_the_leaf_is_what_c2pa_asks_for():
    from cryptography import x509

    leaf, root = x509.load_pem_x509_certificates(public_certificate(KEY))
    leaf.verify_directly_issued_by(root)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    wanted = {"1.3.6.1.4.1.62558.2.1", x509.ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string}
    assert {o.dotted_string for o in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value} == wanted
    identifier = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert identifier == root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def leaf_of(name, *, serial=7, days=(-1, 1000), **options):
    """(chain, private key) in PEM: a P-256 leaf of the root of KEY's secret."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from audits.provenance import certificates

    root = Ed25519PrivateKey.from_private_bytes(certificates._part(KEY, "root"))
    root_pem = public_certificate(KEY).partition(b"-----END CERTIFICATE-----\n")[2]
    issuer, holder = x509.load_pem_x509_certificate(root_pem), ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificates._name(name))
        .issuer_name(issuer.subject)
        .public_key(holder.public_key())
        .serial_number(serial)
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(certificates._usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
    )
    private = holder.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    leaf = builder.sign(root, None).public_bytes(serialization.Encoding.PEM)
    return leaf + (b"" if options.get("alone") else root_pem), private


def test_certificates_of_the_environment_come_first(tmp_path):
    chain, private = leaf_of("A Space of its own")
    environ = {CHAIN_VARIABLE: chain.decode(), PRIVATE_VARIABLE: private.decode().replace("\n", "\\n")}
    key = signing_key_with_chain(environ | {"GENLAB_KEY_FOLDER": str(tmp_path)})
    assert chain_of(key).name == "A Space of its own"
    assert chain_of(key).algorithm == "es256"
    assert "PRIVATE" not in repr(key)
    sealed = seal(SAMPLES["webp"][1], "image/webp", CLAIM, key=key).media
    verdict = verify(sealed, key=key)
    assert verdict.verdict == "made here"
    assert "A Space of its own" in verdict.layers[0].detail


@pytest.mark.parametrize(
    ("chain", "private", "words"),
    [
        ("", "x", "belong together"),
        ("nonsense", "nonsense", "must hold certificates in PEM"),
        (leaf_of("a", alone=True)[0], leaf_of("a")[1], "must hold certificates in PEM"),
        (leaf_of("a")[0], leaf_of("a")[1], "is not the one of the first certificate"),
        (b"".join(public_certificate(KEY).partition(b"-----END CERTIFICATE-----\n")[2:] * 2), b"", "belong together"),
    ],
)
def test_certificates_that_cannot_be_used_are_one_sentence(chain, private, words):
    texts = [t if isinstance(t, str) else t.decode() for t in (chain, private)]
    with pytest.raises(KeyProblem, match=words) as caught:
        given_certificates(dict(zip((CHAIN_VARIABLE, PRIVATE_VARIABLE), texts, strict=True)))
    assert "\n" not in str(caught.value)


def test_an_expired_certificate_signs_nothing_and_what_it_signed_is_called_expired():
    with pytest.raises(KeyProblem, match="cannot sign today"):
        seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=replace(KEY, certificates=leaf_of("old", days=(-30, -1))))
    key = replace(KEY, certificates=leaf_of("short", days=(-30, 2 / 86_400)))
    sealed = seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=key).media
    while verify(sealed, key=key).verdict == "made here":
        time.sleep(0.2)
    verdict = verify(sealed, key=key)
    assert (verdict.verdict, verdict.claim, verdict.layers[0].state) == ("no evidence", None, "expired")
    assert "not valid today" in verdict.layers[0].detail


def remote_png(url):
    """A PNG that names a manifest elsewhere and has none inside."""
    context = manifests._context(KEY, 0)
    builder = c2pa.Builder(json.dumps({"claim_generator_info": [{"name": "x"}], "assertions": []}), context=context)
    builder.set_no_embed()
    builder.set_remote_url(url)
    out = io.BytesIO()
    builder.sign("image/png", io.BytesIO(SAMPLES["png-rgb"][1]), out)
    return out.getvalue()


def test_a_manifest_elsewhere_is_never_fetched():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        door.settimeout(0.5)
        media = remote_png(f"http://127.0.0.1:{door.getsockname()[1]}/claim.c2pa")
        assert verify(media, key=KEY).verdict == "no evidence"
        assert read_claim(media) is None
        chunks = png_chunks(media)
        both = join_png([chunks[0], (b"caBX", bytes(99)), *chunks[1:]])  # so that the library is asked
        assert verify(both, key=KEY).verdict == "unreadable"
        reading = manifests.read(media, "image/png", bytes(99), KEY)
        assert reading.state == "broken"
        with pytest.raises(TimeoutError):
            door.accept()


def boxed(kind, data):
    return struct.pack(">I4s", len(data) + 8, kind) + data


@pytest.mark.parametrize(
    "store",
    [
        b"", b"x", bytes(5000), boxed(b"jumb", b""), boxed(b"jumb", boxed(b"jumb", b"") * 500), bytes(2**20 + 1),
        boxed(b"jumb", boxed(b"jumd", credentials.STORE) + boxed(b"brob", bytes(99))), struct.pack(">I4s", 5, b"jumb"),
    ],
    ids=["empty", "one byte", "zeros", "empty box", "nested", "1 MiB", "compressed", "short box"],
)  # fmt: skip
def test_what_is_no_manifest_is_unreadable(store):
    chunks = png_chunks(SAMPLES["png-rgb"][1])
    verdict = verify(join_png([chunks[0], (b"caBX", store), *chunks[1:]]), key=KEY)
    assert (verdict.verdict, verdict.claim) == ("unreadable", None)
    assert "\n" not in verdict.layers[0].detail


def test_a_huge_picture_is_refused_before_it_is_decoded():
    bomb = claimed_png(header(10_000, 10_000), (b"IDAT", bytes(99)))
    assert "64,000,000" in verify(bomb, key=KEY).layers[0].detail


def test_without_the_library_files_are_sealed_with_our_own_claim_and_c2pa_is_unchecked(monkeypatch):
    signed = seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media
    monkeypatch.setattr(manifests, "_library", lambda: None)
    assert verify(signed, key=KEY).layers[0].state == "unchecked"
    assert verify(signed, key=KEY).verdict == "no evidence"
    own = seal(SAMPLES["png-rgb"][1], "image/png", CLAIM, key=KEY).media
    assert verify(own, key=KEY).verdict == "made here"


def test_sealing_works_in_many_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        claims = [replace(CLAIM, seed=i) for i in range(40)]
        made = list(pool.map(lambda c: seal(SAMPLES["png-rgb"][1], "image/png", c, key=KEY).media, claims))
    assert [verify(media, key=KEY).claim for media in made] == claims
