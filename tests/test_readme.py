"""What README.md shows works as it is written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
SHELL = re.findall(r"```\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = {
    "predict": "-m pfld predict",
    "evaluate": "-m pfld evaluate",
    "export": "-m pfld export",
    "benchmark": "-m pfld benchmark",
    "training": "-m pfld benchmark training",
    "train": "train.py",
    "app": "demo/app.py",
}


@pytest.mark.parametrize("code", PYTHON, ids=lambda code: code.splitlines()[0])
def test_python_runs(code, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})


def test_there_is_python_to_run():
    assert len(PYTHON) >= 2 and any("FaceLandmarker" in code for code in PYTHON)


@pytest.fixture(scope="module")
def options():
    running = [
        subprocess.Popen(
            [sys.executable, *command.split(), "--help"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for command in COMMANDS.values()
    ]
    return " ".join(process.communicate()[0] for process in running)


def test_every_option_exists(options):
    # --nproc-per-node is torchrun's.
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README)) - {"--nproc-per-node"}
    assert len(named) > 15
    missing = [option for option in named if not re.search(rf"{option}(?![\w-])", options)]
    assert not missing


def test_files_and_links_exist():
    linked = re.findall(r"\]\((?!http)([^)#]+)", README)
    named = re.findall(r"(?:demo|weights|docs|tools|pfld)/[\w./-]+\.\w+", README)
    missing = [name for name in {*linked, *named} if not (ROOT / name).exists()]
    assert not missing


def test_commands_are_the_projects_own():
    lines = [line for block in SHELL for line in block.splitlines() if line.startswith("python ")]
    known = (*(f"python {command}" for command in COMMANDS.values()), "python -m pytest")
    assert lines and all(line.startswith(known) for line in lines)
