"""Provenance: what a generated file says about its origin, and what of it can be proved."""

from __future__ import annotations

from audits.provenance.claim import Claim, ClaimError
from audits.provenance.containers import MediaError
from audits.provenance.content import content_digest
from audits.provenance.keys import Key, KeyProblem, development_key, key_from_env, signing_key
from audits.provenance.sealing import Layer, Sealed, Verdict, read_claim, seal, verify

__all__ = [
    "Claim",
    "ClaimError",
    "Key",
    "KeyProblem",
    "Layer",
    "MediaError",
    "Sealed",
    "Verdict",
    "content_digest",
    "development_key",
    "key_from_env",
    "read_claim",
    "seal",
    "signing_key",
    "verify",
]
