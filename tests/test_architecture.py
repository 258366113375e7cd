"""The map in CONTRIBUTING.md, held by the import graph: who may import whom, and how files are called."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path.relative_to(REPOSITORY)
    for place in ("genlab", "audits", "benchmarks", "tests")
    for path in (REPOSITORY / place).rglob("*.py")
)
if (REPOSITORY / "app.py").exists():
    SOURCES.append(Path("app.py"))
HOUSE = [path for path in SOURCES if path.parts[0] not in ("tests", "benchmarks")]
TAUGHT = "audits/watermark/learned.py"  # the one file of audits that may import torch, late
LONGEST = 400  # lines; past 300 a file wants a second room
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|misc|managers?|base)$")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at the top or later, with what is taken from it: `genlab.studio.shelf`."""
    found = set()
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"), str(path))
    package = path.with_suffix("").parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join([*package[: len(package) - node.level], *filter(None, [module])])
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def reaches(found: set[str], *targets: str) -> set[str]:
    """The imports at or below one of the targets."""
    return {name for name in found if any(name == t or name.startswith(t + ".") for t in targets)}


def within(path: Path, *places: str) -> bool:
    return any(path.as_posix() == place or path.as_posix().startswith(place + "/") for place in places)


def test_the_finder_sees_late_and_relative_imports(tmp_path, monkeypatch):
    monkeypatch.setattr("test_architecture.REPOSITORY", tmp_path)
    (tmp_path / "genlab" / "tabs").mkdir(parents=True)
    file = Path("genlab/tabs/x.py")
    (tmp_path / file).write_text("def f():\n    import torch.nn\n    from ..models import vae\n    from . import y\n")
    assert {"torch.nn", "genlab.models.vae", "genlab.tabs.y"} <= imports(file)
    assert reaches(imports(file), "genlab.models")


@pytest.mark.parametrize("path", [p for p in HOUSE if within(p, "audits")], ids=str)
def test_audits_stand_alone(path):
    assert not reaches(imports(path), "genlab", "gradio", "app")
    if not within(path, TAUGHT):
        assert not reaches(imports(path), "torch")


@pytest.mark.parametrize("path", [p for p in HOUSE if not within(p, TAUGHT)], ids=str)
def test_the_network_that_reads_marks_is_imported_only_where_it_is_needed(path):
    assert not reaches(top_level_imports(path), "audits.watermark.learned")


@pytest.mark.parametrize("path", [p for p in HOUSE if within(p, "genlab/models")], ids=str)
def test_models_know_nothing_of_marks_data_and_screens(path):
    others = ("audits", "genlab.studio", "genlab.tabs", "genlab.data", "genlab.metrics", "genlab.checkpoint")
    assert not reaches(imports(path), *others, "genlab.fit", "genlab.recipes", "genlab.cards")


@pytest.mark.parametrize("path", [p for p in HOUSE if within(p, "genlab/data")], ids=str)
def test_data_knows_no_model(path):
    assert not reaches(imports(path), "torch", "audits", "genlab.models", "genlab.studio", "genlab.tabs", "genlab.fit")


RECIPES = Path("genlab/recipes.py")  # trains what audits/watermark reads marks with
LATE = {f"audits.watermark.learned{name}" for name in ("", ".Reader", ".WEIGHTS")}
CORE = [
    *("genlab/fit.py", "genlab/checkpoint.py", "genlab/recipes.py", "genlab/seeds.py", "genlab/device.py"),
    *("genlab/metrics", "genlab/codec"),
]


@pytest.mark.parametrize("path", [p for p in HOUSE if within(p, *CORE)], ids=str)
def test_the_core_knows_neither_studio_nor_screens(path):
    assert not reaches(imports(path), "genlab.studio", "genlab.tabs")
    if not within(path, "genlab/metrics"):  # measurements that need a model may use the pure ones
        found = reaches(imports(path), "audits")
        assert not found - (LATE if path == RECIPES else set())


