"""`python -m audits`: its files, its words and its exit statuses."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audits.__main__ import main
from audits.provenance import Claim, Key
from audits.provenance.keys import FILE
from audits.report import Report

ROOT = Path(__file__).parents[2]
CLAIM = Claim("vae-fashion", "ef" * 32, "generate", 1, {"label": "Coat"}, {"temperature": 1.0})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("GENLAB_SIGNING_KEY", raising=False)
    monkeypatch.setenv("GENLAB_KEY_FOLDER", str(tmp_path / "keys"))
    monkeypatch.setenv("GENLAB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 3), "teal").save(tmp_path / "plain.png")
    (tmp_path / "notes.txt").write_text("some text\n")
    (tmp_path / "claim.json").write_text(CLAIM.to_json())
    return tmp_path


def test_seal_then_verify_a_picture(folder, capsys):
    assert main(["seal", "plain.png", "--claim", "claim.json", "--out", "sealed.png"]) == 0
    capsys.readouterr()
    assert main(["verify", "sealed.png", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["verdict"] == "made here"
    assert body["claim"] == json.loads(CLAIM.to_json())
    assert main(["verify", "sealed.png"]) == 0
    assert "development key" in capsys.readouterr().out


def test_seal_then_verify_text_with_its_claim_beside_it(folder):
    assert main(["seal", "notes.txt", "--claim", "claim.json", "--out", "sealed.txt"]) == 0
    assert main(["verify", "sealed.txt"]) == 0
    (folder / "sealed.txt").write_text("other text\n")
    assert main(["verify", "sealed.txt"]) == 4
    (folder / "sealed.txt.claim.json").unlink()
    assert main(["verify", "sealed.txt"]) == 1


def test_exit_statuses(folder, monkeypatch):
    main(["seal", "plain.png", "--claim", "claim.json", "--out", "sealed.png"])
    sealed = (folder / "sealed.png").read_bytes()
    image = Image.open(io.BytesIO(sealed))
    (folder / "cut.png").write_bytes(sealed[:-20])
    (folder / "forged.png").write_bytes(sealed.replace(b'"model":"', b'"model":"x')[: len(sealed)])
    image.save(folder / "stripped.png")
    assert main(["verify", "plain.png"]) == 1
    assert main(["verify", "stripped.png"]) == 1
    assert main(["verify", "cut.png"]) == 3
    assert main(["verify", "forged.png"]) == 3
    assert main(["verify", "absent.png"]) == 3
    monkeypatch.setenv("GENLAB_LEDGER", str(folder / "other ledger"))
    assert main(["verify", "sealed.png", "--key-folder", "elsewhere"]) == 1
    assert not (folder / "other ledger").exists()
    assert not (folder / "elsewhere").exists()  # verifying makes no key
    with pytest.raises(SystemExit) as caught:
        main(["verify"])
    assert caught.value.code == 2


def test_altered_pixels_exit_4(folder):
    from audits.provenance.containers import join_png, png_chunks

    main(["seal", "plain.png", "--claim", "claim.json", "--out", "sealed.png"])
    chunks = png_chunks((folder / "sealed.png").read_bytes())
    Image.new("RGB", (4, 3), "red").save(folder / "red.png")
    red = png_chunks((folder / "red.png").read_bytes())
    (folder / "altered.png").write_bytes(join_png([red[0], chunks[1], *red[1:]]))
    assert main(["verify", "altered.png"]) == 4


def test_the_key_of_the_environment_is_used_first(folder, monkeypatch, capsys):
    monkeypatch.setenv("GENLAB_SIGNING_KEY", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
    assert main(["seal", "plain.png", "--claim", "claim.json", "--out", "sealed.png"]) == 0
    assert Key.of(b"k" * 32).id in capsys.readouterr().out
    assert not (folder / "keys").exists()
    assert main(["verify", "sealed.png"]) == 0
    monkeypatch.setenv("GENLAB_SIGNING_KEY", "short")
    assert main(["verify", "sealed.png"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["seal", "absent.png", "--claim", "claim.json", "--out", "x.png"],
        ["seal", "plain.png", "--claim", "notes.txt", "--out", "x.png"],
        ["seal", "plain.png", "--claim", "claim.json", "--out", "no/such/folder/x.png"],
        ["seal", "claim.xyz", "--claim", "claim.json", "--out", "x.xyz"],
        ["quality", "absent.npy", "absent.npy", "--out", "report"],
        ["quality", "plain.png", "plain.png", "--out", "report"],
    ],
)
def test_errors_are_one_sentence(folder, capsys, arguments):
    (folder / "claim.xyz").write_text("x")
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert not list(folder.glob("x.*"))


def test_quality_writes_its_reports(folder, capsys):
    rng = np.random.default_rng(0)
    for name in ("real", "fake", "other"):
        np.save(f"{name}.npy", rng.normal(size=(120, 4)))
    arguments = ["quality", "real.npy", "fake.npy", "--floor", "other.npy", "--out", "report"]
    arguments += ["--json", "r.json"]
    assert main(arguments) == 0
    assert sorted(p.name for p in (folder / "report").iterdir()) == [
        "report.csv", "report.html", "report.json", "report.pdf",
    ]  # fmt: skip
    assert (folder / "r.json").read_text() == (folder / "report" / "report.json").read_text()
    report = Report.from_json((folder / "r.json").read_text())
    assert report["coverage"].floor is not None
    assert "Fréchet distance" in capsys.readouterr().out
    assert main([*arguments, "--k", "500"]) == 2
    assert main([*arguments, "--seed", "-1"]) == 2


def test_quality_takes_pictures_training_items_and_probabilities(folder, capsys):
    rng = np.random.default_rng(1)
    for name, count, bright in (("real", 60, 90), ("fake", 40, 200), ("train", 60, 90)):
        (folder / name).mkdir()
        for i in range(count):
            pixels = rng.integers(bright - 40, bright + 40, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    for i in range(20):  # half of the generated pictures are training pictures
        (folder / "fake" / f"{i}.png").write_bytes((folder / "train" / f"{i}.png").read_bytes())
    np.save("p.npy", np.eye(4)[np.arange(40) % 4])
    arguments = ["quality", "real", "fake", "--train", "train", "--probabilities", "p.npy", "--out", "report"]
    assert main(arguments) == 0
    report = Report.from_json((folder / "report" / "report.json").read_text())
    assert report["copies of training items"].value == pytest.approx(0.5, abs=0.03)
    assert report["class score"].value == pytest.approx(4)
    assert any("thumbnails" in c for c in report.caveats)
    assert "class score" in capsys.readouterr().out
    assert main(["quality", "real", "fake", "--real-probabilities", "p.npy", "--out", "report"]) == 2
    (folder / "empty").mkdir()
    assert main(["quality", "real", "empty", "--out", "report"]) == 2
    assert "no readable picture" in capsys.readouterr().err


def test_verify_starts_quickly_as_a_module(folder):
    plain = str(folder / "plain.png")
    code = "import sys, audits.__main__ as m; m.main(['verify', sys.argv[1]]); "
    code += "sys.exit(any(x in sys.modules for x in ('scipy', 'torch', 'genlab', 'reportlab')))"
    assert subprocess.run([sys.executable, "-c", code, plain], cwd=ROOT, check=False).returncode == 0
    command = [sys.executable, "-m", "audits", "verify", plain]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 1
    assert not (folder / "keys" / FILE).exists()
