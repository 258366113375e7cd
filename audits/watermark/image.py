"""A keyed mark for pictures, and a p-value that rests on the key alone.

Theory. Let c be any numbers computed from a picture and s independent secret signs, each +1 or -1 with probability
1/2 given the picture. T = s.c / |c| is a weighted sum of signs with weights of square sum 1, so by Hoeffding's
inequality P(T >= t) <= exp(-t^2 / 2), whatever the picture is: photograph, drawing, noise or one flat colour. The
probability is over the key, and nothing is assumed about pictures.

The search is paid for. Poses (turn and scale) are the usual sizes and what the spectrum shows, chosen without the
key. Under each, eight views times 120 x 120 shifts are tried on the pilots' signs: that is the factor of the first
p-value. The message's signs are independent of the pilots', so they pay only for the alignments that were decoded,
times the 2^32 payloads that have a valid authentication code: the second p-value. A picture of which nothing was cut
has one shift in each view, so pilots and message together pay for usual sizes times eight views times the payloads:
the third. The smallest of the three counts three times, and every key again.

A mark says that somebody with the key wrote it, not that a picture is made here: it can be copied from one picture to
another, so a verdict also needs the manifest or the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audits.watermark import codeword, lattice
from audits.watermark.lattice import Pose, Spectrum
from audits.watermark.streams import WatermarkError, signs

SMALLEST = 64  # pixels of the shorter side
FOUND = 4  # poses read off the spectrum, beside the upright ones of usual sizes
DECODED = 4  # sought alignments whose message is read, for each key
WHOLE = 3  # alignments of an uncut picture whose message is read, for each key
WORDS = 16  # candidates of each message, of which one with a right authentication code is taken first
RATE = 1e-6  # false positives: above it no payload is reported
FAINTEST, USUAL, BUSIEST = 45.0, 42.1, 36.1  # decibels: PSNR of the weakest mark, and of the strongest on calm and busy
SHIFTS = lattice.GRID**2 * len(lattice.VIEWS)
UPRIGHT = (Pose(), *(Pose(0.0, zoom) for zoom in lattice.ZOOMS))  # poses of usual sizes
STATISTICS = 3  # p-values of which the smallest counts
_PILOTS_FIRST = np.concatenate([lattice.PILOTS, lattice.CARRIERS])


@dataclass(frozen=True)
class View:
    """How a picture lies against the one that was marked: mirrored left to right or not, then turned clockwise by
    `degrees` (-180 to 180) and enlarged by `scale`."""

    degrees: float
    scale: float
    mirrored: bool


@dataclass(frozen=True)
class Detection:
    """What was found.

    Attributes:
        p_value: the chance of at least this much under a key that marked nothing, Bonferroni over all that was tried.
        payload: the message, where `p_value` is at most 1e-6 and its authentication code is right.
        tried: hypotheses that the p-value pays for, without the payloads.
        view: how the picture lies, where `p_value` is at most 1e-6.
    """

    p_value: float
    payload: int | None
    tried: int
    view: View | None


@dataclass(frozen=True)
class Reading:
    """One alignment under one key: T of the pilots and of the message, of both together where the alignment is that of
    an uncut picture, whether its code is right, and its 48 bits."""

    pilots: float
    message: float
    together: float | None
    genuine: bool
    word: np.ndarray
    view: View


def key_signs(key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The key's signs: of the pilots, complex (48,), and of the message, real (336,)."""
    pilots = signs(key, "genlab watermark 1 image pilots", 2 * lattice.PILOT_COUNT)
    return pilots[::2] + 1j * pilots[1::2], signs(key, "genlab watermark 1 image message", codeword.CHIPS)


