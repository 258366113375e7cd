"""Model cards: rendered from `config.json` and a model's own `about.md`, and checked against both, offline.

The sections are those of Mitchell et al. 2019 (figure 1). Text comes from `about.md`, every figure from
`config.json`: where the text needs one it says `{name}`, `{name.interval}`, `{name.floor}` or `{name.n}`.
"""

import dataclasses
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

from genlab import checkpoint
from genlab.card_metadata import LICENCE, SPDX, TASKS, front_matter, lawful
from genlab.card_sources import BY_ARCHIVE, BY_PIXEL, SOURCES, Source
from genlab.card_text import PLACEHOLDER, TYPED, about, duration, filled, interval, number, section, spoken
from genlab.models import FAMILIES, build

SECTIONS = (
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
    "Environmental cost",
    "Reproduce",
)
PICTURES = ("samples.png", "failures.png")
# The figures that stand for a model where there is room for a few; each model shows those it has.
HEADLINES = (
    "test_accuracy",
    "pooled_psnr",
    "denoised_psnr_01",
    "denoised_psnr_02",
    "denoised_psnr_05",
    "active_share",
    "jacobian_norm",
    "knn_accuracy",
    "trustworthiness",
    "continuity",
    "bits_per_dim",
    "bits_per_dim_iw16",
    "fashion_fid",
    "fashion_fid_unguided",
    "fashion_fid_over_mixture",
    "fashion_fid_unguided_over_mixture",
    "portraits_fid",
    "portraits_fid_over_mixture",
    "accuracy_tone",
    "accuracy_glasses",
    "tone_discrepancy",
    "recall",
    "taught_by_samples",
    "drawings_covered",
    "bits_against_jpeg",
    "archive_psnr",
    "near_copies",
    "bits_per_character",
    "bits_per_character_5gram",
    "bits_against_5gram",
    "masked_accuracy",
    "masked_accuracy_5gram",
    "pseudo_perplexity",
    "mark_found",
    "mark_cost",
    "noise_mark_found",
    "copied_runs",
    "memorisation_ratio",
    "country_deviation",
)
FIGURES = re.compile(r"(<!-- figures[^>]*-->\n).*?(<!-- end of figures -->)", re.DOTALL)
HOW_TO_READ = (
    "Each figure stands with its 95 % interval, the number of items n behind it and, where there is one, its "
    "floor: what real items of the training split score against the test split by the same measure. {distances} "
    "A figure holds for the weights, the knobs and the instrument it was measured with."
)


def write(name: str, shelf: Path = checkpoint.SHELF) -> Path:
    """Render the card into the model's folder and return the file."""
    path = checkpoint.folder_of(name, shelf) / "README.md"
    checkpoint.write(path, render(name, shelf).encode())
    return path


def render(name: str, shelf: Path = checkpoint.SHELF) -> str:
    """The card as Markdown with the Hub's front matter.

    Raises:
        ValueError: no such model.
        CheckpointError: `config.json` or `about.md` cannot be read.
    """
    folder = checkpoint.folder_of(name, shelf)
    config = checkpoint.read(folder)
    texts = {
        title: PLACEHOLDER.sub(lambda m: filled(m, config["metrics"]), text) for title, text in about(folder).items()
    }
    source, trained = SOURCES[config["recipe"]["data"]], config["trained_on"]
    kind, family = config["recipe"]["data"].partition("-")[0], FAMILIES[config["recipe"]["family"]]
    if hasattr(family, "compress_items"):
        distances = BY_ARCHIVE
    else:
        distances = BY_PIXEL if hasattr(family, "encode") and not hasattr(family, "sample") else source.distances
    body = {
        "Model details": details(config, folder),
        "Intended use": f"{texts['Intended use']}\n\n### Out-of-scope use\n\n{texts['Out-of-scope use']}",
        "Factors": texts["Factors"],
        "Metrics": HOW_TO_READ.format(distances=distances.format(kind=kind, Kind=kind.capitalize())),
        "Evaluation data": f"{source.title}: {source.tested_on}. {source.knobs} The weights measured are those "
        "shipped, rounded to bf16 and read back.",
        "Training data": training_data(source, trained),
        "Quantitative analyses": table(config["metrics"]) + confusion_tables(config.get("attributes", {})),
        "Ethical considerations": f"### Misuse and deepfakes\n\n{texts['Misuse and deepfakes']}",
        "Caveats and recommendations": f"{texts['Limitations']}\n\n![Failures of {name}](failures.png)\n\n"
        f"{texts['Failures']}",
        "Environmental cost": f"Training took {duration(trained['seconds'])} on one machine ({trained['device']}). "
        "No energy meter was read.",
        "Reproduce": reproduce(name, config),
    }
    parts = [f"---\n{front_matter(config, SOURCES[config['recipe']['data']])}\n---", f"# {name}", texts["Summary"]]
    parts += [f"![Samples of {name}](samples.png)", texts["Samples"]]
    parts += [f"## {title}\n\n{body[title]}" for title in SECTIONS]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def check(name: str, shelf: Path = checkpoint.SHELF) -> list[str]:
    """What is wrong with a model's card, one sentence each; an empty list when nothing is.

    Nothing is asked of the network.
    """
    try:
        folder = checkpoint.folder_of(name, shelf)
        config, texts, expected = checkpoint.read(folder), about(folder), render(name, shelf)
    except (ValueError, checkpoint.CheckpointError) as error:
        return [str(error)]
    path = folder / "README.md"
    if not path.is_file():
        return [f"{name} has no README.md: run python -m genlab card {name} --write."]
    card = path.read_text(encoding="utf-8")
    faults = [*front_matter_faults(name, card, config), *metric_faults(name, config), *text_faults(name, texts, config)]
    faults += [f"{name}: the section {title!r} is missing or empty." for title in SECTIONS if not section(card, title)]
    for picture in PICTURES:
        if not (folder / picture).is_file():
            faults.append(f"{name}: {picture}, which the card shows, is missing.")
    files = checkpoint.weights_of(config["recipe"]["family"]).values()
    raws = [checkpoint.read_weights(folder / file) for file in files]
    if None in raws or checkpoint.digest(raws) != config["weights_sha256"]:
        faults.append(f"{name}: the weights are not those of config.json: measure them and write the card again.")
    if card != expected:
        faults.append(f"{name}: README.md is not what config.json and about.md give: run card {name} --write.")
    return faults


