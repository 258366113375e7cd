"""From a code to its picture, and the moves that sliders make in between."""

from audits.provenance import Claim, Sealed
from genlab.studio import pictures, shelf
from genlab.studio.encode import Encoded, checked, explorable, pictures_of, rounded, written
from genlab.studio.marking import Drawn, mark

REACH = 4.0  # standard deviations that a slider goes each way
MOVED = ", moved"  # ends the origin of a code that a slider changed


def decode(model: str, code: object, *, origin: str = "") -> Sealed:
    """The picture of a code, enlarged, as a sealed PNG; the claim holds the code, so it can be made again.

    Args:
        model: an autoencoder on the shelf.
        code: d numbers; they are rounded to four decimals first.
        origin: where the code came from, in words (at most 200 characters are kept).

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    known = explorable(model)
    numbers = checked(known, code)
    item = pictures_of(model, numbers[None])[0]
    inputs = {"from": str(origin)[:200]} if origin else {}
    claim = Claim(known.name, known.weights, "decode", 0, inputs, {"code": written(numbers)})
    return mark(Drawn(pictures.enlarge(item), pictures.png), "image/png", claim)


def move(model: str, start: Encoded, dimension: object, to: object) -> Encoded:
    """The code with one dimension put `to` standard deviations from the mean of real items' codes.

    Raises:
        ValueError: one sentence about what was given and what is allowed.
    """
    from genlab.studio.latent_map import chart

    known = explorable(model)
    numbers = checked(known, start.code)
    at = shelf.whole(dimension, "dimension", 0, known.latent - 1)
    if isinstance(to, bool) or not isinstance(to, int | float) or not abs(to) <= REACH:
        raise shelf.StudioError(
            f"A dimension goes from -{REACH:g} to {REACH:g} standard deviations; {str(to)[:40]!r} was given."
        )
    spread = chart(model)
    numbers[at] = spread.mean[at] + to * spread.deviation[at]
    origin = start.origin if start.origin.endswith(MOVED) else start.origin + MOVED
    return Encoded(tuple(rounded(numbers).tolist()), origin)