def check_pixels(pixels: np.ndarray) -> None:
    """Raise WatermarkError unless the array is uint8 (h, w) or (h, w, 3)."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        raise WatermarkError("Pixels are a uint8 array of shape (height, width) or (height, width, 3).")
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)) or not pixels.size:
        raise WatermarkError(f"Pixels have shape (height, width) or (height, width, 3); {pixels.shape} was given.")


# ---- writing


def embed(pixels: np.ndarray, key: bytes, payload: int) -> np.ndarray:
    """The picture with a mark that says `payload`, 32 bits; same shape, uint8.

    The amplitude follows the picture: as faint as two edits tried on the spot allow (the middle quarter alone; coarse
    JPEG-like rounding), at 45 dB or less, but never below 42 dB on calm pictures and 36 on the busiest textures.

    Raises:
        WatermarkError: not uint8 pixels, a side below 64, or a payload of more than 32 bits.
    """
    check_pixels(pixels)
    if min(pixels.shape[:2]) < SMALLEST:
        height, width = pixels.shape[:2]
        raise WatermarkError(f"A picture of {width} x {height} is too small to mark: each side needs {SMALLEST}.")
    factor = lattice.reduction(*pixels.shape[:2])
    brightness = lattice.luma(pixels)
    working = lattice.reduced(brightness, factor)
    pattern, mask, level = designed(working, key, codeword.word_of(key, payload))
    change = lattice.tile(pattern, pixels.shape[:2], factor) * _enlarged(mask, pixels.shape[:2], factor) * level
    if pixels.ndim == 3:
        change = change[..., None]
    return np.clip(np.round(pixels + change), 0, 255).astype(np.uint8)


def designed(working: np.ndarray, key: bytes, word: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Amplitudes of the 216 waves (complex), where they may be strong (h, w), and the level that multiplies both.

    The picture is known here and no stranger's noise: waves with which it already agrees get less, others more.
    """
    pilots, message = key_signs(key)
    wanted = np.zeros(len(lattice.WAVES), np.complex64)
    wanted[lattice.PILOTS] = pilots
    sent = codeword.encode(word) * message
    wanted[lattice.CARRIERS] = sent[::2] + 1j * sent[1::2]
    flat, contrast, _ = lattice.flatten(working)
    activity = np.sqrt(np.maximum(contrast**2 - lattice.STILL**2, 0))
    mask = (activity + 1.0) ** 0.4
    own = _agreement(lattice.upright_waves(flat), wanted)
    passed = 1 - np.exp(-2 * (np.pi * lattice.SMOOTH * lattice.RADIUS / lattice.PERIOD) ** 2)
    gain = 0.8 * working.size / 2 * float(np.mean(mask / contrast)) * passed
    usual = _level(USUAL)
    level = usual / _root_mean_square(lattice.tile(wanted, working.shape) * mask)
    bent = [np.clip(1 - 0.7 * part / (gain * level), 0.3, 3.0) for part in (own.real, own.imag)]
    pattern = bent[0] * wanted.real + 1j * (bent[1] * wanted.imag)
    shape = lattice.tile(pattern, working.shape) * mask
    unit = 1 / _root_mean_square(shape)
    for _ in range(2):  # black and white take half of a mark only, so it may be stronger there
        marked = np.clip(working + usual * unit * shape, 0, 255)
        unit *= min(1.3, usual / max(_root_mean_square(marked - working), 1e-6))
    h, w = (side // 4 for side in working.shape)
    quarter = lattice.upright_waves(lattice.flatten(marked[h:-h, w:-w])[0], w, h)
    rounded = lattice.upright_waves(lattice.flatten(_coarse(marked))[0])
    needed = usual * max(_shortfall(quarter, wanted, 12.5), _shortfall(rounded, wanted, 12.0))
    busy = max(0.0, float(np.median(activity)) - 8)
    strongest = _level(USUAL - (USUAL - BUSIEST) * busy / (busy + 10.0))
    return pattern, mask, unit * min(max(needed, _level(FAINTEST)), strongest)


def _agreement(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Cosines and sines with the sign that makes them positive where they are as wanted."""
    return found.real * wanted.real + 1j * (found.imag * wanted.imag)


def _shortfall(found: np.ndarray, wanted: np.ndarray, enough: float) -> float:
    """By what the mark must be multiplied for T of the message to reach `enough`, the rest staying as it is."""
    radii = np.arange(lattice.SLOWEST + 0.5, lattice.FASTEST, 1.0)
    power = np.abs(found) ** 2
    floor = np.interp(lattice.RADIUS, radii, [power[np.abs(lattice.RADIUS - r) <= 1].mean() + 1e-9 for r in radii])
    found = lattice.chips(found / np.sqrt(floor))
    t = max(lattice.statistic(found, lattice.chips(wanted)), 1.0)
    return math.sqrt((enough**2 / (codeword.CHIPS - enough**2)) / (t * t / max(len(found) - t * t, 1.0)))


def _coarse(working: np.ndarray) -> np.ndarray:
    """The picture after rounding its 8 x 8 cosine transforms, coarser for faster waves."""
    from scipy.fft import dctn, idctn

    h, w = (side // 8 * 8 for side in working.shape)
    blocks = working[:h, :w].reshape(h // 8, 8, w // 8, 8)
    step = 14.0 + 3.5 * np.add.outer(np.arange(8), np.arange(8))[:, None, :]
    waves = dctn(blocks, axes=(1, 3), norm="ortho")
    rounded = np.round(waves / step.astype(np.float32)) * step
    return idctn(rounded.astype(np.float32), axes=(1, 3), norm="ortho").reshape(h, w)


def _level(decibels: float) -> float:
    return 255 * 10 ** (-decibels / 20)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values * values)))


def _enlarged(mask: np.ndarray, shape: tuple[int, int], factor: int) -> np.ndarray:
    """The mask of the working picture over all pixels, linear between its squares."""
    if factor == 1:
        return mask
    h, w = shape
    for axis, side in ((0, h), (1, w)):
        at = np.clip((np.arange(side) - (factor - 1) / 2) / factor, 0, mask.shape[axis] - 1)
        low = np.minimum(at.astype(int), mask.shape[axis] - 2)
        part = (at - low).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        mask = mask.take(low, axis) * (1 - part) + mask.take(low + 1, axis) * part
    return mask


# ---- reading


def residual(pixels: np.ndarray) -> np.ndarray:
    """What the mark is sought in: the reduced picture, flattened."""
    brightness = lattice.luma(pixels)
    working = lattice.reduced(brightness, lattice.reduction(*brightness.shape))
    return lattice.flatten(lattice.middle(working))[0]


def detect(
    pixels: np.ndarray, keys: Sequence[bytes], *, seen: Callable[[np.ndarray], np.ndarray] = residual
) -> Detection:
    """Seek the mark of any of `keys`, whatever was done to the picture: value edits, crops, turns, mirrors, sizes.

    Args:
        seen: pixels -> the residual that is searched; a function without the key (`learned.residual` is another).

    Raises:
        WatermarkError: not uint8 pixels, or a key that is none.
    """
    check_pixels(pixels)
    tables = [key_signs(key) for key in keys]
    tried = max(1, len(tables)) * (len(UPRIGHT) + FOUND) * SHIFTS
    if not tables or min(pixels.shape[:2]) < SMALLEST // 2:
        return Detection(1.0, None, tried, None)
    flat = seen(pixels)
    spectrum = Spectrum.of(flat)
    frame = lattice.Frame.of(*pixels.shape[:2])
    best = _judged(flat, spectrum, frame, [Pose()], keys, tables, tried)
    if best.payload is None:
        others = _judged(flat, spectrum, frame, _others(spectrum), keys, tables, tried)
        best = min(best, others, key=lambda d: d.p_value)
    return best


def best_reading(pixels: np.ndarray, key: bytes, *, seen: Callable[[np.ndarray], np.ndarray] = residual) -> Reading:
    """The likeliest message under a key, whether or not there is one: what a benchmark of raw bits needs."""
    check_pixels(pixels)
    flat = seen(pixels)
    spectrum = Spectrum.of(flat)
    poses = [Pose(), *_others(spectrum)]
    values = [lattice.lattice_values(flat, spectrum, pose) for pose in poses]
    return readings(values, poses, lattice.Frame.of(*pixels.shape[:2]), key, key_signs(key))[0]


def _others(spectrum: Spectrum) -> list[Pose]:
    """Poses beside the plain one: the usual sizes, also where a picture drowns the lattice, and those seen."""
    return [*UPRIGHT[1:], *lattice.poses(spectrum, FOUND)]


def _judged(flat, spectrum, frame, poses, keys, tables, tried: int) -> Detection:
    """The best of some poses under every key; `tried` counts all the poses there are."""
    values = [lattice.lattice_values(flat, spectrum, pose) for pose in poses]
    best = Detection(1.0, None, tried, None)
    payloads = 2.0**codeword.PAYLOAD_BITS * len(tables)
    for key, table in zip(keys, tables, strict=True):
        for reading in readings(values, poses, frame, key, table):
            by_pilots = _bound(reading.pilots, tried)
            by_message, payload = 1.0, None
            if reading.genuine:
                payload = codeword.payload_in(reading.word)
                if reading.together is not None:
                    by_message = _bound(reading.together, payloads * len(UPRIGHT) * len(lattice.VIEWS))
                else:
                    by_message = _bound(reading.message, payloads * 2 * DECODED)  # the plain pose, then all others
            p_value = min(1.0, by_pilots, by_message)
            if p_value < best.p_value:
                sure = p_value <= RATE
                payload = payload if by_message <= RATE else None
                best = Detection(p_value, payload, tried, reading.view if sure else None)
    return best


def _bound(t: float, hypotheses: float) -> float:
    """Hoeffding's bound on one of the statistics, times what it was sought among."""
    return STATISTICS * hypotheses * math.exp(-(max(t, 0.0) ** 2) / 2)


def readings(
    values: list[np.ndarray],
    poses: list[Pose],
    frame: lattice.Frame,
    key: bytes,
    table: tuple[np.ndarray, np.ndarray],
) -> list[Reading]:
    """The alignments with the highest pilots, sought and of an uncut picture, their messages decoded; genuine first."""
    pilots, message = table
    values, upright = np.stack(values), [i for i, pose in enumerate(poses) if pose in UPRIGHT]
    places = [*_highest(values, lattice.sought(values, pilots), pilots, DECODED)]
    if upright:
        own = np.stack([frame.shifts(poses[i].scale) for i in upright])
        places += [(upright[i], *rest) for i, *rest in _highest(values[upright], own, pilots, WHOLE)]
    signs = np.concatenate([lattice.chips(pilots), message])
    turned = [lattice.straight(values[i], view, shift) for i, view, shift, _ in places]
    found = np.stack([lattice.chips(one[_PILOTS_FIRST]) for one in turned]) * signs
    softs = found[:, 2 * lattice.PILOT_COUNT :]
    read = []
    for place, words in enumerate(codeword.decode_all(softs, WORDS)):
        i, view, _, t = places[place]
        sent = codeword.encode(words)
        fits = [lattice.statistic(softs[place], one) for one in sent]
        genuine = [codeword.genuine(key, word) for word in words]
        best = max(range(len(words)), key=lambda n: (genuine[n], fits[n]))
        together = None
        if place >= DECODED:
            together = lattice.statistic(found[place], np.concatenate([np.ones(2 * lattice.PILOT_COUNT), sent[best]]))
        read.append(Reading(t, fits[best], together, genuine[best], words[best], View(*_lies(poses[i], view))))
    return sorted(read, key=lambda reading: (-reading.genuine, -reading.message))


def _highest(values: np.ndarray, shifts: np.ndarray, pilots: np.ndarray, count: int) -> list[tuple]:
    """(pose, view, shift, T) of the alignments (poses, 8) under which the pilots fit best, best first."""
    t = lattice.agreement(values, shifts, pilots)
    order = np.argsort(-t, axis=None, kind="stable")[:count].tolist()
    return [(*place, shifts[place], float(t[place])) for place in (divmod(n, t.shape[1]) for n in order)]


def _lies(pose: Pose, view: int) -> tuple[float, float, bool]:
    """Degrees, scale and whether it is mirrored, of a pose seen in one of the eight views."""
    turn = lattice.VIEWS[view]
    mirrored = bool(round(np.linalg.det(turn)) < 0)
    degrees = pose.degrees + math.degrees(math.atan2(turn[1, 0], turn[0, 0])) + 180 * mirrored
    return (degrees + 180) % 360 - 180, pose.scale, mirrored
