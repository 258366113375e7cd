"""A judge of first names: which gender and which country's lists a name looks like, by letters that stand together.

A linear softmax classifier over runs of one to four letters, hashed into a few thousand places (Weinberger et al.
2009), small enough to ship, so that names can be read where the data set is not at hand. It always has a best guess,
and says whether it is sure; the share of best guesses is what an audit corrects, since leaving out the unsure would
leave out more of one group than of another. Beside the weights lie its errors as counts, on held-out names and on those
it learnt from.

    python -m genlab.metrics.name_judge          fits it again, measures it and writes both files
"""

import functools
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audits.bias.intervals import wilson
from genlab.data import Corpus
from genlab.data.names import COUNTRIES, GENDERS

FOLDER = Path(__file__).resolve().parent / "weights"
ATTRIBUTES = {"country": COUNTRIES, "gender": GENDERS}
SURE = {"country": 0.5, "gender": 0.8}  # chances from which on it says that it knows
PLACES, LETTERS = 4096, 4  # of the table of features, and in a run at most
PENALTY = {"country": 3e-5, "gender": 3e-5}
COMMAND = "python -m genlab.metrics.name_judge"


@dataclass(frozen=True)
class Read:
    """What the judge makes of n names, by attribute: `guess` (n,) are numbers of groups, `sure` (n,) is true or not."""

    guess: Mapping[str, np.ndarray]
    sure: Mapping[str, np.ndarray]

    def groups(self, attribute: str, *, unsure: bool = True) -> list[str | None]:
        """The names of the groups that were guessed; without `unsure`, None where the judge is not sure."""
        known = zip(self.guess[attribute], self.sure[attribute] | unsure, strict=True)
        return [ATTRIBUTES[attribute][g] if told else None for g, told in known]


@dataclass(frozen=True)
class NameJudge:
    """The judge: by attribute, weights (PLACES, groups) in whole numbers, a scale and a constant (groups,)."""

    weights: Mapping[str, np.ndarray]
    scale: Mapping[str, np.ndarray]
    constant: Mapping[str, np.ndarray]

    def chances(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Chances (n, groups) of the groups of every attribute."""
        seen = features(names)
        scores = {a: (seen @ w.astype(float)) * self.scale[a] + self.constant[a] for a, w in self.weights.items()}
        return {a: softmax(of) for a, of in scores.items()}

    def read(self, names: Sequence[str]) -> Read:
        """Best guesses, and where they are sure."""
        found = self.chances(names)
        return Read(
            {a: chances.argmax(1) for a, chances in found.items()},
            {a: chances.max(1) >= SURE[a] for a, chances in found.items()},
        )


def runs(name: str) -> list[int]:
    """The places of a name's runs of letters, its ends marked, in lower case; each run once."""
    marked = f"^{name.casefold()}$"
    found = {marked[i : i + n] for n in range(1, LETTERS + 1) for i in range(len(marked) - n + 1)}
    return sorted({zlib.crc32(run.encode()) % PLACES for run in found - {"^", "$"}})


def features(names: Sequence[str]):
    """Names as rows of a sparse matrix (n, PLACES), each row of length one, or of none for a name without letters."""
    from scipy.sparse import csr_array

    rows = [runs(name) for name in names]
    sizes = np.array([len(row) for row in rows], np.int64)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    places = np.fromiter((place for row in rows for place in row), np.int32, int(sizes.sum()))
    return csr_array((values, places, np.concatenate([[0], sizes.cumsum()])), shape=(len(rows), PLACES))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Chances (n, k) from scores (n, k)."""
    grown = np.exp(scores - scores.max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True)


# ---- learning


def fit(corpus: Corpus) -> NameJudge:
    """The judge that a split teaches.

    A group weighs the root of its size: the rare ones must not vanish, since an audit asks for their shares, and with
    equal weights the largest one is hardly ever guessed (tried on a part of the training split).
    """
    seen = features(corpus.texts)
    found = {a: regression(seen, corpus.attributes[a], len(of), PENALTY[a]) for a, of in ATTRIBUTES.items()}
    scale = {a: np.abs(w).max(0) / 127 for a, (w, _) in found.items()}
    return NameJudge({a: np.rint(w / scale[a]).astype(np.int8) for a, (w, _) in found.items()}, scale,
                     {a: b for a, (_, b) in found.items()})  # fmt: skip


def regression(seen, groups: np.ndarray, classes: int, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (PLACES, classes) and constants (classes,) of a softmax regression with squares penalised."""
    from scipy.optimize import minimize

    worth = np.bincount(groups, minlength=classes)[groups] ** -0.5
    worth /= worth.sum()
    truth, turned = np.eye(classes)[groups], seen.T.tocsr()

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, constant = flat[:-classes].reshape(-1, classes), flat[-classes:]
        chances = softmax(seen @ weights + constant)
        off = worth[:, None] * (chances - truth)
        value = -(worth * np.log(chances[np.arange(len(groups)), groups] + 1e-300)).sum()
        slope = np.concatenate([(turned @ off + penalty * weights).ravel(), off.sum(0)])
        return value + penalty / 2 * float((weights**2).sum()), slope

    start = np.zeros((seen.shape[1] + 1) * classes)
    best = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 80}).x
    return best[:-classes].reshape(-1, classes), best[-classes:]


