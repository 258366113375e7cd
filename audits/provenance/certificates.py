"""The certificate chain that a signing key stands for, and what of it is public.

A chain comes from the key's secret alone: the same secret gives the same root, the same leaf and the same bytes, so
an installation keeps its identity over restarts with nothing but its secret stored. A chain issued by somebody else
can be given in the environment instead. C2PA asks of a leaf: critical key usage for signatures, an authority key
identifier, an extended key usage, no authority of its own. Without a time-stamp a file is only as good as its leaf is
valid, so ours are valid for thirty years, and an expired one is refused before it signs anything.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from audits.provenance.keys import Key, KeyProblem, signing_key

CHAIN_VARIABLE = "GENLAB_CERTIFICATES"
PRIVATE_VARIABLE = "GENLAB_CERTIFICATE_KEY"
VALID = (datetime.datetime(2026, 1, 1), datetime.datetime(2056, 1, 1))  # fixed: dates are part of the bytes
C2PA_SIGNING = "1.3.6.1.4.1.62558.2.1"  # extended key usage, C2PA 2.x


@dataclass(frozen=True)
class Chain:
    """Who signs manifests: PEM of the leaf and what is above it, the leaf's private key, its algorithm and validity."""

    certificates: bytes
    private: bytes = field(repr=False)
    algorithm: str  # as C2PA names it: ed25519, es256...
    name: str  # common name of the leaf
    serial: int  # of the leaf, unique among those of its issuer
    begins: datetime.datetime
    ends: datetime.datetime

    @property
    def issuer(self) -> bytes:
        """PEM of the certificate that issued the leaf."""
        end = b"-----END CERTIFICATE-----\n"
        return self.certificates.split(end)[1] + end

    def check_time(self, now: datetime.datetime | None = None) -> None:
        """Raise KeyProblem where the leaf is not valid now: what it signed would count for nothing."""
        now = now or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        if not self.begins <= now < self.ends:
            raise KeyProblem(
                f"The certificate {self.name!r} is valid from {self.begins:%Y-%m-%d} to {self.ends:%Y-%m-%d} and "
                f"cannot sign today: set {CHAIN_VARIABLE} to a new one, or check the clock."
            )


def signing_key_with_chain(environ: Mapping[str, str]) -> Key:
    """The key of this installation, with the chain of `GENLAB_CERTIFICATES` where that is set.

    Raises:
        KeyProblem: a key or certificate that cannot be used.
    """
    key, given = signing_key(environ), given_certificates(environ)
    return key if given is None else replace(key, certificates=given)


def given_certificates(environ: Mapping[str, str]) -> tuple[bytes, bytes] | None:
    """(chain, private key) in PEM from the environment, None when neither is set."""
    chain, private = (environ.get(name, "").strip() for name in (CHAIN_VARIABLE, PRIVATE_VARIABLE))
    if not chain and not private:
        return None
    if not chain or not private:
        raise KeyProblem(f"{CHAIN_VARIABLE} and {PRIVATE_VARIABLE} belong together: set both, as PEM, or neither.")
    given = tuple(text.replace("\\n", "\n").strip().encode() + b"\n" for text in (chain, private))
    loaded(*given)
    return given


def chain_of(key: Key) -> Chain:
    """The chain that this key signs manifests with: the one it was given, else the one its secret makes."""
    return loaded(*key.certificates) if key.certificates else _derived(key)


def public_certificate(key: Key) -> bytes:
    """PEM of the chain, leaf first, for anyone who wants to check a file without us."""
    return chain_of(key).certificates


