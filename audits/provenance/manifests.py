"""Signed C2PA manifests: written into a file, and read from one without ever asking the network for anything.

The manifest says `c2pa.created` with the source type `trainedAlgorithmicMedia`, and carries our statement as an
assertion of its own. Only one certificate counts as ours: the leaf of the key at hand, told by issuer and serial
number. Any other signature is shown and proves nothing here, whoever issued it.
"""

from __future__ import annotations

import functools
import io
import json
import os
from dataclasses import dataclass

from audits.provenance import credentials
from audits.provenance.certificates import Chain, chain_of
from audits.provenance.claim import ClaimError
from audits.provenance.containers import MediaError
from audits.provenance.keys import Key, KeyProblem
from audits.provenance.statement import Statement, asserted

ASSERTION = "genlab.claim"
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
OFFLINE = {
    "verify": {
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
        "verify_trust": True,
        "verify_after_sign": False,
    },
    "builder": {"thumbnail": {"enabled": False}},
}
CONTENT = ("assertion.dataHash.mismatch", "assertion.bmffHash.mismatch", "assertion.boxesHash.mismatch")
EXPIRED = ("signingCredential.expired", "claimSignature.outsideValidity")


@dataclass(frozen=True)
class Reading:
    """What a manifest store says.

    Attributes:
        state: "valid" (ours, and every byte outside fits), "content changed" (ours, the content is another),
            "expired" (the certificate is not valid at the time of reading), "unknown key", "forged" (signed in our
            name by somebody else), "broken" (changed, or no manifest), or "unchecked" (no library to read it with).
        statement: our assertion, where a signature covers it; None in a broken manifest.
        detail: one sentence.
    """

    state: str
    statement: Statement | None
    detail: str


def available() -> bool:
    """Whether the C2PA library can be loaded on this machine."""
    return _library() is not None


def sign(media: bytes, statement: Statement, key: Key) -> bytes:
    """The media with a signed manifest in it.

    Args:
        media: a file of the statement's type, without any manifest.

    Raises:
        MediaError: this file cannot carry a manifest.
        KeyProblem: the certificate is not valid today.
    """
    chain_of(key).check_time()
    c2pa = _library()
    if c2pa is None:
        raise KeyProblem("The package c2pa-python cannot be loaded, so no C2PA manifest can be signed: install it.")
    action = {"action": "c2pa.created", "digitalSourceType": SOURCE}
    definition = {
        "claim_generator_info": [{"name": "GenLab"}],
        "format": statement.media_type,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": ASSERTION, "data": statement.assertion(), "kind": "Json"},
        ],
    }
    out = io.BytesIO()
    try:
        builder = c2pa.Builder(json.dumps(definition, allow_nan=False), context=_context(key, os.getpid()))
        builder.sign(statement.media_type, io.BytesIO(media), out)
    except c2pa.C2paError.Signature as error:
        raise KeyProblem(f"The certificate {chain_of(key).name!r} is not one that C2PA signs with.") from error
    except c2pa.C2paError as error:
        raise MediaError(f"This {statement.media_type} file cannot carry a C2PA manifest: it is damaged.") from error
    signed = out.getvalue()
    without, stores = credentials.split(signed, statement.media_type)
    if without != media or len(stores) != 1:
        raise MediaError(
            f"This {statement.media_type} file cannot carry a C2PA manifest and come back as it was; write it in a "
            "plainer form (an MP4 without fragments)."
        )
    return signed


def read(media: bytes, media_type: str, store: bytes, key: Key | None) -> Reading:
    """What the manifest store in `media` says, seen with our key. Never raises on hostile bytes.

    Args:
        store: the store's bytes, as `credentials.split` found them; they bound what is read.
    """
    c2pa = _library()
    if c2pa is None:
        return Reading("unchecked", None, "The file carries a C2PA manifest, and c2pa-python is missing to read it.")
    if len(store) > credentials.LARGEST:
        return Reading("broken", None, f"The C2PA manifest is over the limit of {credentials.LARGEST // 2**20} MiB.")
    if credentials.compressed(store):
        return Reading("broken", None, "The C2PA manifest is compressed, and is not unpacked here.")
    try:
        with c2pa.Reader(media_type, io.BytesIO(media), context=_context(key, os.getpid())) as reader:
            body = json.loads(reader.json())
        return _judged(body, None if key is None else chain_of(key))
    except (c2pa.C2paError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Reading("broken", None, "The file carries a C2PA manifest that cannot be read: it is damaged.")


def _judged(body: dict, chain: Chain | None) -> Reading:
    """The library's report as one of our states. A claim is handed on only where the signature over it holds."""
    manifest = body["manifests"][body["active_manifest"]]
    results = body["validation_results"]["activeManifest"]
    passed, failed = ([(r["code"], r.get("url", "")) for r in results[kind]] for kind in ("success", "failure"))
    codes, wrong = {code for code, _ in passed}, {code for code, _ in failed}
    signed = manifest.get("signature_info", {})
    name = str(signed.get("common_name", "nobody"))
    whose = json.dumps(name[:80])
    ours = (
        chain is not None
        and "signingCredential.trusted" in codes
        and signed.get("cert_serial_number") == str(chain.serial)
    )
    holds = "claimSignature.validated" in codes and any(
        code == "assertion.hashedURI.match" and url.endswith(f"/{ASSERTION}") for code, url in passed
    )
    statement = _statement(manifest) if holds else None
    if body["validation_state"] == "Trusted" and ours and not wrong:
        if statement is None:
            return Reading("broken", None, "Our certificate signed this manifest, and it holds no claim of ours.")
        return Reading("valid", statement, f"The C2PA signature of {whose} fits claim and content.")
    if wrong & set(EXPIRED):
        detail = f"The certificate of {whose} is not valid today, and no time-stamp says that it was when it signed."
        return Reading("expired", None, detail)
    if ours and holds and wrong <= set(CONTENT):
        return Reading("content changed", statement, f"{whose} signed other content: this one was changed since.")
    if ours or "claimSignature.validated" not in codes:
        return Reading("broken", None, "The C2PA manifest and its signature do not fit: the manifest was changed.")
    if chain is not None and name == chain.name:
        return Reading(
            "forged", None, f"The C2PA manifest is signed in the name of {whose} with another key than ours."
        )
    return Reading(
        "unknown key",
        statement if wrong <= {"signingCredential.untrusted"} else None,
        f"The C2PA manifest is signed by {whose}, whom this installation does not vouch for: it proves nothing here.",
    )


def _statement(manifest: dict) -> Statement | None:
    """Our assertion, where the manifest holds exactly one."""
    found = [a.get("data") for a in manifest.get("assertions", []) if a.get("label") == ASSERTION]
    try:
        return asserted(found[0]) if len(found) == 1 else None
    except ClaimError:
        return None


@functools.cache
def _library():
    """The package c2pa, None where its native part does not load."""
    try:
        import c2pa
    except (ImportError, OSError):
        return None
    return c2pa


@functools.lru_cache(maxsize=16)
def _context(key: Key | None, process: int):
    """Settings and signer for one key; one a process, since the native part does not survive a fork."""
    c2pa = _library()
    if key is None:
        return c2pa.Context.from_dict(OFFLINE)
    chain = chain_of(key)
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(chain.algorithm, chain.certificates, chain.private, None))
    return c2pa.Context.from_dict(OFFLINE | {"trust": {"user_anchors": chain.issuer.decode()}}, signer=signer)