# ---- measuring


def confusion(judge: NameJudge, corpus: Corpus, attribute: str) -> np.ndarray:
    """How a split's items are read (groups, 2 groups): row true, column guessed, the sure guesses before the unsure."""
    read, size = judge.read(corpus.texts), len(ATTRIBUTES[attribute])
    column = read.guess[attribute] + size * ~read.sure[attribute]
    counts = np.zeros((size, 2 * size), np.int64)
    np.add.at(counts, (corpus.attributes[attribute], column), 1)
    return counts


def only(corpus: Corpus, chosen: np.ndarray) -> Corpus:
    """The items of a split that are `chosen` (n,)."""
    texts = tuple(text for text, kept in zip(corpus.texts, chosen, strict=True) if kept)
    return replace(corpus, texts=texts, attributes={a: of[chosen] for a, of in corpus.attributes.items()})


def measured(counts: np.ndarray, seen: np.ndarray, names: Sequence[str]) -> dict:
    """What is kept of an attribute: best guesses and unsure ones as counts on held-out names, and both kinds' accuracy;
    `seen` is the same of names it learnt from. Intervals are Wilson's."""
    size = len(names)

    def share(right: np.ndarray, of: np.ndarray) -> dict:
        value, low, high = map(float, wilson(right.sum(), of.sum()))
        return {"value": value, "low": low, "high": high, "n": int(of.sum())}

    right = [np.trace(part[:, :size]) + np.trace(part[:, size:]) for part in (counts, seen)]
    return {
        "names": list(names),
        "counts": (counts[:, :size] + counts[:, size:]).tolist(),
        "unsure": counts[:, size:].sum(1).tolist(),
        "seen": (seen[:, :size] + seen[:, size:]).tolist(),
        "accuracy": share(right[0], counts),
        "accuracy_where_sure": share(np.diag(counts[:, :size]), counts[:, :size]),
        "accuracy_on_seen": share(right[1], seen),
    }


def measure(judge: NameJudge, train: Corpus, test: Corpus) -> dict:
    """The judge's errors as JSON keeps them, and how often each pair of groups stands in the lists it learnt from."""
    joint = np.zeros([len(of) for of in ATTRIBUTES.values()], np.int64)
    np.add.at(joint, tuple(train.attributes[a] for a in ATTRIBUTES), 1)
    found = {a: measured(confusion(judge, test, a), confusion(judge, train, a), of) for a, of in ATTRIBUTES.items()}
    within = {}
    for number, country in enumerate(COUNTRIES):
        sure, unsure = np.hsplit(confusion(judge, only(test, test.attributes["country"] == number), "gender"), 2)
        within[country] = {"counts": (sure + unsure).tolist(), "unsure": unsure.sum(1).tolist()}
    return {
        "data": train.name, "licence": train.licence, "attribution": train.attribution, "command": COMMAND,
        "sure_from": SURE, "trained_on": joint.tolist(), "attributes": found, "gender_by_country": within,
    }  # fmt: skip


# ---- keeping


def write(folder: Path = FOLDER) -> None:
    """Fit the judge on the training split of `names`, measure it on the held-out one, and keep both.

    Raises:
        DataError: the data is neither on this machine nor can it be fetched.
    """
    from genlab.data import load as data

    train, test = data("names", "train"), data("names", "test")
    judge = fit(train)
    folder.mkdir(exist_ok=True)
    arrays = {f"{part}_{a}": array for part, of in vars(judge).items() for a, array in of.items()}
    np.savez_compressed(folder / "name_judge.npz", **arrays)
    text = json.dumps(measure(load(folder), train, test), ensure_ascii=False)
    (folder / "name_judge.json").write_text(text + "\n", encoding="utf-8")


@functools.cache
def load(folder: Path = FOLDER) -> NameJudge:
    """The judge that was kept."""
    with np.load(folder / "name_judge.npz", allow_pickle=False) as kept:
        return NameJudge(*({a: kept[f"{part}_{a}"] for a in ATTRIBUTES} for part in NameJudge.__dataclass_fields__))


@functools.cache
def about(folder: Path = FOLDER) -> dict:
    """Its errors, as `measure` gives them."""
    return json.loads((folder / "name_judge.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    write()
