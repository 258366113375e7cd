"""A claim: which model made an item, with which weights, by which action, seed, inputs and knobs."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field

MAX_BYTES = 64 * 1024
_WHOLE = 2**63  # whole numbers must fit a signed 64-bit integer, as other languages read them


class ClaimError(ValueError):
    """The claim is not one; the message is a single sentence that says what is wrong."""


@dataclass(frozen=True)
class Claim:
    """What is claimed of one item. It proves nothing by itself: a signature over it does.

    `weights` is the hash of the weights, `action` is generate, walk, reconstruct, compress, translate...
    `inputs` maps names (label, prompt, sha256 of a file...) to text, `knobs` maps names to JSON scalars.
    Raises ClaimError on any other type, on NaN or infinity, and above 64 KiB.
    """

    model: str
    weights: str
    action: str
    seed: int
    inputs: dict[str, str] = field(default_factory=dict)
    knobs: dict[str, str | int | float | bool | None] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("model", "weights", "action"):
            _check_text(getattr(self, name), f"The claim's {name}")
        if not self.model or not self.action:
            raise ClaimError("A claim must name its model and its action.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or abs(self.seed) >= _WHOLE:
            raise ClaimError("The claim's seed must be a whole number of at most 63 bits.")
        for name in ("inputs", "knobs"):
            entries = getattr(self, name)
            if not isinstance(entries, dict):
                raise ClaimError(f"The claim's {name} must map names to values.")
            for key, value in entries.items():
                _check_text(key, f"A name among the claim's {name}")
                if name == "inputs":
                    _check_text(value, f"The claim's input {key[:40]!r}")
                else:
                    _check_scalar(value, f"The claim's knob {key[:40]!r}")
            object.__setattr__(self, name, dict(entries))  # our own copy: the caller's may change
        if len(self.to_json()) > MAX_BYTES:
            raise ClaimError(f"The claim is {len(self.to_json()):,} bytes long; the limit is {MAX_BYTES:,}.")

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, ASCII, shortest floats. Equal claims give equal text."""
        return json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def as_dict(self) -> dict:
        """The fields as plain JSON values, in order."""
        return {
            "model": self.model,
            "weights": self.weights,
            "action": self.action,
            "seed": self.seed,
            "inputs": dict(self.inputs),
            "knobs": dict(self.knobs),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def __hash__(self):
        return hash(self.to_json())

    @classmethod
    def from_json(cls, text: str | bytes) -> Claim:
        """Read a claim written by anyone; ClaimError on missing, unknown or repeated keys and wrong types."""
        return cls.from_dict(strict_json(text, limit=MAX_BYTES, what="claim"))

    @classmethod
    def from_dict(cls, body) -> Claim:
        """A claim from already parsed JSON, as strict as `from_json`."""
        names = ("model", "weights", "action", "seed", "inputs", "knobs")
        if not isinstance(body, dict) or set(body) != set(names):
            raise ClaimError(f"A claim is an object with exactly the keys {', '.join(names)}.")
        return cls(**body)


def strict_json(text: str | bytes, *, limit: int, what: str):
    """Parse JSON from a stranger: bounded in size, no repeated keys, no NaN. ClaimError otherwise."""
    if len(text) > limit:
        raise ClaimError(f"The {what} is over the limit of {limit:,} bytes.")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except ClaimError:
        raise
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ClaimError(f"The {what} is not valid JSON.") from error


def _distinct(pairs):
    body = dict(pairs)
    if len(body) != len(pairs):
        raise ClaimError("The JSON names the same key twice.")
    return body


def _no_constant(name):
    raise ClaimError(f"The JSON holds {name}, which is not a JSON number.")


def _check_text(value, what: str) -> None:
    if not isinstance(value, str):
        raise ClaimError(f"{what} must be text, not {type(value).__name__}.")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise ClaimError(f"{what} is not valid Unicode text.")


def _check_scalar(value, what: str) -> None:
    if value is not None and not isinstance(value, str | bool | int | float):
        raise ClaimError(f"{what} must be text, a number, true, false or null, not {type(value).__name__}.")
    if isinstance(value, str):
        _check_text(value, what)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ClaimError(f"{what} must be a finite number.")
    elif isinstance(value, int) and abs(value) >= _WHOLE:
        raise ClaimError(f"{what} must be a number of at most 63 bits.")
