"""Generate with pipelines of the Hub: sealed like everything else, within limits, and refused in one sentence."""

import io
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hub_models import save_clip, save_ddpm, save_dit, save_stable
from PIL import Image

from audits.provenance import Claim, read_claim, verify
from genlab import __main__ as command
from genlab.studio import attack, generate_hub, hub, marking
from genlab.studio.generate import generate
from genlab.studio.regenerate import regenerate, repeatable
from genlab.studio.shelf import StudioError

PLAIN, CLASSES, TEXT = "hub:somebody/plain", "hub:somebody/classes", "hub:somebody/text"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """A folder of copies, as `GENLAB_HUB` names one."""
    folder = tmp_path_factory.mktemp("hub")
    home = folder / "somebody"
    save_ddpm(home / "plain")
    save_dit(home / "classes")
    save_stable(home / "text")
    save_stable(home / "changes", changes=True)
    shutil.copytree(home / "plain", home / "pickled")
    weights = home / "pickled" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    shutil.copytree(home / "plain", home / "coded")
    index = home / "coded" / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"unet": ["mine", "UNet2DModel"]}))
    (home / "coded" / "unet" / "mine.py").write_text("raise SystemExit('code of the repository was run')")
    shutil.copytree(home / "plain", home / "broken")
    (home / "broken" / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"nonsense")
    save_clip(home / "clip")
    return folder


@pytest.fixture(autouse=True)
def offline(mirror, monkeypatch):
    monkeypatch.setenv("GENLAB_HUB", str(mirror))
    for name in ("GENLAB_HUB_ALLOWED", "GENLAB_HUB_LARGEST", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)


def pixels(media: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(media)))


def test_an_unconditional_pipeline_draws_sealed_pictures():
    made = generate(PLAIN, seed=5, count=3)
    assert made.names == tuple(f"somebody-plain-{seed}.png" for seed in (5, 6, 7))
    assert made.sheet_name == "somebody-plain-5-raw-16x16.png"
    for i, sealed in enumerate(made.pictures):
        claim = read_claim(sealed.media)
        assert claim == Claim(PLAIN, hub.revision("somebody/plain"), "generate", 5 + i, {}, {"steps": 20})
        assert pixels(sealed.media).shape == (128, 128, 3)
        assert verify(sealed.media, key=marking.key()).verdict == "made here"
    assert pixels(made.sheet.media).shape == (16, 48, 3)
    assert made.archive


@pytest.mark.parametrize(
    ("model", "knobs"), [(PLAIN, None), (CLASSES, None), (TEXT, {"prompt": "a cat\na dog"})], ids=str
)
def test_an_item_depends_on_its_seed_alone_and_is_made_again(model, knobs):
    made = generate(model, seed=5, count=4, knobs=knobs)
    last = made.pictures[3]
    rest = generate(model, seed=5, count=1, offset=3, knobs=knobs)
    assert rest.pictures[0].claim == last.claim
    marking._remembered.clear()
    assert (pixels(regenerate(last.media).media) == pixels(last.media)).all()
    assert (pixels(regenerate(made.sheet.media).media) == pixels(made.sheet.media)).all()
    assert np.abs(pixels(last.media).astype(int) - pixels(made.pictures[0].media)).max() > 5


def test_classes_come_in_turn_or_by_name_or_number():
    made = generate(CLASSES, count=3)
    assert [s.claim.inputs for s in made.pictures] == [{"label": "fish"}, {"label": "shark"}, {"label": "2"}]
    by_name, by_number = (generate(CLASSES, label=label, count=1) for label in (" Tench", "0"))
    assert by_name.pictures[0].claim == by_number.pictures[0].claim == made.pictures[0].claim
    with pytest.raises(StudioError, match="Classes of somebody/classes are 0 to 999 or a name, such as fish"):
        generate(CLASSES, label="1000", count=1)


