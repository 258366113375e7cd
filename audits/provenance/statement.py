"""A statement: a claim bound to one content by its digest.

Signed with HMAC it is our own manifest, a JSON object `{"claim", "media_type", "pixels" or "bytes", "signature",
"key"}`; inside a C2PA manifest it is an assertion without the last two. For a PNG `pixels` is a digest of what is
shown, for every other type `bytes` is one of the file without manifest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from audits.provenance.claim import Claim, ClaimError, strict_json
from audits.provenance.content import digest_name
from audits.provenance.keys import Key

MAX_MANIFEST = 80 * 1024


@dataclass(frozen=True)
class Statement:
    """A claim about content of one media type, with what signed it when it is our own manifest."""

    claim: Claim
    media_type: str
    digest: str
    signature: str | None = None
    key: str | None = None

    def assertion(self) -> dict:
        """What C2PA carries: `claim` for readers, `exact` the same as text, since JSON libraries round numbers."""
        return {
            "claim": self.claim.as_dict(),
            "exact": self.claim.to_json(),
            "media_type": self.media_type,
            digest_name(self.media_type): self.digest,
        }

    def signed(self, key: Key | None) -> bytes:
        """Our own manifest: this statement with its signature and key, both null without a key."""
        body = {
            "claim": self.claim.as_dict(),
            "media_type": self.media_type,
            digest_name(self.media_type): self.digest,
            "signature": None if key is None else self.signature_by(key),
            "key": None if key is None else key.id,
        }
        return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    def signature_by(self, key: Key) -> str:
        """HMAC-SHA256 over claim, media type and digest."""
        body = {"claim": self.claim.as_dict(), "digest": self.digest, "media_type": self.media_type}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hmac.new(key.secret, b"genlab claim 1\n" + text.encode(), hashlib.sha256).hexdigest()

    def is_signed_by(self, key: Key) -> bool:
        """Whether the signature is the one that this key gives."""
        return self.signature is not None and hmac.compare_digest(self.signature, self.signature_by(key))


def parsed(manifest: bytes) -> Statement:
    """Our own manifest as a statement; ClaimError in one sentence when it is not one."""
    body = strict_json(manifest, limit=MAX_MANIFEST, what="manifest")
    name = _checked(body, {"claim", "signature", "key"})
    signature, key = body["signature"], body["key"]
    signed = isinstance(signature, str) and signature.isascii() and isinstance(key, str)
    if not (signed or (signature is None and key is None)):
        raise ClaimError("The manifest's signature and key must be text, or both null.")
    return Statement(Claim.from_dict(body["claim"]), body["media_type"], body[name], signature, key)


def asserted(body) -> Statement:
    """The statement that a C2PA assertion makes; ClaimError when it is not one."""
    name = _checked(body, {"claim", "exact"})
    if not isinstance(body["exact"], str):
        raise ClaimError("The exact claim must be text.")
    return Statement(Claim.from_json(body["exact"]), body["media_type"], body[name])


def _checked(body, keys: set[str]) -> str:
    """The name of the digest in parsed JSON that has these keys, a media type and a digest."""
    if not isinstance(body, dict) or not isinstance(body.get("media_type"), str):
        raise ClaimError("The manifest is not an object that names its media type.")
    name = digest_name(body["media_type"])
    wanted = keys | {"media_type", name}
    if set(body) != wanted:
        raise ClaimError(f"The manifest must have exactly the keys {', '.join(sorted(wanted))}.")
    if not isinstance(body[name], str):
        raise ClaimError("The manifest's digest must be text.")
    return name
