"""What README.md shows works as it is written."""

import re
import subprocess
import sys

import pytest

from support.paths import ROOT

README = (ROOT / "README.md").read_text()
FENCED = re.findall(r"^```(.*?)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in FENCED if language == "python"]
SHELL = [text for language, text in FENCED if not language]
LINES = [line for text in SHELL for line in text.splitlines() if line.startswith("python ")]
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


def test_every_snippet_is_looked_at():
    assert len(PYTHON) >= 2 and any("FaceLandmarker" in code for code in PYTHON)
    assert len(PYTHON) + len(SHELL) == len(FENCED) == README.count("```") / 2


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
    return {
        command: process.communicate()[0] for command, process in zip(COMMANDS.values(), running)
    }


def test_every_option_exists(options):
    # --nproc-per-node is torchrun's.
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README)) - {"--nproc-per-node"}
    assert len(named) > 15
    known = " ".join(options.values())
    assert not [option for option in named if not _knows(known, option)]


def test_files_and_links_exist():
    linked = re.findall(r"\]\((?!http)([^)#]+)", README)
    named = re.findall(r"(?:demo|weights|docs|tools|pfld)/[\w./-]+\.\w+", README)
    missing = [name for name in {*linked, *named} if not (ROOT / name).exists()]
    assert not missing


def test_commands_are_the_projects_own():
    known = (*(f"python {command}" for command in COMMANDS.values()), "python -m pytest")
    assert len(LINES) == README.count("\npython ") and all(line.startswith(known) for line in LINES)


def test_commands_are_given_options_of_their_own(options):
    for line in LINES:
        command = max((c for c in options if line.startswith(f"python {c}")), key=len, default="")
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", line):
            assert _knows(options[command], option), line


def _knows(text, option):
    return re.search(rf"{option}(?![\w-])", text)
