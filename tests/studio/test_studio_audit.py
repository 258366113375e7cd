"""The bias audit as a visitor gets it: gathered, named, audited, looked at, and what it says to bad input."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from small_models import REPOSITORY

from audits.bias.pictures import contents
from audits.provenance import read_claim
from genlab.__main__ import main
from genlab.data import portraits
from genlab.studio import bias_audit, collect, labelling, naming
from genlab.studio.bias_audit import Asked
from genlab.studio.regenerate import regenerate
from genlab.studio.shelf import StudioError

MODEL, JUDGE = "vae-portraits-biased", "judge-portraits"


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    monkeypatch.setenv("GENLAB_SHELF", str(REPOSITORY / "model_cards"))


def finished(work):
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as done:
            return done.value, steps


@pytest.fixture(scope="module")
def drawn():
    return finished(collect.from_model(MODEL, count=60, seed=3, columns=["tone", "glasses"]))[0]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def zipped(tmp_path_factory):
    """Twelve drawn portraits in two folders, clothes that no judge of portraits knows, and two broken files."""
    path = tmp_path_factory.mktemp("zip") / "set.zip"
    items, groups = portraits.draw(12, portraits.MIXES["portraits-balanced"], first_seed=1_100_000)
    with zipfile.ZipFile(path, "w") as archive:
        for i, item in enumerate(items):
            side = "glasses" if groups["glasses"][i] else "bare"
            archive.writestr(f"{side}/{i}.png", png(item.transpose(1, 2, 0)))
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
        archive.writestr("bare/noise.png", png(noise))
        archive.writestr("bare/broken.png", b"\x89PNG no picture")
        archive.writestr("loose.png", png(noise))
    return path, groups


def test_a_models_items_are_named_and_the_same_every_time(drawn):
    again, steps = finished(collect.from_model(MODEL, count=60, seed=3, columns=["tone", "glasses"]))
    assert again.items.table.equals(drawn.items.table)
    assert again.thumbs == drawn.thumbs
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert steps[-1].done == steps[-1].total == 60
    later, _ = finished(collect.from_model(MODEL, count=20, seed=13, columns=["tone", "glasses"]))
    assert later.thumbs["13"] == drawn.thumbs["13"]  # an item depends on its seed alone
    assert set(drawn.validation) == {"tone", "glasses"}
    assert len(drawn.training) == 20_000


def test_work_can_be_dropped_between_two_steps():
    work = collect.from_model(MODEL, count=500, seed=0, columns=["tone"])
    next(work)
    next(work)
    work.close()
    assert finished(collect.from_model(MODEL, count=20, seed=0, columns=["tone"]))[0].thumbs


def test_the_audit_says_what_is_off_and_every_group_appears(drawn):
    audited = bias_audit.audit(drawn, Asked(("tone", "glasses")))
    assert [f.name for f in audited.by_column["tone"]] == list(portraits.ATTRIBUTES["tone"])
    assert all(f.low <= f.value <= f.high for f in audited.by_column["tone"])
    assert audited.by_column["tone"][0].verdict == "worse"  # more than half are very light, a fifth was asked for
    assert audited.headlines[0].startswith("tone: very light")
    rows, across, counts = audited.cells
    assert counts.shape == (len(rows), len(across)) == (5, 2)
    assert any(f.name == "tone -> glasses.amplification" for f in audited.report.findings)
    assert any(f.name == "tone -> glasses.gap" for f in audited.report.findings)
    files = audited.files()
    assert files["report.pdf"].startswith(b"%PDF")
    assert set(files) == {"report.json", "report.csv", "report.html", "report.pdf"}


def test_against_its_training_data_the_same_model_is_faithful(drawn):
    audited = bias_audit.audit(drawn, Asked(("tone",), reference="training data"))
    assert [f.floor for f in audited.by_column["tone"]] == pytest.approx([0.55, 0.2, 0.12, 0.08, 0.05], abs=0.01)
    assert not any(f.verdict == "worse" for f in audited.by_column["tone"])


def test_sheets_leave_sealed_and_say_that_they_are_no_single_item(drawn):
    group = drawn.items.table["tone"].dropna().iloc[0]
    sheet = bias_audit.contact_sheet(drawn, "tone", group)
    claim = read_claim(sheet)
    assert claim.model == MODEL
    assert claim.inputs["group"] == group
    assert bias_audit.contact_sheet(drawn, "tone", "no such group") is None
    with pytest.raises(ValueError, match="audit"):
        regenerate(sheet)


def test_a_zip_is_grouped_by_folder_and_by_the_judge(zipped):
    path, groups = zipped
    namer = naming.ByJudge(JUDGE, ("glasses",))
    found, _ = finished(collect.from_pictures(contents(path), namer, name="set.zip", by_subfolder=True))
    table = found.items.table
    assert list(table.columns) == ["folder", "glasses"]
    assert len(table) == 13
    assert table["glasses"].isna()["bare/noise.png"]
    told = " ".join(found.items.notes)
    assert "broken.png" in told
    assert "loose.png" in told
    seen = [table.loc[f"{'glasses' if g else 'bare'}/{i}.png", "glasses"] for i, g in enumerate(groups["glasses"])]
    drawn = [portraits.ATTRIBUTES["glasses"][g] for g in groups["glasses"]]
    assert sum(a == b for a, b in zip(seen, drawn, strict=True)) >= 10
    assert not any(
        a != b for a, b in zip(seen, drawn, strict=True) if isinstance(a, str)
    )  # one in a hundred is refused
    assert found.made is None
    assert (
        read_claim(bias_audit.contact_sheet(found, "folder", "bare")) is None
    )  # somebody's own pictures are not marked as ours
    audited = bias_audit.audit(found, Asked(("folder",), question="folder"))
    assert sum(f.n for f in audited.by_column["folder"]) == 13


def test_pictures_without_folders_need_another_namer(zipped):
    path, _ = zipped
    loose = list(collect.loose([("a.png", path), ("a.png", path)]))
    assert [name for name, _ in loose] == ["a.png", "2-a.png"]
    with pytest.raises(ValueError, match="no picture that can be read"):
        finished(collect.from_pictures(iter(loose), naming.Nobody(), name="2 pictures", by_subfolder=False))


def test_skin_tone_is_read_from_the_middle(zipped):
    path, _ = zipped
    found, _ = finished(collect.from_pictures(contents(path), naming.BySkinTone(), name="set", by_subfolder=False))
    names = set(found.items.table["skin tone"])
    assert names <= set(found.expected["skin tone"])
    assert len(names - {"cannot tell"}) > 1


def test_a_table_is_previewed_and_audited(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("item,tone,score\n" + "".join(f"i{n},{'light' if n % 3 else 'dark'},{n}\n" for n in range(60)))
    seen = collect.preview(path)
    assert seen.columns == ("tone",)
    assert seen.groups == {"item": 60, "tone": 2, "score": 60}
    found, _ = finished(collect.from_table(path, ["tone"], outcome="score"))
    audited = bias_audit.audit(found, Asked(("tone",), outcome="score"))
    assert audited.by_column["tone"][1].value == pytest.approx(2 / 3)
    assert any(f.name == "score.gap" for f in audited.report.findings)
    with pytest.raises(ValueError, match="no column"):
        finished(collect.from_table(path, ["size"]))
    with pytest.raises(StudioError, match="at least one column"):
        finished(collect.from_table(path, []))


# ---- what people write


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "Write your own"), ("dark", "share once"), ("dark, many", "share once"), ("dark, 1\ndark, 0", "share once")],
)  # fmt: skip
def test_own_shares_are_lines(text, told):
    with pytest.raises(StudioError, match=told):
        bias_audit.own_shares(text, ["tone"])


def test_own_shares_may_be_percent_and_of_several_columns():
    found = bias_audit.own_shares("tone.dark, 20%\ntone.light, .8\nglasses.glasses, 1", ["tone", "glasses"])
    assert found == {"tone": {"dark": 0.2, "light": 0.8}, "glasses": {"glasses": 1.0}}


def test_shares_that_do_not_sum_to_one_and_foreign_groups_are_named(drawn):
    lines = [f"{g}, {s}" for g, s in zip(portraits.ATTRIBUTES["tone"], (0.5, 0.2, 0.1, 0.1, 0.2), strict=True)]
    with pytest.raises(ValueError, match="must sum to 1"):
        bias_audit.audit(drawn, Asked(("tone",), "own shares", "\n".join(lines)))
    with pytest.raises(ValueError, match="no share for"):
        bias_audit.audit(drawn, Asked(("tone",), "own shares", "pale, 1"))
    with pytest.raises(StudioError, match="is one of"):
        bias_audit.audit(drawn, Asked(("tone",), "fairness"))
    with pytest.raises(StudioError, match="Choose attributes"):
        bias_audit.audit(drawn, Asked(("size",)))


@pytest.mark.parametrize("count", [0, 19, 2001, 4.5, None, "many", float("nan")])
def test_counts_are_whole_numbers_in_range(count):
    with pytest.raises(StudioError, match="number of items"):
        next(collect.from_model(MODEL, count=count, seed=0, columns=["tone"]))


def test_the_plan_is_one_sentence_and_may_be_never():
    assert "items show a gap" in bias_audit.plan(0.05, 0.2, "tone", JUDGE)
    assert bias_audit.plan(0.05, 0.5).startswith("783 items")
    assert "gaps of 5.0%" in bias_audit.seen_with(783, 0.5)
    assert "2,000 items show gaps of 2." in bias_audit.seen_with(2000, 0.2, "tone", JUDGE)
    with pytest.raises(StudioError, match="between 0 and 1"):
        bias_audit.plan(0, 0.5)


# ---- looking for oneself


def test_a_round_of_labels_is_blind_undone_saved_and_gone_on_with(drawn):
    start = labelling.begin(drawn, "tone", [], count=30, seed=1)
    predicted = drawn.items.table["tone"].reindex(start.queue)
    assert len(start.queue) == len(set(start.queue)) == 30
    assert not predicted.is_monotonic_increasing  # the order gives nothing away
    now = start
    for _ in range(7):
        now = now.answered("dark")
    now = now.answered(labelling.UNSURE).undone().answered(labelling.UNSURE)
    assert len(now.labels()) == 7
    again = labelling.resumed(labelling.begin(drawn, "tone", [], count=30, seed=1), labelling.to_csv(now))
    assert again.given == now.given
    assert again.now == now.now
    with pytest.raises(StudioError, match="Answer with"):
        now.answered("pale")
    with pytest.raises(StudioError, match="not in this round"):
        labelling.resumed(start, b"item,label\nnobody,dark\n")
    with pytest.raises(StudioError, match="which is not among"):
        labelling.resumed(start, f"item,label\n{start.queue[0]},pale\n".encode())
    with pytest.raises(StudioError, match="columns item and label"):
        labelling.resumed(start, b"a,b\n1,2\n")
    with pytest.raises(StudioError):
        labelling.resumed(start, b"\xff\xfe\x00")


def test_labels_that_contradict_the_judge_raise_the_alarm_and_move_the_shares(drawn):
    now = labelling.begin(drawn, "glasses", [], count=50)
    predicted = drawn.items.table["glasses"]
    for item in now.queue:
        now = now.answered("glasses" if predicted[item] == "no glasses" else "no glasses")  # a person who disagrees
    audited = bias_audit.audit(drawn, Asked(("glasses",)), labels={"glasses": now.labels()})
    (shift,) = [f for f in audited.report.findings if f.name == "shift"]
    assert shift.verdict == "worse"
    assert any("trust the labels" in words for words in audited.headlines)
    plain = bias_audit.audit(drawn, Asked(("glasses",))).by_column["glasses"][1].value
    assert audited.by_column["glasses"][1].value == pytest.approx(1 - plain, abs=0.1)


def test_labels_alone_are_an_audit(zipped):
    path, _ = zipped
    found, _ = finished(collect.from_pictures(contents(path), naming.Nobody(), name="set", by_subfolder=False))
    assert not found.columns
    now = labelling.begin(found, "mood", ["glad", "sad"], count=10)
    for i in range(10):
        now = now.answered("glad" if i < 8 else "sad")
    audited = bias_audit.audit(found, Asked(("mood",)), labels={"mood": now.labels()})
    assert audited.by_column["mood"][0].value == pytest.approx(0.8)
    assert audited.by_column["mood"][0].n == 8
    assert any("labelled by hand" in words for words in audited.report.caveats)
    with pytest.raises(StudioError, match="2 to"):
        labelling.begin(found, "mood", ["glad"], count=10)


# ---- the command


def test_the_command_writes_reports_items_and_sheets(tmp_path, capsys):
    out = tmp_path / "audit"
    asked = ["audit", MODEL, "--groups", "tone", "--count", "20", "--seed", "5", "--out", str(out)]
    assert main(asked) == 0
    assert {"report.json", "report.csv", "report.html", "report.pdf", "items.csv"} <= {p.name for p in out.iterdir()}
    assert "share.very light" in capsys.readouterr().out
    assert (out / "items.csv").read_text().splitlines()[0] == "item,tone"
    assert any(read_claim(p.read_bytes()).model == MODEL for p in out.glob("tone-*.png"))
    assert main(asked) == 2  # the folder is not empty any more
    assert "not empty" in capsys.readouterr().err


def test_the_command_takes_own_shares_from_a_file(tmp_path, capsys):
    shares = tmp_path / "shares.csv"
    shares.write_text("group,share\n" + "".join(f"{g},0.2\n" for g in portraits.ATTRIBUTES["tone"]))
    asked = ["audit", MODEL, "--count", "20", "--reference", str(shares), "--out", str(tmp_path / "a")]
    assert main(asked) == 0
    assert "discrepancy" in capsys.readouterr().out
    assert main(["audit", MODEL, "--count", "20", "--groups", "size", "--out", str(tmp_path / "b")]) == 2
    assert "choose among them" in capsys.readouterr().err