@pytest.mark.parametrize("path", [p for p in HOUSE if not within(p, "app.py", "genlab/tabs")], ids=str)
def test_only_app_and_tabs_import_gradio(path):
    assert not reaches(imports(path), "gradio", "gradio_client", "genlab.tabs", "app")


@pytest.mark.parametrize("path", [p for p in HOUSE if within(p, "app.py", "genlab/tabs")], ids=str)
def test_tabs_reach_models_through_the_studio_only(path):
    core = ("models", "fit", "checkpoint", "recipes", "metrics", "codec", "data", "seeds", "cards")
    assert not reaches(imports(path), "torch", *(f"genlab.{name}" for name in core))


@pytest.mark.parametrize("path", [p for p in SOURCES if not within(p, "tests")], ids=str)
def test_nothing_imports_the_tests(path):
    assert not reaches(imports(path), "tests", "pytest", "conftest")


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_files_are_named_after_things_and_stay_short(path):
    assert not FORBIDDEN_NAMES.search(path.stem)
    assert len((REPOSITORY / path).read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", HOUSE, ids=str)
def test_modules_and_public_names_say_what_they_are(path):
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    if path.name != "__init__.py" or tree.body:
        assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            short = node.end_lineno - node.lineno < 16  # a name can say as much
            assert short or ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize(
    "path", [p for p in HOUSE if not within(p, "genlab/models", "genlab/studio/evaluate.py")], ids=str
)
def test_no_open_keyword_arguments_at_module_borders(path):
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert node.args.kwarg is None, f"{node.name} takes **{node.args.kwarg.arg if node.args.kwarg else ''}"


@pytest.mark.parametrize("path", HOUSE, ids=str)
def test_nothing_loads_a_pickle(path):
    """safetensors only; a run's own resume file is the one exception and is read with weights_only."""
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    assert not reaches(imports(path), "pickle", "joblib", "dill", "cloudpickle")
    for call in re.findall(r"torch\.load\((.*)\)", text):
        assert "weights_only=True" in call


def test_the_app_imports_no_torch_before_it_is_needed():
    """At module level only app.py, tabs and studio are reached from app.py; torch is imported inside functions."""
    waiting, seen = [Path("app.py")] if Path(REPOSITORY / "app.py").exists() else [], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        top = top_level_imports(path)
        assert not reaches(top, "torch", "diffusers", "transformers", "fairlearn", "sklearn"), f"{path} imports {top}"
        for name in top:
            file = Path(*name.split("."))
            candidates = (file.with_suffix(".py"), file / "__init__.py")
            waiting += [c for c in candidates if (REPOSITORY / c).is_file() and c in HOUSE]


def top_level_imports(path: Path) -> set[str]:
    """What importing the file imports: nothing inside functions, nothing for type checkers."""
    found = set()
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


# ---- pins


def pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    return {m[1].lower(): m[2] for line in lines if (m := re.match(r"([\w-]+)==([\w.]+)$", line))}


def test_gradio_is_pinned_to_the_version_of_the_space():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^sdk_version: ['\"]?([\d.]+)", readme, re.MULTILINE)[1] == pins()["gradio"]


def test_every_requirement_is_pinned_and_no_registry_is_named():
    wanted = (REPOSITORY / "requirements.txt").read_text()
    pinned = (REPOSITORY / "constraints.txt").read_text()
    for line in wanted.splitlines():
        name = re.match(r"([\w-]+)", line)
        if name and name[1] != "torch":
            assert name[1].lower() in pins()
    for text in (wanted, pinned, (REPOSITORY / "Makefile").read_text()):
        assert "index-url" not in text
        assert "://" not in text.replace("http://127.0.0.1:7860", "")
        assert "torchvision" not in text
    assert 'torch>=2.8,<2.12; python_version >= "3.12"' in wanted  # what ZeroGPU offers


def test_the_package_says_which_pythons_it_runs_on():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
