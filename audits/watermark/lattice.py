"""Where an image mark lives: 216 waves that repeat every 60 pixels, and how they are found again after edits.

A periodic pattern is a lattice of points in the frequency plane. Cropping and shifting leave the points where they
are, turning and scaling turn and scale the lattice: so geometry is read off the picture's own spectrum, without the
key, and only then the key is asked. Each wave has two secret signs, of its cosine and its sine. 48 of the waves
(pilots) carry signs that are always the same under a key and give the shift; 168 carry a message.

Everything here is a public function of the picture; the key comes in through `signs` alone.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

PERIOD = 60  # pixels of the working picture; no divisor of JPEG's or an enlargement's blocks lines up with it
SLOWEST, FASTEST = 3.0, 12.05  # waves a period
WAVES = np.array([
    (x, y) for y in range(13) for x in range(-12, 13)
    if (y > 0 or x > 0) and SLOWEST <= np.hypot(x, y) <= FASTEST
])  # fmt: skip
RADIUS = np.hypot(*WAVES.T)
PILOT_COUNT = 48
_BY_RADIUS = np.lexsort((WAVES[:, 0], WAVES[:, 1], RADIUS))
PILOTS = np.sort(_BY_RADIUS[np.linspace(0, len(WAVES) - 1, PILOT_COUNT).round().astype(int)])
_REST = np.setdiff1d(np.arange(len(WAVES)), PILOTS)
CARRIERS = _REST[(np.arange(len(_REST)) * 61) % len(_REST)]  # neighbours in the message sit apart in the plane
GRID = 2 * PERIOD  # shifts are sought in half pixels
NOTHING = 1e-9  # length of numbers in which there is nothing to see

LARGEST = 512  # side of the part of the working picture that is read
TURN_STEP, SIZE_STEP = 0.6, 0.01  # degrees; logarithm of the scale
TURNS = np.arange(0, 90, TURN_STEP)
SIZES = np.arange(np.log(0.35), np.log(2.9), SIZE_STEP)
# Sizes that screens and editors offer, and what some become where a smaller picture is reduced by half as much.
ZOOMS = (0.5, 2 / 3, 0.75, 0.8, 0.9, 1.1, 1.25, 4 / 3, 1.5, 1.6, 1.8, 2.0)
SMOOTH, AROUND, CLIP, STILL = 1.5, 4.0, 1.5, 0.5  # of `flatten`: pixels, pixels, deviations, grey levels

# The eight ways a square lattice falls on itself: what the picture's x and y axes became.
VIEWS = tuple(
    np.array(m) for m in (
        [[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]],
        [[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1], [-1, 0]],
    )
)  # fmt: skip


@dataclass(frozen=True)
class Pose:
    """The lattice as it lies in a picture: turned by `degrees` (0 to 90), enlarged by `scale`."""

    degrees: float = 0.0
    scale: float = 1.0


def luma(pixels: np.ndarray) -> np.ndarray:
    """Brightness (h, w), float32 in grey levels, of uint8 pixels (h, w) or (h, w, 3)."""
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    return pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def reduction(height: int, width: int) -> int:
    """By what whole number a picture is reduced before it is marked or read, so that its size matters little."""
    factor = max(1, round((height * width) ** 0.5 / 320))
    return max(1, min(factor, min(height, width) // 64))


def reduced(brightness: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of `factor` pixels; rows and columns that fill no square are left out."""
    if factor == 1:
        return brightness
    h, w = (side // factor * factor for side in brightness.shape)
    rows = sum(brightness[i:h:factor] for i in range(factor))
    return sum(rows[:, i:w:factor] for i in range(factor)) / np.float32(factor**2)


def middle(working: np.ndarray) -> np.ndarray:
    """The middle of a working picture, at most 512 pixels a side."""
    top, left = (max(0, side - LARGEST) // 2 for side in working.shape)
    return working[top : top + LARGEST, left : left + LARGEST]


@dataclass(frozen=True)
class Frame:
    """Where the part that is read lies in the whole picture, in working pixels, along x and y.

    Attributes:
        centre: of the whole picture, from its corner.
        corner: of the part that is read, from the picture's corner.
    """

    centre: tuple[float, float]
    corner: tuple[int, int]

    @classmethod
    def of(cls, height: int, width: int) -> Frame:
        factor = reduction(height, width)
        corner = (max(0, width // factor - LARGEST) // 2, max(0, height // factor - LARGEST) // 2)
        return cls((width / factor / 2, height / factor / 2), corner)

    def shifts(self, scale: float) -> np.ndarray:
        """Where pixel 0, 0 of the part lay in the marked picture if that is all here, enlarged: (8, 2), a view each."""
        centre, views = np.array(self.centre), np.array(VIEWS).transpose(0, 2, 1)
        back = views @ (np.array(self.corner) + 0.5 - centre) + np.abs(views) @ centre
        return back / scale - 0.5


def flatten(working: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture without its large forms and with the same contrast everywhere, where a mark stands out.

    Returns:
        That residual (h, w); the local deviation it was divided by; the residual before division.
    """
    fine = working - ndimage.gaussian_filter(working, SMOOTH)
    contrast = np.sqrt(ndimage.gaussian_filter(fine * fine, AROUND, truncate=3) + STILL**2)
    return CLIP * np.tanh(fine / (CLIP * contrast)), contrast, fine


def tile(amplitudes: np.ndarray, shape: tuple[int, int], factor: int = 1) -> np.ndarray:
    """The pattern sum_k Re(a_k exp(2 pi i k.x / 60)) over `shape`, float32, at `factor` samples a working pixel."""
    side = PERIOD * factor
    offset = np.exp(-2j * np.pi * WAVES.sum(1) * (factor - 1) / (2 * side))  # centres of squares, not corners
    plane = np.zeros((side, side), np.complex128)
    x, y = WAVES.T
    plane[y % side, x % side] = amplitudes * offset / 2
    plane[-y % side, -x % side] = np.conj(amplitudes * offset) / 2
    one = (fft.ifft2(plane).real * side * side).astype(np.float32)
    h, w = shape
    return np.tile(one, (-(-h // side), -(-w // side)))[:h, :w]


def frequencies(pose: Pose) -> np.ndarray:
    """Where the waves are in a picture of that pose: (216, 2), cycles a pixel along x and y."""
    t = np.radians(pose.degrees)
    turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    return WAVES @ turn.T / (PERIOD * pose.scale)


def waves_in(flat: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Fourier sums of a residual (h, w) at any frequencies (n, 2): complex (n,)."""
    h, w = flat.shape
    x, y = (_turns(f, n) for f, n in ((at[:, 0], w), (at[:, 1], h)))
    across = flat @ np.ascontiguousarray(x.real) + 1j * (flat @ np.ascontiguousarray(x.imag))
    return np.einsum("hn,hn->n", across, y)


def _turns(at: np.ndarray, count: int, stride: int = 32) -> np.ndarray:
    """exp(-2 pi i f t) for frequencies (n,) and t = 0 .. count - 1: complex64 (count, n)."""
    fine, coarse = np.arange(stride), np.arange(0, count, stride)
    low, high = (np.exp(-2j * np.pi * np.outer(t, at)).astype(np.complex64) for t in (fine, coarse))
    return (high[:, None] * low).reshape(-1, len(at))[:count]


def upright_waves(flat: np.ndarray, left: int = 0, top: int = 0, scale: float = 1.0) -> np.ndarray:
    """`waves_in` of an upright picture whose corner was at (left, top): complex (216,), much faster."""
    h, w = flat.shape
    x, y = _upright_turns(left, w, scale, -12), _upright_turns(top, h, scale, 0)
    across = flat @ x.real + 1j * (flat @ x.imag)
    return (y.T @ across)[WAVES[:, 1], WAVES[:, 0] + 12]


@functools.lru_cache(maxsize=128)
def _upright_turns(first: int, count: int, scale: float, slowest: int) -> np.ndarray:
    """exp(-2 pi i k t / period) for t = first .. first + count - 1 and k = slowest .. 12: complex64 (count, k)."""
    turn = -2j * np.pi / (PERIOD * scale)
    return np.exp(turn * np.outer(np.arange(first, first + count), np.arange(slowest, 13))).astype(np.complex64)


@dataclass(frozen=True)
class Spectrum:
    """Power of a residual on a square of frequencies, zero in the middle: its local floor, and the power over it."""

    floor: np.ndarray
    heights: np.ndarray

    @classmethod
    def of(cls, flat: np.ndarray) -> Spectrum:
        n, reach = LARGEST, 10
        half = fft.rfft2(flat, (n, n))  # of the other half all is known: power is even
        power = half.real**2 + half.imag**2
        power = np.maximum(power, 1e-3 * power.mean() + 1e-6)
        mirrored = np.roll(np.log(power)[::-1], 1, 0)
        wide = np.concatenate([mirrored[:, reach:0:-1], np.log(power), mirrored[:, -2 : -2 - reach : -1]], 1)
        # The mean of the logarithm hardly sees a few high points; exp(gamma) makes it a mean of noise again.
        level = ndimage.uniform_filter(wide, 2 * reach + 1, mode="wrap")[:, reach:-reach]
        floor = np.exp(level + np.euler_gamma)
        return cls(_both_halves(floor), _both_halves(power / floor))

    def floor_at(self, at: np.ndarray) -> np.ndarray:
        n = LARGEST
        x, y = np.clip(np.round(at * n + n / 2).astype(int), 0, n - 1).T
        return self.floor[y, x]


def _both_halves(half: np.ndarray) -> np.ndarray:
    """An even function of frequencies (n, n / 2 + 1), as `rfft2` gives it, on all of them, zero in the middle."""
    n = len(half)
    whole = np.empty((n, n), half.dtype)
    up = np.concatenate([half[n // 2 :], half[: n // 2]])
    whole[:, n // 2 :] = up[:, :-1]
    whole[1:, : n // 2] = up[:0:-1, :0:-1]
    whole[0, : n // 2] = up[0, :0:-1]
    return whole


def poses(spectrum: Spectrum, count: int) -> list[Pose]:
    """The `count` poses under which the spectrum is highest on the lattice, best first.

    In logarithmic polar coordinates a turn and a scale are shifts, so every one of the 31,800 poses of the grid is a
    sum of 216 shifted pictures; each pose found is then refined to 0.07 degrees and 0.12 % of scale.
    """
    heights = _smoothed(np.minimum(spectrum.heights, 8.0))
    polar = _between(heights, *_polar_places()) - heights.mean()
    turns, sizes, known = len(TURNS), len(SIZES), polar.shape[1]
    wide = np.zeros((2 * len(polar), known + sizes + 200), np.float32)
    wide[:, :known] = np.concatenate([polar, polar])  # angles go round
    total = np.zeros((turns, sizes), np.float32)  # the largest size first
    for i, j in zip(*_lattice_in_polar(), strict=True):
        total += wide[i : i + turns, j : j + sizes]
    score = (total / np.sqrt(np.maximum(_in_sight(known), 30)))[:, ::-1]
    found = []
    for _ in range(count):
        i, j = np.unravel_index(score.argmax(), score.shape)
        found.append((TURNS[i], SIZES[j]))
        score[np.ix_(np.arange(i - 3, i + 4) % turns, np.arange(max(0, j - 4), min(sizes, j + 5)))] = -np.inf
    return _refined(np.minimum(spectrum.heights, 20.0), *np.array(found).T)


def _smoothed(heights: np.ndarray) -> np.ndarray:
    """Means over 3 x 3 places; the square of frequencies goes round."""
    for axis in (0, 1):
        padded = np.concatenate([heights.take([-1], axis), heights, heights.take([0], axis)], axis)
        before, here, after = (padded[i:][:LARGEST] if axis == 0 else padded[:, i:][:, :LARGEST] for i in range(3))
        heights = (before + here + after) * np.float32(1 / 3)
    return heights


@functools.cache
def _in_sight(radii: int) -> np.ndarray:
    """How many waves lie within so many radii, by size, the largest first."""
    return np.array([sum(j + size < radii for j in _lattice_in_polar()[1]) for size in range(len(SIZES))], np.float32)


@functools.cache
def _polar_places() -> tuple[np.ndarray, ...]:
    """Where the spectrum is read for logarithmic polar coordinates, (300, radii), as `_between` takes it."""
    radii = np.arange(_first_radius(), np.log(0.5), SIZE_STEP)
    angles = np.radians(np.arange(0, 180, TURN_STEP))[:, None]
    return _places(np.exp(radii) * np.cos(angles), np.exp(radii) * np.sin(angles))


def _first_radius() -> float:
    """Logarithm of the slowest wave's frequency at the largest size, and a little room."""
    return np.log(SLOWEST / PERIOD) - SIZES[-1] - 0.02


@functools.cache
def _lattice_in_polar() -> tuple[list[int], list[int]]:
    """Row and column of every wave at a turn of 0 and the largest scale."""
    angle = np.degrees(np.arctan2(WAVES[:, 1], WAVES[:, 0]))
    rows = np.round(angle / TURN_STEP).astype(int) % round(180 / TURN_STEP)
    columns = np.round((np.log(RADIUS / PERIOD) - SIZES[-1] - _first_radius()) / SIZE_STEP).astype(int)
    return rows.tolist(), columns.tolist()


def _refined(heights: np.ndarray, degrees: np.ndarray, sizes: np.ndarray) -> list[Pose]:
    """Poses (degrees and logarithms of the scale, each (n,)) moved to where the heights on their waves are greatest."""
    waves, around, rows = (WAVES @ [1, 1j]).astype(np.complex64), np.arange(-3, 4), np.arange(len(degrees))
    for step, zoom in ((TURN_STEP / 3, SIZE_STEP / 3), (TURN_STEP / 8, SIZE_STEP / 8)):
        turns, zooms = degrees[:, None] + step * around, sizes[:, None] + zoom * around
        turned = np.exp(1j * np.radians(turns)).astype(np.complex64)[:, :, None, None] * waves
        at = turned * (np.exp(-zooms) / PERIOD).astype(np.float32)[:, None, :, None]  # (n, turns, sizes, waves)
        sums = _between(heights, *_places(at.real, at.imag)).sum(-1)
        best = np.divmod(sums.reshape(len(rows), -1).argmax(1), len(around))
        degrees, sizes = turns[rows, best[0]], zooms[rows, best[1]]
    return [Pose(float(t), float(np.exp(s))) for t, s in zip(degrees, sizes, strict=True)]


def _places(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Frequencies in a square of them: the first of the four points around each, how far right and down of it, and
    whether it is less than 0.49."""
    within = ((np.abs(x) < 0.49) & (np.abs(y) < 0.49)).astype(np.float32)
    columns, rows = ((part * within * LARGEST + LARGEST / 2).astype(np.float32) for part in (x, y))
    left, top = columns.astype(np.int32), rows.astype(np.int32)
    return top * LARGEST + left, columns - left.astype(np.float32), rows - top.astype(np.float32), within


def _between(
    values: np.ndarray, first: np.ndarray, right: np.ndarray, down: np.ndarray, within: np.ndarray
) -> np.ndarray:
    """Values of a square of frequencies at places between them, linear both ways; 0 beyond 0.49."""
    flat = values.ravel()
    upper, lower = (flat[at] + (flat[at + 1] - flat[at]) * right for at in (first, first + LARGEST))
    return (upper + (lower - upper) * down) * within


def lattice_values(flat: np.ndarray, spectrum: Spectrum, pose: Pose) -> np.ndarray:
    """The 216 waves under a pose, each over its local floor; 0 where a wave is beyond what pixels can hold."""
    at = frequencies(pose)
    inside = (np.abs(at) < 0.49).all(1)
    found = waves_in(flat, at) if pose.degrees else upright_waves(flat, scale=pose.scale)
    return np.where(inside, found / np.sqrt(spectrum.floor_at(at)), 0)


@functools.cache
def _turned(view: int) -> tuple[np.ndarray, np.ndarray]:
    """Which wave each wave became in that view, and whether it is conjugate."""
    place = {tuple(k): i for i, k in enumerate(WAVES.tolist())}
    moved = [tuple(VIEWS[view] @ k) for k in WAVES]
    index = np.array([place[k] if k in place else place[-k[0], -k[1]] for k in moved])
    return index, np.array([k not in place for k in moved])


def sought(values: np.ndarray, pilots: np.ndarray) -> np.ndarray:
    """The shift under which the pilots fit best, in each of the eight views: (poses, 8, 2), in pixels along x and y.

    Args:
        values: complex (poses, 216), from `lattice_values`.
        pilots: the key's signs of the pilots, complex (48,).
    """
    x, y = WAVES[PILOTS].T
    rows = np.zeros((len(values), len(VIEWS), WAVES[:, 1].max() + 1, GRID), np.complex64)  # below them it is empty
    rows[:, :, y, x % GRID] = np.conj(pilots) * _in_views(values)[:, :, PILOTS]
    across = fft.fft(rows, axis=3)
    fits = (_down() @ np.concatenate([across.real, across.imag], 2)).reshape(len(values), len(VIEWS), -1)
    down, right = np.divmod(fits.argmax(2), GRID)
    return np.stack([right, down], -1) * (PERIOD / GRID)


def agreement(values: np.ndarray, shifts: np.ndarray, pilots: np.ndarray) -> np.ndarray:
    """T of the pilots in each of the eight views of poses (poses, 216), under shifts (poses, 8, 2): (poses, 8)."""
    seen = _in_views(values)[:, :, PILOTS]
    fits = seen * np.exp(-2j * np.pi / PERIOD * (shifts @ WAVES[PILOTS].T)) * np.conj(pilots)
    sizes = np.sqrt((seen.real**2 + seen.imag**2).sum(-1))
    return np.where(sizes > NOTHING, fits.real.sum(-1) / np.maximum(sizes, NOTHING), 0)


def straight(values: np.ndarray, view: int, shift: np.ndarray) -> np.ndarray:
    """Values (216,) as they are in that view with a shift (2,) undone."""
    return _in_views(values[None])[0, view] * np.exp(-2j * np.pi / PERIOD * (WAVES @ shift))


def _in_views(values: np.ndarray) -> np.ndarray:
    """Values (n, 216) in each of the eight views: (n, 8, 216)."""
    index, conjugate = _every_turn()
    turned = values[:, index]
    return np.where(conjugate, np.conj(turned), turned)


@functools.cache
def _every_turn() -> tuple[np.ndarray, np.ndarray]:
    """`_turned` of the eight views: (8, 216) each."""
    index, conjugate = zip(*map(_turned, range(len(VIEWS))), strict=True)
    return np.array(index), np.array(conjugate)


@functools.cache
def _down() -> np.ndarray:
    """Cosines and sines (120, 26) of shifts down, for the real part of a transform."""
    turn = 2 * np.pi * np.outer(np.arange(GRID), np.arange(WAVES[:, 1].max() + 1)) / GRID
    return np.concatenate([np.cos(turn), np.sin(turn)], 1).astype(np.float32)


def chips(values: np.ndarray) -> np.ndarray:
    """Complex (n,) as real (2n,): cosine, sine, cosine, sine..."""
    return np.stack([values.real, values.imag], -1).ravel()


def statistic(found: np.ndarray, expected: np.ndarray) -> float:
    """T = s.c / |c| for signs s and numbers c; 0 where there is nothing."""
    size = float(np.sqrt((found**2).sum()))
    return float(found @ expected) / size if size > NOTHING else 0.0
