"""`python -m genlab sample NAME` of a language model: texts and their signed claims in a folder."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from genlab.terminal import progress_bar


def check_folder(out: Path) -> None:
    """Raise ValueError unless the folder is new or empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not empty: name a new folder, so that manifest.json lists all that is in it.")


def write_texts(arguments: argparse.Namespace, knobs: Mapping[str, object]) -> int:
    """Names go into one samples.txt, a line each, with their groups in samples.csv; longer texts into a file each."""
    from genlab.studio import hub_text, write

    out = arguments.out
    check_folder(out)
    known, _ = hub_text.opened(arguments.name, "write")
    if len(arguments.prompt) > 1:
        raise ValueError(f"A text goes on from one prompt; {len(arguments.prompt)} were given.")
    asked = {
        "prompt": "".join(arguments.prompt),
        "groups": groups_of(known, arguments.label),
        "length": arguments.length or 200,
        "knobs": knobs,
        "seed": arguments.seed,
    }
    if known.groups:  # one file: all at once
        parts = [asked | {"count": arguments.count, "most": arguments.count}]
    else:
        parts = [
            asked | {"seed": arguments.seed + i, "count": min(write.MOST, arguments.count - i)}
            for i in range(0, arguments.count, write.MOST)
        ]
    manifest, notes = [], {}
    with progress_bar() as bar:
        task = bar.add_task(arguments.name, total=arguments.count, note="")
        for part in parts:
            made = write.write(arguments.name, **part)
            out.mkdir(parents=True, exist_ok=True)
            for name, sealed in zip(made.names, made.sealed, strict=True):
                (out / name).write_bytes(sealed.media)
                (out / write.claim_name(name)).write_bytes(sealed.sidecar or b"")
            if known.groups:
                (out / "samples.csv").write_text(made.table, encoding="utf-8")
            manifest += write.listed(made)
            notes |= dict.fromkeys(made.notes)
            bar.update(task, advance=part["count"])
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    what = f"{arguments.count:,} items in samples.txt" if known.groups else f"{len(manifest):,} texts"
    print(f"{out}: {what}, their claims and manifest.json.", *notes)
    return 0


def groups_of(known, label: str | None) -> dict[str, str]:
    """The groups that a label names, by attribute: "France", "female" or "France/female".

    Raises:
        ValueError: the model has no groups, or none of that name.
    """
    if not label:
        return {}
    if not known.groups:
        raise ValueError(f"{known.name} has no classes: leave the label out.")
    found: dict[str, str] = {}
    for part in label.split("/"):
        fits = {a: g for a, groups in known.groups for g in groups if g.casefold() == part.strip().casefold()}
        if not fits or set(fits) & set(found):
            listed = "; ".join(f"{a}: {', '.join(groups)}" for a, groups in known.groups)
            raise ValueError(f"Labels of {known.name} are one group of each kind ({listed}); {label[:60]!r} was given.")
        found |= fits
    return found