@functools.lru_cache(maxsize=8)
def loaded(certificates: bytes, private: bytes) -> Chain:
    """A chain from PEM.

    Raises:
        KeyProblem: not PEM, a key that is not the leaf's, or a leaf that C2PA does not accept.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        leaf, issuer, *_ = x509.load_pem_x509_certificates(certificates)
        secret = serialization.load_pem_private_key(private, None)
    except (ValueError, TypeError):
        raise KeyProblem(
            f"{CHAIN_VARIABLE} must hold certificates in PEM, the leaf first and its issuer next, and "
            f"{PRIVATE_VARIABLE} the leaf's private key in PEM without a password."
        ) from None
    if secret.public_key() != leaf.public_key():
        raise KeyProblem(f"The key in {PRIVATE_VARIABLE} is not the one of the first certificate in {CHAIN_VARIABLE}.")
    try:
        leaf.verify_directly_issued_by(issuer)
    except Exception:  # whatever does not fit, the chain is not one
        raise KeyProblem(f"The second certificate in {CHAIN_VARIABLE} did not issue the first.") from None
    _check_leaf(leaf)
    names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = str(names[0].value) if names else "no name"
    begins, ends = (t.replace(tzinfo=None) for t in (leaf.not_valid_before_utc, leaf.not_valid_after_utc))
    pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in x509.load_pem_x509_certificates(certificates))
    return Chain(pem, _pkcs8(secret), _algorithm(secret), name, leaf.serial_number, begins, ends)


def _check_leaf(leaf) -> None:
    """Raise KeyProblem where the certificate lacks what every C2PA reader asks for."""
    from cryptography import x509

    def of(kind):
        try:
            return leaf.extensions.get_extension_for_class(kind)
        except x509.ExtensionNotFound:
            return None

    usage, extended, constraints = of(x509.KeyUsage), of(x509.ExtendedKeyUsage), of(x509.BasicConstraints)
    wanted = {C2PA_SIGNING, x509.ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string}
    problems = {
        "a critical key usage for signatures": usage and usage.critical and usage.value.digital_signature,
        "an authority key identifier": of(x509.AuthorityKeyIdentifier),
        "an extended key usage for C2PA or e-mail": extended and wanted & {oid.dotted_string for oid in extended.value},
        "to be no authority itself": not (constraints and constraints.value.ca),
    }
    missing = [what for what, fine in problems.items() if not fine]
    if missing:
        raise KeyProblem(
            f"The first certificate in {CHAIN_VARIABLE} cannot sign C2PA manifests: it lacks {missing[0]}."
        )


def _algorithm(secret) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(secret, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(secret, rsa.RSAPrivateKey):
        return "ps256"
    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(secret, ec.EllipticCurvePrivateKey) and secret.curve.name in curves:
        return curves[secret.curve.name]
    raise KeyProblem(f"The key in {PRIVATE_VARIABLE} must be Ed25519, RSA, or on the curve P-256, P-384 or P-521.")


@functools.lru_cache(maxsize=64)
def _derived(key: Key) -> Chain:
    """Root and leaf from the secret. Ed25519 signs the same bytes the same way, so the certificates never change."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    root = Ed25519PrivateKey.from_private_bytes(_part(key, "root"))
    leaf = Ed25519PrivateKey.from_private_bytes(_part(key, "leaf"))
    names = {"root": f"GenLab root {key.id}", "leaf": f"GenLab {key.id}"}
    issued, serials = {}, {}
    for who, holder in (("root", root), ("leaf", leaf)):
        serials[who] = int.from_bytes(_part(key, f"{who} serial")[:15], "big") | 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(names[who]))
            .issuer_name(_name(names["root"]))
            .public_key(holder.public_key())
            .serial_number(serials[who])
            .not_valid_before(VALID[0])
            .not_valid_after(VALID[1])
            .add_extension(x509.BasicConstraints(who == "root", 0 if who == "root" else None), critical=True)
            .add_extension(_usage(signs_certificates=who == "root"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(holder.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        )
        if who == "leaf":
            purposes = [x509.ObjectIdentifier(C2PA_SIGNING), x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        issued[who] = builder.sign(root, None).public_bytes(serialization.Encoding.PEM)
    return Chain(issued["leaf"] + issued["root"], _pkcs8(leaf), "ed25519", names["leaf"], serials["leaf"], *VALID)


def _pkcs8(private) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _part(key: Key, what: str) -> bytes:
    """32 bytes of the secret for one purpose; none of them reveals another."""
    return hmac.new(key.secret, f"genlab certificate {what}".encode(), hashlib.sha256).digest()


def _name(text: str):
    from cryptography import x509

    parts = ((x509.NameOID.ORGANIZATION_NAME, "GenLab"), (x509.NameOID.COMMON_NAME, text))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _usage(*, signs_certificates: bool):
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
