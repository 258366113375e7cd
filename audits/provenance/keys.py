"""Signing keys: one from the environment, or a development key made on first run."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "GENLAB_SIGNING_KEY"
OLD_VARIABLE = "GENLAB_OLD_SIGNING_KEYS"
MOST_OLD = 8  # each makes the search for marks longer
FOLDER_VARIABLE = "GENLAB_KEY_FOLDER"
FILE = "development.key"
SHORTEST = 16  # bytes


class KeyProblem(ValueError):
    """The key cannot be used; the message is a single sentence that says what to do."""


@dataclass(frozen=True)
class Key:
    """A secret and its public name. The secret never shows in a repr, so it stays out of logs.

    `certificates` is (chain, private key) in PEM where somebody else issued them; by default the secret makes its own.
    """

    id: str
    secret: bytes = field(repr=False)
    development: bool = False
    certificates: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, secret: bytes, *, development: bool = False) -> Key:
        """The key with this secret (at least 16 bytes); its id is derived from it and does not reveal it."""
        if not isinstance(secret, bytes) or len(secret) < SHORTEST:
            raise KeyProblem(f"A signing key needs at least {SHORTEST} bytes.")
        name = hmac.new(secret, b"genlab key id", hashlib.sha256).hexdigest()[:16]
        return cls(f"development-{name}" if development else name, secret, development)


def key_from_env(environ: Mapping[str, str]) -> Key | None:
    """The key in GENLAB_SIGNING_KEY (base64 of at least 16 random bytes), or None when it is not set."""
    text = environ.get(VARIABLE, "").strip()
    return _from_base64(text, VARIABLE) if text else None


def old_keys(environ: Mapping[str, str]) -> tuple[Key, ...]:
    """Keys that signed and marked here before the one in use, newest first; a verifier knows them, nobody signs with
    them.

    They stand in GENLAB_OLD_SIGNING_KEYS, base64, with spaces between. A key that was stolen is left out: what it
    signed proves nothing any more.
    """
    texts = environ.get(OLD_VARIABLE, "").split()
    if len(texts) > MOST_OLD:
        raise KeyProblem(f"{OLD_VARIABLE} holds {len(texts)} keys; the limit is {MOST_OLD}: leave the oldest out.")
    return tuple(dict.fromkeys(_from_base64(text, OLD_VARIABLE) for text in texts))


def _from_base64(text: str, variable: str) -> Key:
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyProblem(f"{variable} is not base64; make one with `openssl rand -base64 32`.") from error
    if len(secret) < SHORTEST:
        raise KeyProblem(
            f"{variable} holds {len(secret)} bytes and needs at least {SHORTEST}; "
            "make one with `openssl rand -base64 32`."
        )
    return Key.of(secret)


def key_folder(environ: Mapping[str, str]) -> Path:
    """Where the development key lives: GENLAB_KEY_FOLDER, else `genlab` in the user's configuration."""
    if environ.get(FOLDER_VARIABLE):
        return Path(environ[FOLDER_VARIABLE])
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "genlab"


def signing_key(environ: Mapping[str, str]) -> Key:
    """The key of this installation: the one in the environment, else its development key."""
    return key_from_env(environ) or development_key(key_folder(environ))


def development_key(folder: Path) -> Key:
    """The development key in `folder`, made there on first use, readable by its owner only.

    The file appears complete or not at all, so processes that race for it all get the same key.
    """
    path = Path(folder) / FILE
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _create(path, secrets.token_hex(32).encode() + b"\n")
        return _read(path)
    except OSError as error:
        raise KeyProblem(f"The development key {path} cannot be used: {error.strerror or error}.") from error


def _create(path: Path, content: bytes) -> None:
    """Write a complete file under another name, then link it to `path` unless somebody was first."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    _write_new(partial, content)
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        with contextlib.suppress(FileExistsError):
            _write_new(path, content)
    finally:
        partial.unlink()


def _write_new(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _read(path: Path) -> Key:
    for _ in range(50):  # without hard links another process may be in the middle of writing it
        text = path.read_bytes()
        if text.endswith(b"\n"):
            break
        time.sleep(0.02)
    try:
        return Key.of(bytes.fromhex(text.decode("ascii").strip()), development=True)
    except ValueError as error:
        raise KeyProblem(f"{path} does not hold a key; delete it and a new one is made.") from error
