"""An oracle for the tone of a drawn portrait that has learnt nothing: it counts pixels of the five known skin colours.

Generated portraits have no label, and the judge that names their groups was trained. This second instrument
knows only where a face is drawn and which five colours skin can have, so that audits and mitigations can be
checked by something that neither of them ever saw. Its own error is measured on drawn portraits
(`benchmarks/portraits.py`).
"""

import numpy as np

from genlab.data.portraits import SKIN

# Where the face is drawn, as shares of the side: rows from brow to chin, columns of the cheek and the nose.
FACE = ((0.30, 0.72), (0.36, 0.74))
NEAR = 16.0  # CIE 1976 colour difference up to which a pixel counts as a skin colour
FEWEST = 0.04  # share of the face's pixels that the winning colour must have


def tones(images: np.ndarray, *, style: str = "open-peeps") -> np.ndarray:
    """Place in `ATTRIBUTES["tone"]` of each portrait's most frequent skin colour, (n,) int64; -1 where there is none.

    Args:
        images: (n, 3, side, side), uint8, or floats in [0, 1].
        style: whose five skin colours to look for.
    """
    from skimage.color import rgb2lab

    pictures = np.asarray(images)
    if pictures.ndim != 4 or pictures.shape[1] != 3:
        raise ValueError(f"Portraits are (n, 3, side, side); {pictures.shape} was given.")
    side = pictures.shape[2]
    rows, columns = (slice(round(low * side), round(high * side)) for low, high in FACE)
    found = np.full(len(pictures), -1, np.int64)
    palette = rgb2lab(np.stack([np.frombuffer(bytes.fromhex(text[1:]), np.uint8) for text in SKIN[style]])[None] / 255)[
        0
    ]
    for start in range(0, len(pictures), 1000):
        face = pictures[start : start + 1000, :, rows, columns].transpose(0, 2, 3, 1)
        face = face / 255 if face.dtype == np.uint8 else face
        lab = rgb2lab(np.ascontiguousarray(face, dtype=np.float64)).reshape(len(face), -1, 3)
        away = np.linalg.norm(lab[:, :, None] - palette, axis=3)
        nearest = np.where(away.min(2) <= NEAR, away.argmin(2), -1)
        counts = np.stack([(nearest == tone).mean(1) for tone in range(len(palette))], 1)
        found[start : start + 1000] = np.where(counts.max(1) >= FEWEST, counts.argmax(1), -1)
    return found
