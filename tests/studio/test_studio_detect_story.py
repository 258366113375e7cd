"""The page's figures are those of the bench, and the bench keeps what was promised."""

import json

import pytest

from genlab.studio import detect_story
from genlab.studio.detect_story import OURS, RESULTS


@pytest.fixture(scope="module")
def sections() -> dict:
    return {name: part["found"] for name, part in json.loads(RESULTS.read_text())["sections"].items()}


def test_the_table_is_ranked_and_ours_leads_it():
    rows, sentences = detect_story.told()
    areas = [float(row[1]) for row in rows]
    assert areas == sorted(areas, reverse=True)
    assert rows[0][0] == OURS
    assert any("MNIST's digits with 0.0" in s for s in sentences)  # the VAE's likelihood fails


def test_without_results_the_reasons_remain(monkeypatch, tmp_path):
    monkeypatch.setattr(detect_story, "RESULTS", tmp_path / "none.json")
    assert detect_story.told() == ([], [detect_story.REASON, detect_story.REMEDY])


def test_the_readme_states_these_figures(sections):
    text = (RESULTS.parent.parent.parent / "README.md").read_text(encoding="utf-8")

    def pair(found: dict) -> str:
        return f"{found['mean']:.3f} ({found['worst']:.3f})"

    strangers = [sections["out_of_distribution"][name] for name in (OURS, "VAE likelihood")]
    cells, tables = sections["solar_cells"], sections["tables"].values()
    ours = ", ".join(f"{of[OURS]['mean']:.3f}" for of in tables)
    rest = ", ".join(f"{max(r['mean'] for n, r in of.items() if n != OURS):.3f}" for of in tables)
    for stated in (
        f"| {pair(sections['fashion'][OURS])} | {pair(sections['fashion_peers']['raw-pixel 1-NN'])}",
        f"| {pair(sections['mnist'][OURS])} | {pair(sections['mnist']['raw-pixel 1-NN'])}",
        " | ".join(f"{min(r['auroc'] for r in s.values()):.3f} ({s['MNIST']['auroc']:.{d}f})"
                   for s, d in zip(strangers, (4, 3), strict=True)),
        f"| {cells[OURS]['auroc']:.3f} | {max(r['auroc'] for n, r in cells.items() if n != OURS):.3f}",
        f"| {ours} | {rest}",
    ):  # fmt: skip
        assert stated in text


def test_one_class_figures_reach_what_was_promised(sections):
    fashion, mnist = sections["fashion"][OURS], sections["mnist"][OURS]
    assert fashion["mean"] >= 0.945
    assert fashion["worst"] >= 0.87
    assert fashion["seconds_a_class"] <= 60
    assert mnist["mean"] >= 0.985
    peers = {**sections["fashion_peers"], **{n: r for n, r in sections["fashion"].items() if n != OURS}}
    assert all(fashion["mean"] > r["mean"] for r in peers.values() if "mean" in r)


def test_strangers_are_told_from_clothes(sections):
    found = sections["out_of_distribution"][OURS]
    assert len(found) == 8
    assert min(r["auroc"] for r in found.values()) >= 0.95
    assert found["MNIST"]["auroc"] >= 0.999


def test_defects_are_found_better_than_by_the_others(sections):
    cells = sections["solar_cells"]
    assert len(cells) > 10
    assert all(cells[OURS]["auroc"] > r["auroc"] for name, r in cells.items() if name != OURS)


def test_false_alarms_are_as_often_as_stated(sections):
    rows = sections["calibration"]
    assert len(rows) == 20
    assert all(row["low"] <= row["alarms"] <= row["high"] for row in rows.values())
