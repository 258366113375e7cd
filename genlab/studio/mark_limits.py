"""What watermarks cannot do, in plain words with the figures that the benchmarks measured."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from audits.watermark.attacks import ATTACKS

RESULTS = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "results"


def words() -> str:
    """The page as Markdown. A figure that was not measured yet is left out together with its sentence."""
    marks, verdict, noise = (_read(f"{name}.json") for name in ("watermark", "verdict", "noise_mark"))
    parts = [
        "**A missing mark proves nothing.** Other tools set none, and ours can be taken out: whoever blurs, crops, "
        "re-draws or re-generates a picture hard enough wins. A mark raises the effort; it does not end the game.",
        _survival(marks),
        _verdict(verdict),
        "**A mark can be copied.** Whoever has one marked picture can lay its faint pattern over another. So a mark "
        "alone is never called proof of origin here: it must name an entry of the ledger, and the picture must show "
        "what that entry's thumbnail shows.",
        "**Whoever holds the key can forge.** Signing and marking use one secret. If it leaks, anybody can make files "
        "that this page calls ours, and nothing in the files would tell. A key that was made on first run vouches for "
        "one installation only.",
        "**Small pictures carry no mark in their pixels.** In 28 x 28 an invisible one that survives an edit does not "
        "fit. Pictures are marked as they are delivered, enlarged; the raw pixel grid carries the signed claim alone, "
        "and loses it with its metadata.",
        _noise(noise),
        _texts(_read("text_watermark.json"), _read("text_watermark_keys.json")),
        _false_alarms(verdict),
        "**A mark says what, never who.** It carries 32 bits that name an entry of the ledger: model, seed and "
        "settings. Nothing in it names a person.",
    ]
    return "\n\n".join(part for part in parts if part)


def _read(name: str) -> dict[str, Any]:
    try:
        return json.loads((RESULTS / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _survival(marks: dict[str, Any]) -> str:
    said = []
    for corpus, what in (("own", "our own models' pictures"), ("256", "photographs of 256 pixels")):
        found = marks.get("corpora", {}).get(corpus, {}).get("methods", {}).get("ours, learned reader")
        if found:
            weakest = sorted(found["edits"].items(), key=lambda pair: pair[1]["value"])[:3]
            named = ", ".join(f"{edit} {rate['value']:.0%}" for edit, rate in weakest)
            said.append(
                f"on {what} it is read after {found['mean']:.1%} of edits ({found['low']:.1%} to {found['high']:.1%}, "
                f"n = {found['n']}; weakest: {named}), at a cost of {found['psnr']:.1f} dB PSNR"
            )
    if not said:
        return ""
    return "**What the mark alone survives**, over thirty edits: " + "; ".join(said) + "."


def _noise(noise: dict[str, Any]) -> str:
    said = []
    for model, parts in noise.items():
        read = parts.get("read") if isinstance(parts, dict) else None
        if read:
            own, edits = read["own pixels"], {k: v["value"] for k, v in read.items() if k in ATTACKS}
            lost = ", ".join(edit for edit, value in edits.items() if not value)
            said.append(
                f"{own['value']:.0%} of what {model} draws ({own['low']:.0%} to {own['high']:.0%}, n = {own['n']}) are "
                f"known by it in their own few pixels, and {np.mean(list(edits.values())):.0%} over thirty edits of "
                f"the enlarged picture (none after {lost})"
            )
    if not said:
        return ""
    return (
        "**Signs in the noise** are the exception: a diffusion model's pictures start from noise whose signs are our "
        "key's, which takes nothing from the picture, and whoever has key and model can go back to that noise: "
        + "; ".join(said)
        + "."
    )


def _texts(texts: dict[str, Any], keys: dict[str, Any]) -> str:
    found = {name: known.get("found", {}) for name, known in texts.get("detection", {}).items()}
    own, duller = found.get("ours, temperature 1"), found.get("ours, temperature 0.5")
    if not own or not duller:
        return ""
    changed = min(rate["share"] for name, rate in own.items() if "of words" in name)
    said = (
        f"**A text must be long enough, and free.** Of texts of 256 tokens {own['256 tokens']['share']:.1%} are found, "
        f"and at least {changed:.1%} where up to 30 % of their words were deleted, swapped or re-cased; of 64 tokens "
        f"{own['64 tokens']['share']:.0%}, but {duller['64 tokens']['share']:.0%} where the model hardly had a choice. "
        "Names and single lines carry none, a rewriting in other words leaves none, and what a model was bound to say "
        "cannot carry any."
    )
    broken = keys.get("attack", {}).get("transformers SynthID")
    if broken:
        said += (
            f" Some marks give their keys away: of a widespread library's, {broken['recovered_among_as_many_best']} of "
            f"{broken['keys']} keys could be computed from {keys['tokens']:,} marked tokens; the same search finds "
            "nothing of ours."
        )
    return said


def _verdict(verdict: dict[str, Any]) -> str:
    found = verdict.get("battery", {}).get("own")
    if not found:
        return ""
    weakest = min(found["edits"], key=lambda edit: found["edits"][edit]["value"])
    return (
        f"**All layers together** name {found['found']:.1%} of our own models' edited files ({found['low']:.1%} to "
        f"{found['high']:.1%}, n = {found['n']} items and {len(found['edits'])} edits); the weakest edit is {weakest} "
        f"with {found['edits'][weakest]['value']:.0%}."
    )


def _false_alarms(verdict: dict[str, Any]) -> str:
    proof = (
        "**False alarms.** A mark counts as found at a p-value of one in a million, which is proved from the secret "
        "signs alone (Hoeffding's inequality), whatever the picture is, and pays for every turn, size, shift and key "
        "that was tried."
    )
    found = verdict.get("strangers")
    if not found or not found.get("n"):
        return proof
    like = sum(found["looks like"].values())
    return (
        f"{proof} Of {found['n']:,} pictures that nobody marked, {found['called ours']} were called ours (at most "
        f"{found['at most, 95 %']:.2g}, 95 % sure); the smallest p-value was {found['smallest p']:.1g}. Likeness is "
        f"weaker: {like} of them looked like an entry of the ledger, and were said to look like it and no more."
    )