def test_a_prompt_stands_in_the_claim_as_far_as_it_fits():
    made = generate(TEXT, count=2, knobs={"prompt": f"a cat\n{'dog ' * 60}"})
    assert made.pictures[0].claim.inputs == {"prompt": "a cat"}
    long = made.pictures[1].claim.inputs["prompt"]
    assert len(long) == 200
    with pytest.raises(StudioError, match="first 200 characters"):
        regenerate(made.pictures[1].media)


BAD = [
    ("hub:", {}, "named owner/model"),
    ("hub:one-word", {}, "named owner/model"),
    ("hub:../../etc", {}, "named owner/model"),
    ("hub:a/b/c", {}, "named owner/model"),
    ("hub:a/b@", {}, "named owner/model"),
    ("hub:a/b@../c", {}, "named owner/model"),
    (f"{PLAIN}@main", {}, "leave the revision out"),
    (PLAIN, {"count": 9}, "from 1 to 8"),
    (PLAIN, {"seed": -1}, "seed must be a whole number"),
    (PLAIN, {"seed": 2**63 - 1, "count": 2}, "too large"),
    (PLAIN, {"label": "bag"}, "has no classes"),
    (PLAIN, {"knobs": {"prompt": "a cat"}}, "draws without a text"),
    (PLAIN, {"knobs": {"truncation": 1}}, "only knob .* is prompt"),
    (PLAIN, {"knobs": [1]}, "Knobs are names with values"),
    (TEXT, {}, "draws what a text says"),
    (TEXT, {"knobs": {"prompt": " \n "}}, "an empty one was given"),
    (TEXT, {"knobs": {"prompt": 7}}, "A prompt is a text"),
    (TEXT, {"knobs": {"prompt": "x" * 1001}}, "1,000 characters at most; one of 1,001"),
    (TEXT, {"knobs": {"prompt": "x\n" * 9}}, "8 prompts at most"),
    (TEXT, {"knobs": {"prompt": "\ud800"}}, "half a character"),
    ("hub:somebody/changes", {"knobs": {"prompt": "a cat"}}, "changes pictures and draws none"),
    ("hub:somebody/pickled", {}, "no safetensors weights for its unet"),
    ("hub:somebody/coded", {}, "needs code of its own"),
    ("hub:somebody/broken", {}, "cannot be loaded as a diffusers pipeline"),
    ("hub:somebody/clip", {}, "is not a diffusers pipeline: it has no model_index.json"),
]


