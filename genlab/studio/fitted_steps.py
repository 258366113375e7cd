"""Which numbers fitted steps were drawn with: they are no part of the weights' hash, so a claim names them too."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping

from audits.provenance import Claim
from genlab.studio import shelf
from genlab.studio.shelf import Entry, StudioError


def input_of(known: Entry, knobs: Mapping[str, object]) -> dict[str, str]:
    """What a claim says of the fitted steps it was drawn with; nothing where another solver drew."""
    return {"steps": _named(known.name)} if _asked(knobs) else {}


def check(known: Entry, claim: Claim) -> None:
    """Raise StudioError where the claim's fitted steps are not those that the model has now."""
    if _asked(claim.knobs) and claim.inputs.get("steps") != _named(known.name):
        raise StudioError(
            f"The file was drawn by other fitted steps of {known.name} than it has now, so it cannot be made again."
        )


def _asked(knobs: Mapping[str, object]) -> bool:
    if "solver" not in knobs:
        return False
    from genlab.models.diffusion import FITTED

    return knobs["solver"] == FITTED


def _named(model: str) -> str:
    """The first sixteen digits of the numbers' SHA-256."""
    from genlab.models.diffusion_fitted import FittedSteps

    kept = shelf.config_of(model).get("few_steps", {})
    numbers = {field.name: kept.get(field.name) for field in dataclasses.fields(FittedSteps)}
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:16]
