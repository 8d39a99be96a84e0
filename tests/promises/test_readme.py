"""What README.md, docs/*.md and weights/README.md show works as it is written."""

import json
import pkgutil
import re
import subprocess
import sys

import pytest

from markdown_tables import INTERVAL, interval, percent
from readme_table import networks
from support.paths import ROOT

README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", ROOT / "weights" / "README.md", *ROOT.glob("docs/*.md"))
}
TEXT = "\n".join(PAGES.values())
FENCED = [
    (page, language, code)
    for page, text in PAGES.items()
    for language, code in re.findall(r"^```(.*?)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
]
PYTHON = [
    pytest.param(code, id=f"{page} {number}")
    for number, (page, language, code) in enumerate(FENCED)
    if language == "python"
]
SHELL = [code for _, language, code in FENCED if not language]
# A line of a code block, or code within a sentence.
LINES = [line for text in SHELL for line in text.splitlines()] + re.findall(
    r"`((?:python|pfld) [^`\n]+)`", TEXT
)
COMMANDS = {
    "predict": "pfld predict",
    "evaluate": "pfld evaluate",
    "export": "pfld export",
    "benchmark": "pfld benchmark",
    "site": "pfld site",
    "training": "pfld benchmark training",
    "numerics": "pfld benchmark numerics",
    "train": "python train.py",
    "app": "python demo/app.py",
}
NOT_OURS = (
    "python -m venv ", "python -m pytest", "pip ", "accelerate launch ", "torchrun ", "openssl req "
)  # fmt: skip
NAMED_ONLY = ("pfld COMMAND --help", "pfld --version", "python -m pfld")
# torchrun's and Accelerate's.
OF_OTHERS = {
    "--nproc-per-node", "--nnodes", "--node-rank", "--master-addr", "--master-port", "--multi_gpu",
    "--num_machines", "--num_processes", "--machine_rank", "--main_process_ip", "--main_process_port",
}  # fmt: skip


@pytest.mark.parametrize("code", PYTHON)
def test_python_runs(code, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(code, "a page", "exec"), {})


def test_every_snippet_is_looked_at():
    assert len(PYTHON) >= 4 and any("FaceLandmarker" in code.values[0] for code in PYTHON)
    assert len(PYTHON) + len(SHELL) == len(FENCED) == TEXT.count("```") / 2


def test_the_readme_begins_with_what_a_newcomer_needs():
    assert len(README.splitlines()) <= 110
    assert README.index("## Install") < README.index("```python") < README.index("pfld predict")


def test_the_readmes_table_is_what_the_weights_and_measurements_say():
    table = re.search(r"<!-- networks -->\n(.*?)\n<!-- end -->", README, flags=re.DOTALL)[1]
    assert table == networks(), "run python tools/results/readme_table.py"


@pytest.fixture(scope="module")
def options():
    """By command, its help."""
    running = {
        command: subprocess.Popen(
            [sys.executable, *_arguments(command), "--help"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for command in (*COMMANDS.values(), "pfld")
    }
    return {command: process.communicate()[0] for command, process in running.items()}


def test_every_option_exists(options):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", TEXT)) - OF_OTHERS
    assert len(named) > 30
    known = " ".join(options.values())
    installing = " ".join(line for line in LINES if line.startswith("pip "))
    tools = " ".join(map(_tool_text, LINES))
    assert not [o for o in named if not any(_knows(t, o) for t in (known, installing, tools))]


@pytest.mark.parametrize("page", PAGES)
def test_files_and_links_exist(page):
    text = PAGES[page]
    linked = re.findall(r"\]\((?!http)([^)#]+)", text)
    named = re.findall(r"\b(?:demo|weights|docs|tools|tests|pfld)/[\w./-]*\.\w+", text)
    missing = [name for name in linked if not (ROOT / page).parent.joinpath(name).exists()]
    missing += [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_every_page_can_be_reached_from_the_readme():
    assert not [page for page in PAGES if page != "README.md" and f"({page})" not in README]


@pytest.mark.parametrize(
    "dotted", sorted(set(re.findall(r"(?<![\w/])pfld(?:\.[A-Za-z_]\w*)+", TEXT)))
)
def test_names_exist(dotted):
    assert pkgutil.resolve_name(dotted) is not None


def test_commands_are_the_projects_own():
    for line in LINES:
        if not line.startswith(NOT_OURS) and line not in NAMED_ONLY:
            assert _command(line) or _tool_text(line), line


def test_commands_are_given_options_of_their_own(options):
    for line in LINES:
        command = _command(line)
        if command or _tool_text(line):
            known = options[command] if command else _tool_text(line)
            for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", line):
                assert _knows(known, option), line


def _arguments(command):
    program, *arguments = command.split()
    return ["-m", "pfld", *arguments] if program == "pfld" else arguments


def _command(line):
    """The longest of our commands that a line begins with; "" for none."""
    line = line.replace("python -m pfld", "pfld")
    found = (c for c in COMMANDS.values() if re.match(rf"{re.escape(c)}(?!\S)", line))
    return max(found, key=len, default="")


def _tool_text(line):
    """The source of the tool that a line runs; "" for another line."""
    tool = re.match(r"python (tools/\S+\.py)", line)
    return (ROOT / tool[1]).read_text() if tool else ""


def _knows(text, option):
    return re.search(rf"{option}(?![\w-])", text)


def test_the_page_on_accuracy_has_the_errors_of_the_evaluation():
    errors = json.loads((ROOT / "docs" / "accuracy.json").read_text())
    page = (ROOT / "docs" / "accuracy.md").read_text()
    rows = re.findall(r"^\| `(.*?)` \| (\d\.\d\d) \((.*?)\) \|", page, re.MULTILINE)
    assert {name for name, *_ in rows} == {"ghostone-heatmap", "ghostone"}
    for name, error, bounds in rows:
        assert error == percent(errors[name]["ONNX"])
        assert bounds == interval(errors[name][INTERVAL])
