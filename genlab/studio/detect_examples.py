"""Normal sets and test items that the Detect tab offers: a class of clothes, a table of tumours, a made-up machine."""

import functools

import numpy as np

from genlab.data import DataError, examples
from genlab.studio.detect_inputs import Items
from genlab.studio.shelf import StudioError

CLOTHES, TABLE, SERIES = "clothes", "benign tumours (table)", "sensors of a machine (series)"
STEPS = 6_000  # of the made-up series


def names() -> list[str]:
    """Every example: the classes of clothes, then the table and the series."""
    return [*examples.about("fashion")["names"], TABLE, SERIES]


def pair(name: object) -> tuple[Items, Items, str]:
    """A normal set, labelled items to test, and where they come from.

    Raises:
        StudioError: no such example.
    """
    if name == TABLE:
        return tumours()
    if name == SERIES:
        return machine()
    known = examples.about("fashion")["names"]
    if name not in known:
        raise StudioError(f"Examples are {', '.join(names())}; {str(name)[:40]!r} was given.")
    return clothes(known.index(name))


def clothes(number: int) -> tuple[Items, Items, str]:
    """One class of Fashion-MNIST's training split, and the shipped items of its test split, 50 of each class.

    Where the data set is not on this machine and cannot be fetched, half of the shipped items of the class are the
    normal set, and only the other half is tested.
    """
    shipped = examples.load("fashion")
    name, rows = shipped.names[number], np.arange(len(shipped))
    train = _training()
    if train is not None:
        learnt = train.items[train.labels == number]
        origin = f"{len(learnt):,} items of class {name} of Fashion-MNIST's training split"
    else:
        same = np.flatnonzero(shipped.labels == number)
        learnt, rows = shipped.items[same[::2]], np.setdiff1d(rows, same[::2])
        origin = f"{len(learnt)} shipped items of class {name}, because Fashion-MNIST itself is not on this machine"
    labels = tuple("normal" if c == number else shipped.names[c] for c in shipped.labels[rows])
    called = tuple(f"{shipped.names[c]} {i}" for i, c in zip(rows, shipped.labels[rows], strict=True))
    normal = Items("images", learnt, tuple(map(str, range(len(learnt)))), size=(28, 28))
    return normal, Items("images", shipped.items[rows], called, labels, size=(28, 28)), origin


@functools.cache
def _training():
    """Fashion-MNIST's training split; None where it cannot be had, which is asked once."""
    from genlab.data import load

    try:
        return load("fashion")
    except DataError:
        return None


def tumours() -> tuple[Items, Items, str]:
    """Breast cancer Wisconsin (1995): four of five benign cases are normal, the rest and all malignant ones tested."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    columns = tuple(map(str, found.feature_names))
    benign = np.flatnonzero(found.target == 1)
    learnt = np.setdiff1d(benign, benign[4::5])
    tested = np.setdiff1d(np.arange(len(found.target)), learnt)
    labels = tuple("normal" if found.target[i] == 1 else "malignant" for i in tested)
    normal = Items("table", found.data[learnt], tuple(map(str, learnt)), columns=columns)
    test = Items("table", found.data[tested], tuple(f"case {i}" for i in tested), labels, columns)
    return normal, test, f"{len(learnt)} benign cases of scikit-learn's breast cancer table (30 columns)"


def machine(seed: int = 0) -> tuple[Items, Items, str]:
    """Two sensors of an imagined machine, drawn here: one normal stretch, and one with five planted faults."""
    rng = np.random.default_rng(seed)

    def run(steps: int) -> np.ndarray:
        turn = 2 * np.pi * (np.cumsum(1 + 0.01 * rng.standard_normal(steps)) / 24)
        load = 1 + 0.2 * np.sin(turn / 9)
        first = load * np.sin(turn) + 0.3 * np.sin(2 * turn) + 0.08 * rng.standard_normal(steps)
        second = load * np.abs(np.cos(turn / 2)) + 0.08 * rng.standard_normal(steps)
        return np.stack([first, second], 1)

    columns = ("vibration", "current")
    learnt, tested = run(STEPS), run(STEPS // 3)
    fault = np.zeros(len(tested), bool)
    for k, at in enumerate(range(220, len(tested) - 100, 360)):
        span = slice(at, at + 40)
        fault[span] = True
        if k == 0:
            tested[span, 0] = tested[at, 0]  # the sensor is stuck
        elif k == 1:
            tested[span, 1] += 0.9  # too much current
        elif k == 2:
            tested[span, 0] += 0.5 * rng.standard_normal(40)  # a rattle
        elif k == 3:
            tested[span] = tested[span][::2].repeat(2, axis=0)[:40]  # steps of two
            tested[span, 0] = np.sin(np.arange(40) * 2 * np.pi / 10)  # it turns too fast
        else:
            tested[span] *= 0.3  # it idles
    labels = tuple("fault" if f else "normal" for f in fault)
    normal = Items("series", learnt, tuple(map(str, range(len(learnt)))), columns=columns)
    test = Items("series", tested, tuple(map(str, range(len(tested)))), labels, columns)
    return normal, test, f"{len(learnt):,} steps of two sensors, drawn here by a formula; faults planted in the test"