@pytest.mark.parametrize(("model", "given", "sentence"), BAD, ids=str)
def test_bad_input_is_one_sentence(model, given, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        generate(model, **{"count": 1} | given)
    assert "/tmp" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 330


def test_a_model_that_is_too_large_is_not_read(monkeypatch):
    monkeypatch.setenv("GENLAB_HUB_LARGEST", "1000")
    with pytest.raises(StudioError, match="MiB are allowed: name a smaller one, or raise GENLAB_HUB_LARGEST"):
        generate(PLAIN, count=1)
    monkeypatch.setenv("GENLAB_HUB_LARGEST", "2 GB")
    with pytest.raises(StudioError, match="GENLAB_HUB_LARGEST is a whole number of bytes"):
        generate(PLAIN, count=1)


def test_names_are_those_that_the_installation_allows(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/space")
    with pytest.raises(StudioError, match="may not be loaded here; models of the Hub that may are none"):
        generate(PLAIN, count=1)
    monkeypatch.setenv("GENLAB_HUB_ALLOWED", "other/*, somebody/pl*")
    made = generate(PLAIN, count=1)
    with pytest.raises(StudioError, match=r"may are other/\*, somebody/pl\*"):
        generate(CLASSES, count=1)
    monkeypatch.setenv("GENLAB_HUB_ALLOWED", "other/*")
    with pytest.raises(StudioError, match="may not be loaded here"):
        repeatable(made.pictures[0].claim)


def test_the_attack_bench_takes_a_pipeline():
    found = attack.attack(PLAIN, seed=3, edit=attack.Edit(jpeg=80))
    assert found.known
    assert found.before.claim.model == PLAIN


def test_a_claim_of_other_weights_is_not_made_again():
    claim = generate(PLAIN, count=1).pictures[0].claim
    other = Claim(PLAIN, "0" * 64, "generate", claim.seed, claim.inputs, claim.knobs)
    with pytest.raises(StudioError, match=r"has revision \w+ and not 000000000000"):
        generate_hub.remade(other)
    with pytest.raises(StudioError, match="'walk', which cannot be repeated"):
        repeatable(Claim(PLAIN, claim.weights, "walk", 0))


def test_the_command_draws_in_parts(tmp_path, capsys):
    out = tmp_path / "out"
    words = ["sample", TEXT, "--count", "9", "--seed", "2", "--prompt", "a cat", "--prompt", "a dog"]
    assert command.main([*words, "--out", str(out)]) == 0
    listed = json.loads((out / "manifest.json").read_text())
    assert [row["claim"]["seed"] for row in listed] == list(range(2, 11))
    assert [row["claim"]["inputs"]["prompt"] for row in listed] == ["a cat", "a dog"] * 4 + ["a cat"]
    assert command.main(["sample", "hub:one-word", "--out", str(tmp_path / "other")]) == 2
    assert "named owner/model" in capsys.readouterr().err


# ---- the Hub itself, played by a few functions


@pytest.fixture
def played(mirror, monkeypatch):
    """A Hub whose one commit holds a pipeline, and what was asked of it."""
    import huggingface_hub

    folder, asked = mirror / "somebody" / "plain", []
    monkeypatch.delenv("GENLAB_HUB")

    siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in hub.sizes_of(folder).items()]
    siblings += [
        SimpleNamespace(rfilename=name, size=2**40)
        for name in ("plain.ckpt", "unet/diffusion_pytorch_model.fp16.safetensors")
    ]

    def info(self, name, *, revision=None, files_metadata=False, timeout=None):
        asked.append((name, revision))
        assert files_metadata
        return SimpleNamespace(sha="c" * 40, siblings=siblings)

    def download(name, *, revision, allow_patterns):
        asked.append((name, revision, tuple(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda name, file, revision: str(folder / file))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_the_commit_of_the_hub_is_resolved_once_and_claimed(played):
    made = generate(f"{PLAIN}@v1", count=1)
    assert made.pictures[0].claim.weights == "c" * 40
    assert played[0] == ("somebody/plain", "v1")
    _, revision, files = played[1]
    assert revision == "c" * 40
    assert "unet/diffusion_pytorch_model.safetensors" in files
    assert not [file for file in files if file.endswith((".ckpt", ".fp16.safetensors", ".py"))]
    regenerate(made.pictures[0].media)
    assert played[2] == ("somebody/plain", "c" * 40)


def test_nothing_is_downloaded_of_a_model_that_is_too_large(played, monkeypatch):
    monkeypatch.setenv("GENLAB_HUB_LARGEST", "1000")
    with pytest.raises(StudioError, match="are allowed"):
        generate(PLAIN, count=1)
    assert len(played) == 1


def answers(kind: str):
    from huggingface_hub import errors

    if kind == "offline":
        return ConnectionError("no route to host\nand more")
    return getattr(errors, kind)("refused", response=SimpleNamespace(headers={}, request=None))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("GatedRepoError", "its licence must be accepted first"),
        ("RepositoryNotFoundError", "the Hub has no such model"),
        ("RevisionNotFoundError", "the Hub has no such revision"),
        ("offline", r"cannot be reached from here \(no route to host\)"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(played, monkeypatch, kind, sentence):
    import huggingface_hub

    def refuse(*_, **__):
        raise answers(kind)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(StudioError, match=sentence) as caught:
        generate(PLAIN, count=1)
    assert "\n" not in str(caught.value)