def figures(shelf: Path = checkpoint.SHELF) -> str:
    """The README's table: the headline figures of every model on the shelf."""
    rows = ["| model | figure | value | 95 % interval | n | floor |", "|---|---|---|---|---|---|"]
    for name in checkpoint.names(shelf):
        for metric, m in headlines(checkpoint.read(shelf / name)).items():
            floor = "" if m["floor"] is None else number(m["floor"])
            rows.append(
                f"| `{name}` | {spoken(metric)} | {number(m['value'])} | {interval(m)} | {m['n']:,} | {floor} |"
            )
    return "\n".join(rows) if len(rows) > 2 else "Nothing has been measured yet."


def headlines(config: dict[str, Any]) -> dict[str, dict]:
    """The figures of a model that `HEADLINES` names, in that order."""
    return {name: config["metrics"][name] for name in HEADLINES if name in config["metrics"]}


def write_figures(readme: Path, shelf: Path = checkpoint.SHELF) -> None:
    """Bring the table between the README's two figure marks in step with the shelf."""
    text = readme.read_text(encoding="utf-8")
    fresh = FIGURES.sub(lambda marks: f"{marks[1]}\n{figures(shelf)}\n\n{marks[2]}", text)
    if fresh != text:
        checkpoint.write(readme, fresh.encode())


# ---- parts of the card


def details(config: dict[str, Any], folder: Path) -> str:
    """Family, size, recipe, versions, and the knobs with their ranges."""
    kind = FAMILIES[config["recipe"]["family"]]
    paragraphs = (sys.modules[kind.__module__].__doc__ or "").strip().split("\n\n")[:2]
    theory = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    files = list(checkpoint.weights_of(config["recipe"]["family"]).values())
    shut = [f"`{file}{checkpoint.PACKED}`" for file in files if not (folder / file).exists()]
    packed = f", kept as {' and '.join(shut)}" if shut else ""
    open_ = " and ".join(f"`{file}`" for file in files)
    lines = [
        theory,
        "",
        f"- Developed by the GenLab contributors; licence of the weights: {LICENCE}.",
        f"- Parameters: {config['parameters']:,}. Weights: {open_}, sha256 `{config['weights_sha256']}`{packed}.",
        f"- Made with {versions}.",
    ]
    lines += knobs(config)
    lines += ["", "The recipe:", "", "```json", json.dumps(config["recipe"], indent=1), "```"]
    return "\n".join(lines)


def knobs(config: dict[str, Any]) -> list[str]:
    """A table of the knobs that this very model has, as they stand when nobody turns them; nothing without knobs."""
    model = build(config["recipe"]["family"], config["recipe"]["model"])
    if not hasattr(model, "Knobs"):
        return []
    if "few_steps" in config:
        model.take_few_steps(config["few_steps"])
    start = model.default_knobs() if hasattr(model, "default_knobs") else model.Knobs()
    lines = ["", "| knob | default | range | what it does |", "|---|---|---|---|"]
    for field in dataclasses.fields(start):
        m = field.metadata
        span = ", ".join(m["choices"]) if m["choices"] else f"{m['low']:g} to {m['high']:g}"
        lines.append(f"| {field.name} | {getattr(start, field.name)} | {span} | {m['help']} |")
    return lines


def training_data(source: Source, trained: dict[str, Any]) -> str:
    """What the model learnt from, whose it is, and what is wrong with it."""
    lines = [
        f"{source.title}, {trained['split']} split, {trained['items']:,} items. Licence: {trained['licence']}. "
        f"{trained['attribution']}.",
        "",
        *(f"- {caveat}" for caveat in source.caveats),
    ]
    if trained.get("shares"):
        lines += ["", "Shares of the groups in it:", "", "| attribute | shares |", "|---|---|"]
        for attribute, groups in trained["shares"].items():
            shares = ", ".join(f"{group} {100 * share:.1f} %" for group, share in groups.items())
            lines.append(f"| {attribute.replace('_', ' ')} | {shares} |")
    return "\n".join(lines)


