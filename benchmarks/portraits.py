"""On our own biased generators: does the audit's interval hold the truth, and who says what the truth is?

`python benchmarks/portraits.py` writes benchmarks/results/portraits.json. Tones are read by judge-portraits, a trained
classifier whose confusion on held-out drawings the audit knows, and by the palette oracle, which counts pixels and has
learnt nothing. Both are checked on 400 portraits that were labelled by eye (results/portrait_labels.csv), drawn
evenly within the judge's groups and shuffled; the rater saw numbered sheets of faces above the five
skin colours, and neither instrument's answer to any of them before the last label was written. The rater was a general
vision-language model shown the sheets, not a person: a person's labels may be put in the same file, and should be.

`python benchmarks/portraits.py --sheets DIR` draws the sheets again, with a list of which number is which seed.
"""

import argparse
import itertools
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd
import torch
from serving import machine

from audits.bias import representation
from audits.bias.amplification import amplification
from audits.bias.estimates import corrected
from audits.bias.intervals import wilson
from audits.bias.labelled import to_label
from genlab.data import load, portraits
from genlab.metrics import palette
from genlab.studio import shelf
from genlab.studio.evaluate import FIRST_SEED, draw
from genlab.studio.evaluate_attributes import named, validation
from genlab.studio.pictures import enlarge, to_bytes

HERE = Path(__file__).resolve().parent
RESULTS, LABELS = HERE / "results" / "portraits.json", HERE / "results" / "portrait_labels.csv"
CACHE = HERE.parent / ".cache" / "portraits"
TONES, GLASSES = portraits.ATTRIBUTES["tone"], portraits.ATTRIBUTES["glasses"]
COUNT, PART = 10_000, 500
AMONG = 2_000  # first items of a model, from which those to label were drawn
LOOKED = {"vae-portraits-biased": 200, "vae-portraits-balanced": 100, "gan-portraits-biased": 100}  # labelled by eye
HOW = (
    "One rater, blind to both instruments: a general vision-language model looking at sheets, not a person. Portraits "
    "drawn evenly within the judge's groups of the first 2,000 items of each model, shuffled over the models, faces "
    "shown close above the five skin colours; the labels were finished before either instrument's answer to any of "
    "them was looked at, and none was changed since. 'unclear': between two tones, or of two; glasses: remains of them."
)
ENDS = ("value", "low", "high")
A_SHEET, COLUMNS, SHOWN = 20, 5, 256  # portraits of a sheet, and their side in pixels


def drawn(name: str, count: int = COUNT) -> np.ndarray:
    """The first items that the model's card was measured on, uint8 (count, 3, 64, 64); kept in .cache by 500."""
    folder, parts = CACHE / f"{name}-{shelf.config_of(name)['weights_sha256'][:16]}", []
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, count, PART):
        path = folder / f"{start:05}.npy"
        if not path.exists():
            print(f"  {name} {start}", flush=True)
            made = draw(shelf.model(name), PART, seed=FIRST_SEED + start)[0]
            np.save(path.with_suffix(".partial.npy"), to_bytes(torch.from_numpy(made)))
            os.replace(path.with_suffix(".partial.npy"), path)
        parts.append(np.load(path))
    return np.concatenate(parts)[:count]


# ---- the sheets to label


def to_look_at(read: dict[str, pd.Series]) -> list[tuple[str, int]]:
    """(model, seed) of the portraits to label: evenly within the judge's groups of each model, then shuffled."""
    chosen = [(name, int(seed)) for name, count in LOOKED.items() for seed in to_label(read[name], count, seed=0)]
    return [chosen[i] for i in np.random.default_rng(0).permutation(len(chosen))]


