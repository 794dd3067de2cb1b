"""The house's laws that no linter knows: what lies where, and how a file begins."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from pwd import getpwuid

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bot", "agent", "sandbox", "infra")
TOP_LEVEL = {
    *PACKAGES,
    "tests",
    ".ci",
    ".env.example",
    ".git",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs",
    "examples",
    "LICENSE",
    "Makefile",
    "README.md",
    "greenlight.example.toml",
    "manifest.json",
    "pyproject.toml",
    "uv.lock",
}
VAGUE_NAMES = re.compile(r"^(utils?|helpers?|managers?|common|misc|stuff|core|base)$")
THIS_MACHINE = (str(ROOT), str(ROOT.parent / "shared"), f"{Path.home()}/.", f"{getpwuid(0).pw_dir}/.")
MACHINE_PATHS = re.compile("|".join([*(re.escape(path) for path in THIS_MACHINE), r"/Users/\w+", r"[A-Z]:\\Users"]))
TEXT_SUFFIXES = {".py", ".md", ".toml", ".json", ".sh", ".js", ".css", ".html", ".mako", ""}


def _files(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.parts)


def _python_files(*folders: str) -> list[Path]:
    return [path for path in _files(*folders) if path.suffix == ".py"]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_top_level_holds_only_what_the_design_names() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}
    found = {path.name for path in ROOT.iterdir()}
    assert found - ignored - TOP_LEVEL == set()


def test_the_import_contracts_hold() -> None:
    lint = [Path(sys.executable).with_name("lint-imports")]
    done = subprocess.run(lint, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_init_files_stay_empty() -> None:
    full = [_name(path) for path in _files(*PACKAGES, "tests") if path.name == "__init__.py" and path.stat().st_size]
    assert full == []


def test_every_python_file_says_first_what_it_is_for() -> None:
    silent: list[str] = []
    for path in _python_files(*PACKAGES, "tests"):
        text = path.read_text()
        if path.name != "__init__.py" and not (text.startswith('"""') and ast.get_docstring(ast.parse(text))):
            silent.append(_name(path))
    assert silent == []


def test_file_names_are_nouns_of_the_domain() -> None:
    assert [_name(path) for path in _python_files(*PACKAGES, "tests") if VAGUE_NAMES.match(path.stem)] == []


def _tested(path: Path) -> bool:
    """Return whether a unit test stands where its subject does: `test_parking.py`, or `test_parking_topic.py`."""
    subject = path.stem.removeprefix("test_").split("_")
    folder = ROOT / path.parent.relative_to(ROOT / "tests" / "unit")
    return any((folder / f"{'_'.join(subject[:count])}.py").exists() for count in range(1, len(subject) + 1))


def test_unit_tests_mirror_the_tree() -> None:
    unit = ROOT / "tests" / "unit"
    strangers = {path.name for path in unit.iterdir() if path.is_dir()} - {*PACKAGES, "__pycache__"}
    assert strangers == set()
    astray = [path for package in PACKAGES for path in (unit / package).rglob("test_*.py") if not _tested(path)]
    assert [_name(path) for path in sorted(astray)] == []


def test_no_path_of_somebodys_machine_is_written_down() -> None:
    here = _name(Path(__file__))
    texts = [path for path in _files(*PACKAGES, "tests", ".ci") if path.suffix in TEXT_SUFFIXES]
    top_level = TOP_LEVEL - {"uv.lock", ".git"}
    texts += [path for path in ROOT.iterdir() if path.name in top_level and path.is_file()]
    guilty = [_name(path) for path in texts if _name(path) != here and MACHINE_PATHS.search(path.read_text())]
    assert guilty == []


def _own_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_app_never_imports_its_tests(package: str) -> None:
    borrowed = [
        f"{_name(path)}: {module}"
        for path in _python_files(package)
        for module in _own_imports(path)
        if module == "tests" or module.startswith("tests.")
    ]
    assert borrowed == []
