"""What the documents say can be run, and what they name is there."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import yaml

from genlab import cards
from genlab.__main__ import parser

REPOSITORY = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every command line in the documents' shell blocks, without its comment."""
    found = []
    for name in DOCUMENTS:
        for block in re.findall(r"```sh\n(.*?)```", (REPOSITORY / name).read_text(encoding="utf-8"), re.DOTALL):
            found += [line for line in block.splitlines() if line.strip()]
    return found


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_documents_parses(line):
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets
    elif words[:3] == ["python", "-m", "genlab"]:
        assert callable(parser().parse_args(words[3:]).command)
    elif words[:3] == ["python", "-m", "audits"]:
        from audits.__main__ import _parser

        assert callable(_parser().parse_args(words[3:]).command)
    else:
        pytest.fail(f"{line!r} starts with no command that this test knows")


def test_models_and_knobs_in_the_documents_exist():
    from genlab.models import FAMILIES
    from genlab.models.contract import check_knobs
    from genlab.recipes import RECIPES

    for line in commands():
        words = shlex.split(line, comments=True)
        if words[:3] == ["python", "-m", "genlab"] and len(words) > 4 and words[4] not in ("NAME", "hub:owner/model"):
            if words[3] in ("compress", "decompress", "detect", "verify"):  # these take files
                continue
            assert words[4] in RECIPES
            for pair in [words[i + 1] for i, word in enumerate(words) if word == "--knob"]:
                name, value = pair.split("=")
                check_knobs(FAMILIES[RECIPES[words[4]].family].Knobs, {name: float(value)})


def front_matter() -> dict:
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", README, re.DOTALL)[1])


def test_the_front_matter_is_what_a_space_needs():
    space = front_matter()
    assert space["sdk"] == "gradio"
    assert (REPOSITORY / space["app_file"]).is_file()
    assert space["python_version"] == "3.12"
    assert space["license"] == "apache-2.0"
    assert len(space["short_description"]) <= 60
    assert space["suggested_hardware"]
    assert space["tags"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", space["sdk_version"])


def test_the_two_commands_come_first():
    body = README.split("\n---\n", 1)[1]
    assert body.index("make app") < body.index("make test") < body.index("\n## ")


def test_the_readme_names_every_endpoint_and_no_other():
    declared = set()
    for path in (REPOSITORY / "genlab" / "tabs").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        found = {call.args[1].id for call in calls if call.func.id == "endpoint"}
        declared |= found
    assert len(declared) > 10
    assert set(re.findall(r"^\| `/(\w+)` \|", README, re.MULTILINE)) == declared


def test_the_readmes_figures_are_those_of_the_shelf():
    found = cards.FIGURES.search(README)
    assert found, "the README has lost its figure marks"
    assert found[0] == f"{found[1]}\n{cards.figures()}\n\n{found[2]}", "run python -m genlab card NAME --write"


def test_figures_are_written_between_the_marks(tmp_path, tiny_shelf):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- figures: x -->\n\nold\n\n<!-- end of figures -->\nafter\n")
    cards.write_figures(readme, tiny_shelf)
    text = readme.read_text()
    assert text.startswith("before\n<!-- figures: x -->\n\n| model |")
    assert text.endswith("\n\n<!-- end of figures -->\nafter\n")
    assert "| `gan-tiny` | Fashion-FID | 1.25 | 1 to 1.5 | 10,000 | 0.01 |" in text
    assert "old" not in text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_paths_and_links_in_the_documents_exist(name):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(((?!http|#)[^)]+)\)", text):
        assert (REPOSITORY / target).exists(), target
    for path in re.findall(r"`((?:genlab|audits|tests|benchmarks|model_cards)/[\w./]*)`", text):
        assert "NAME" in path or (REPOSITORY / path).exists(), path


def test_the_map_names_every_part_of_the_house():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in [*(REPOSITORY / "genlab").iterdir(), *(REPOSITORY / "audits").iterdir()]:
        if path.suffix == ".py" and path.parent.name == "genlab" and path.name != "__init__.py":
            assert f"`genlab/{path.name}`" in text
        elif path.is_dir() and path.parent.name == "genlab" and list(path.glob("*.py")):
            assert f"`genlab/{path.name}/`" in text


def test_the_changelog_has_an_unreleased_part():
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]\n\n### Added\n", text, re.MULTILINE)


def test_the_licence_is_the_whole_text():
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in text
    assert "END OF TERMS AND CONDITIONS" in text