def sheets(chosen: list[tuple[str, int]], items: dict[str, np.ndarray], folder: Path) -> None:
    """Numbered sheets of 20, whole and (close-..) of the face alone, and which.csv: number, model, seed.

    The five tones touch every portrait, because many of them lie between two.
    """
    from PIL import Image, ImageDraw, ImageFont

    folder.mkdir(parents=True, exist_ok=True)
    text, whole = ImageFont.load_default(18), slice(None)
    for start, (kind, rows, columns, larger) in itertools.product(
        range(0, len(chosen), A_SHEET), (("sheet", whole, whole, 4), ("close", slice(20, 52), slice(18, 50), 8))
    ):
        sheet = Image.new("RGB", (COLUMNS * (SHOWN + 8), A_SHEET // COLUMNS * (SHOWN + 60)), "white")
        pen = ImageDraw.Draw(sheet)
        for i, (name, seed) in enumerate(chosen[start : start + A_SHEET]):
            down, across = i // COLUMNS * (SHOWN + 60), i % COLUMNS * (SHOWN + 8)
            pen.text((across + 4, down), str(start + i + 1), "black", font=text)
            picture = enlarge(items[name][seed - FIRST_SEED][:, rows, columns], larger).transpose(1, 2, 0)
            sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (across, down + 20))
            for tone, colour in enumerate(portraits.SKIN["open-peeps"]):
                left = across + tone * SHOWN // 5
                pen.rectangle((left, down + 20 + SHOWN, left + SHOWN // 5, down + 50 + SHOWN), fill=colour)
        sheet.save(folder / f"{kind}-{start // A_SHEET + 1:02}.png")
    which = pd.DataFrame(chosen, columns=["model", "seed"])
    which.index = pd.RangeIndex(1, len(which) + 1, name="number")
    which.to_csv(folder / "which.csv")


# ---- the instruments


def confusion(true: np.ndarray, read: np.ndarray, groups: int) -> list[list[int]]:
    """Counts, row true; columns as read, the last one for no answer (-1)."""
    counts = np.zeros((groups, groups + 1), int)
    np.add.at(counts, (true, np.where(read < 0, groups, read)), 1)
    return counts.tolist()


def agreement(counts: list[list[int]], names) -> dict:
    """Of a confusion: the share that agrees among those answered, with Wilson's interval, overall and by row."""
    square = np.array(counts)[:, : len(counts)]

    def share(hits, n) -> dict:
        value, low, high = (round(float(x), 5) for x in wilson(hits, n))
        return {"value": value, "low": low, "high": high, "n": int(n)}

    rows = {n: share(row[i], row.sum()) for i, (n, row) in enumerate(zip(names, square, strict=True)) if row.sum()}
    return {"agrees": share(np.trace(square), square.sum()), "by row": rows, "rows": list(names), "counts": counts}


def judged(judge, name: str, items: np.ndarray) -> dict[str, np.ndarray]:
    """Tone, glasses and "known" as the judge reads them, (n,) each; kept in .cache."""
    path = CACHE / f"{name}-{shelf.config_of('judge-portraits')['weights_sha256'][:16]}.npz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        found = named(judge, items)
        np.savez(path, **{key: found[key] for key in ("tone", "glasses", "known")})
    with np.load(path) as kept:
        return dict(kept)


def by_hand(name: str, labels: pd.DataFrame, read: dict, seen: np.ndarray) -> dict:
    """How the two instruments agree with the labels of one model's portraits; unclear ones are counted apart."""
    own = labels[labels["model"] == name]
    at = own["seed"].to_numpy() - FIRST_SEED
    found = {"labels": len(own)}
    for instrument, attribute, groups, answer in (
        ("judge", "tone", TONES, read["tone"]), ("oracle", "tone", TONES, seen),
        ("judge", "glasses", GLASSES, read["glasses"]),
    ):  # fmt: skip
        said = own[attribute].replace({"yes": "glasses", "no": "no glasses"})
        clear = said.isin(groups).to_numpy()
        true = np.array([groups.index(word) for word in said[clear]])
        part = agreement(confusion(true, answer[at][clear], len(groups)), groups)
        unclear = np.bincount(np.where(answer[at][~clear] < 0, len(groups), answer[at][~clear]), minlength=len(groups))
        found[f"{instrument}, {attribute}"] = part | {"unclear by eye": unclear.tolist()}
    return found


# ---- the audit


def audit(
    name: str, read: dict, seen: np.ndarray, labels: pd.DataFrame, validated: dict, oracle: dict, mix: dict
) -> dict:
    """The audit's intervals of the shares of tones beside the oracle's, by estimate and by question."""
    seeds, words = pd.RangeIndex(FIRST_SEED, FIRST_SEED + COUNT), np.array(TONES)
    predicted = pd.Series(words[read["tone"]], index=seeds)
    own = labels[(labels["model"] == name) & labels["tone"].isin(TONES)]
    looked = pd.Series(own["tone"].to_numpy(), index=own["seed"].to_numpy()).reindex(seeds) if len(own) else None
    counts = np.bincount(seen[seen >= 0], minlength=len(TONES)).astype(float)
    error = np.array(oracle["counts"])[:, : len(TONES)].astype(float)
    truth, put_right = counts / counts.sum(), corrected(counts, error, level=0.95, seed=0)
    found = {
        "items": COUNT, "no tone in pixels": int((seen < 0).sum()), "unknown to the judge": int((~read["known"]).sum()),
        "judge and oracle agree": float((read["tone"] == seen)[seen >= 0].mean()),
        "judge and oracle": confusion(np.where(seen < 0, 0, seen)[seen >= 0], read["tone"][seen >= 0], len(TONES)),
        "oracle": {
            tone: {"share": truth[i]} | {"put right" if k == "value" else k: getattr(put_right, k)[i] for k in ENDS}
            for i, tone in enumerate(TONES)
        },
    }  # fmt: skip
    estimates = {"judge's word": {}, "validation": {"validation": validation(validated)}}
    if looked is not None:
        estimates["hand labels"] = {"validation": validation(validated), "labels": looked}
    for (estimate, given), question in itertools.product(estimates.items(), ("model", "folder")):
        report = representation(predicted, expected=TONES, question=question, reference=mix, **given)
        shares = {tone: report[f"share.{tone}"] for tone in TONES}
        part = {
            tone: {
                "value": f.value, "low": f.low, "high": f.high, "holds the oracle's": bool(f.low <= truth[i] <= f.high),
                "holds it put right": bool(f.low <= put_right.value[i] <= f.high), "verdict": f.verdict,
            }
            for i, (tone, f) in enumerate(shares.items())
        }  # fmt: skip
        hold = sum(entry["holds the oracle's"] for entry in part.values())
        entry = {"intervals that hold the oracle's share": hold, "of": len(TONES), "shares": part}
        if estimate == "hand labels":
            entry["shift"] = {
                key: getattr(report["shift"], key) for key in ("value", "floor", "n", "verdict", "reading")
            }
        found[f"{estimate}, {question}"] = entry
        print(f"{name}, {estimate}, {question}: {hold} of {len(TONES)} intervals hold the oracle's share", flush=True)
    return found


def ties(name: str, read: dict, seen: np.ndarray, trained: pd.DataFrame) -> dict:
    """Training-to-generated amplification from tone to glasses: the tone by either instrument, glasses by the judge."""
    glasses = np.array(GLASSES)[read["glasses"]]
    found = {}
    for side, tones in {"judge": read["tone"], "oracle": seen}.items():
        kept = tones >= 0
        made = pd.DataFrame({"tone": np.array(TONES)[tones[kept]], "glasses": glasses[kept]})
        figure = amplification(trained, made, attribute="tone", task="glasses")["amplification"]
        found[side] = {
            key: getattr(figure, key) for key in ("value", "low", "high", "n", "floor", "verdict", "reading")
        }
        found[side]["glasses by tone"] = {
            tone: [float(part[part.tone == tone].glasses.eq("glasses").mean()) for part in (trained, made)]
            for tone in TONES
        }
        print(f"{name}, {side}: amplification {figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="by default every generator of portraits on the shelf")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="draw the sheets to label, and measure nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    judge = shelf.model("judge-portraits")
    if asked.sheets:
        items = {name: drawn(name, AMONG) for name in LOOKED}
        seeds = pd.RangeIndex(FIRST_SEED, FIRST_SEED + AMONG)
        read = {n: pd.Series(np.array(TONES)[named(judge, x)["tone"]], index=seeds) for n, x in items.items()}
        sheets(to_look_at(read), items, asked.sheets)
        return
    labels = pd.read_csv(LABELS)
    body = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"models": {}}
    body |= {"command": "python benchmarks/portraits.py", "machine": machine(), "labelled": HOW}
    body["oracle on drawings"] = oracles = {}
    for data in portraits.MIXES:
        test = load(data, "test")
        error = confusion(test.attributes["tone"], palette.tones(test.items), len(TONES))
        oracles[data] = agreement(error, TONES) | {"no tone": int(np.array(error)[:, -1].sum())}
    test = load("portraits", "test")
    read = judged(judge, "portraits-test", test.items)
    body["judge on drawings"] = {
        key: agreement(confusion(test.attributes[key], read[key], len(groups)), groups)
        for key, groups in (("tone", TONES), ("glasses", GLASSES))
    }
    table = {"names": TONES, "counts": np.array(body["judge on drawings"]["tone"]["counts"])[:, :-1]}
    names = [n for n in shelf.names() if shelf.config_of(n)["recipe"]["data"] in portraits.MIXES]
    for name in asked.models or names:
        data = shelf.config_of(name)["recipe"]["data"]
        items, train = drawn(name), load(data)
        read, seen = (
            judged(judge, f"{name}-{shelf.config_of(name)['weights_sha256'][:16]}", items),
            palette.tones(items),
        )
        trained = pd.DataFrame(
            {
                "tone": np.array(TONES)[train.attributes["tone"]],
                "glasses": np.array(GLASSES)[train.attributes["glasses"]],
            }
        )
        body["models"][name] = {
            "weights": shelf.config_of(name)["weights_sha256"], "data": data, "trained on": train.shares()["tone"],
            "hand labels": by_hand(name, labels, read, seen) if name in LOOKED else None,
            "audit": audit(name, read, seen, labels, table, oracles[data], train.shares()["tone"]),
            "amplification, tone to glasses": ties(name, read, seen, trained),
        }  # fmt: skip
        RESULTS.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