def confusion_tables(attributes: dict[str, Any]) -> str:
    """Counts of held-out items by true group (rows) and by the group the judge names (columns)."""
    parts = []
    for attribute, counted in attributes.items():
        names = counted["names"]
        parts += [f"### Confusion of {attribute.replace('_', ' ')} on held-out items", ""]
        parts += [f"| true | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        rows = zip(names, counted["counts"], strict=True)
        parts += [f"| {name} | {' | '.join(f'{count:,}' for count in row)} |" for name, row in rows]
        parts.append("")
    return "\n\n" + "\n".join(parts).strip() if parts else ""


def table(metrics: dict[str, dict]) -> str:
    """The figures, one row each."""
    if not metrics:
        return "Nothing has been measured yet."
    rows = ["| figure | value | 95 % interval | n | floor | unit |", "|---|---|---|---|---|---|"]
    for name, m in metrics.items():
        floor = "" if m["floor"] is None else number(m["floor"])
        rows.append(f"| {spoken(name)} | {number(m['value'])} | {interval(m)} | {m['n']:,} | {floor} | {m['unit']} |")
    return "\n".join(rows)


def reproduce(name: str, config: dict[str, Any]) -> str:
    """The commands that train the model, draw from it and measure each figure."""
    lines = [f"python -m genlab train {name}"]
    if getattr(FAMILIES[config["recipe"]["family"]], "Knobs", None):
        lines.append(f"python -m genlab sample {name} --count 16 --seed 0 --out samples")
    by_command: dict[str, list[str]] = {}
    for metric, m in config["metrics"].items():
        by_command.setdefault(m["command"], []).append(metric)
    lines += [f"{command}  # {', '.join(figures)}" for command, figures in by_command.items()]
    lines.append(f"python -m genlab evaluate {name} --check  # fails where a figure leaves its interval")
    return "```sh\n" + "\n".join(lines) + "\n```"


# ---- the checks


def front_matter_faults(name: str, card: str, config: dict[str, Any]) -> list[str]:
    """Faults of the YAML: unreadable, licence or task unknown, figures other than config's."""
    import yaml

    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    try:
        data = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        data = None
    if not isinstance(data, dict):
        return [f"{name}: the card's front matter is missing or not YAML."]
    faults = []
    if data.get("license") not in SPDX:
        faults.append(f"{name}: {data.get('license')!r} is not a licence identifier of SPDX.")
    if data.get("pipeline_tag") not in TASKS.values():
        faults.append(f"{name}: {data.get('pipeline_tag')!r} is not a task of this house.")
    if not data.get("datasets") or not data.get("tags"):
        faults.append(f"{name}: the front matter names no data set or no tag.")
    results = [r for entry in data.get("model-index") or [] for r in entry.get("results", [])]
    shown = {m.get("type"): m.get("value") for r in results for m in r.get("metrics", [])}
    for metric, m in config["metrics"].items():
        if shown.get(metric) != m["value"]:
            faults.append(f"{name}: the front matter gives {metric} as {shown.get(metric)}, config.json {m['value']}.")
    faults += [f"{name}: the front matter's {m} is not in config.json." for m in shown if m not in config["metrics"]]
    return faults


def metric_faults(name: str, config: dict[str, Any]) -> list[str]:
    """Figures that lack a part, or whose interval does not hold them; data under an unknown licence."""
    faults = []
    if not config["metrics"]:
        faults.append(f"{name} has no figures: run python -m genlab evaluate {name} --publish.")
    for metric, m in config["metrics"].items():
        missing = {"value", "low", "high", "n", "floor", "unit", "command"} - set(m)
        if missing:
            faults.append(f"{name}: {metric} lacks {', '.join(sorted(missing))}.")
        elif (
            not all(math.isfinite(m[key]) for key in ("value", "low", "high"))
            or not m["low"] <= m["value"] <= m["high"]
        ):
            faults.append(f"{name}: {metric} is {m['value']}, outside its interval {m['low']} to {m['high']}.")
    if not lawful(config["trained_on"]["licence"]):
        faults.append(f"{name}: the data's licence {config['trained_on']['licence']!r} is not one of SPDX.")
    return faults


def text_faults(name: str, texts: dict[str, str], config: dict[str, Any]) -> list[str]:
    """Figures typed into the text, and placeholders that name no figure."""
    faults = []
    for title, text in texts.items():
        bare = PLACEHOLDER.sub("", text)
        faults += [
            f"{name}: about.md, {title!r}: {typed!r} is typed; put the figure's name in braces."
            for typed in TYPED.findall(bare)
        ]
        faults += [
            f"{name}: about.md, {title!r}: {wrong!r} is no placeholder." for wrong in re.findall(r"\{.*?\}", bare)
        ]
        faults += [
            f"{name}: about.md, {title!r}: config.json has no figure {metric!r}."
            for metric, _ in PLACEHOLDER.findall(text)
            if metric not in config["metrics"]
        ]
    return faults
