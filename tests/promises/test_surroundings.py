"""The commands in odd surroundings: other locales, no home, pipes and files that take no more, long paths."""

import os
import subprocess
import sys

import pytest

from pfld.weights.shipped import shipped_networks
from support.paths import PORTRAIT, ROOT
from support.prediction import files_in, photo, results

pytestmark = pytest.mark.slow

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

if not shipped_networks("onnx"):
    pytest.skip("needs weights/*.onnx", allow_module_level=True)


def pfld(*arguments, without=(), **options):
    """A command in a process of its own, with other variables in its environment."""
    own = {name: value for name, value in os.environ.items() if name not in without}
    env = own | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    command = [sys.executable, "-m", "pfld", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=env, **options)


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        ASCII,
        {"PYTHONIOENCODING": "ascii"},
        ASCII | {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "xx_YY.ISO-8859-15", "PYTHONUTF8": "0"},
    ],
    ids=["C", "ASCII names of files", "ASCII output", "ASCII everything", "unknown locale"],
)
def test_names_in_any_script_are_printed_in_any_locale(tmp_path, env):
    folder = photo(tmp_path / "grün/bild-画像.jpg").parent
    (folder / "tëxt.jpg").write_text("text")
    ended = pfld("predict", folder, "--out", tmp_path / "öut", "--json", "--csv", env=env)
    assert ended.returncode == 1, ended.stderr
    assert b"1 picture done" in ended.stdout and b"faces.jsonl" in ended.stdout
    assert ended.stderr.startswith(b"skipped: ") and ended.stderr.count(b"\n") == 1
    assert files_in(tmp_path / "öut") == ["bild-画像.jpg", "faces.csv", "faces.jsonl"]
    (line,) = results(tmp_path / "öut")
    assert line["source"] == str(folder / "bild-画像.jpg")


@pytest.mark.parametrize("home", [None, "/nowhere", "/dev/null"])
def test_no_home_is_needed(tmp_path, home):
    path = photo(tmp_path / "a.jpg")
    env = {"TMPDIR": "/nowhere"} | ({"HOME": home} if home else {})
    without = ("HOME", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    ended = pfld("predict", path, "--out", tmp_path / "out", without=without, env=env)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert files_in(tmp_path / "out") == ["a.jpg"]


def test_long_paths_and_links_are_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deep = tmp_path.joinpath(*["d" * 200] * 4)
    photo(deep / "a.jpg")
    (tmp_path / "link").symlink_to(deep)
    (tmp_path / "link.jpg").symlink_to(deep / "a.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    ended = pfld("predict", "link", "link.jpg", "loop.jpg", "--out", "out")
    assert ended.returncode == 1
    assert ended.stderr == b"skipped: loop.jpg: no such file or folder\n"
    assert files_in(tmp_path / "out") == ["link.jpg", "link/a.jpg"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["predict", "a.jpg", "--out", "out"]])
def test_a_pipe_that_closes_ends_a_command_quietly(tmp_path, arguments, unbuffered):
    photo(tmp_path / "a.jpg")
    outlet, inlet = os.pipe()
    os.close(outlet)
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "pfld", *arguments]
    with os.fdopen(inlet, "wb") as closed:
        ended = subprocess.run(
            command, stdout=closed, stderr=subprocess.PIPE, env=env, cwd=tmp_path
        )
    assert ended.returncode in (0, 141) and ended.stderr == b""


def test_output_may_be_closed_altogether(tmp_path):
    command = f"cd {tmp_path} && {sys.executable} -m pfld predict {PORTRAIT} --out out >&- 2>&-"
    ended = subprocess.run(command, shell=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert ended.returncode == 0 and files_in(tmp_path / "out") == [PORTRAIT.name]


def test_errors_may_go_into_a_closed_pipe_too(tmp_path):
    outlet, inlet = os.pipe()
    os.close(outlet)
    (tmp_path / "a.jpg").write_text("text")
    command = [sys.executable, "-m", "pfld", "predict", "a.jpg", "--out", "out"]
    with os.fdopen(inlet, "wb") as closed:
        ended = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=closed,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
        )
    assert ended.returncode in (1, 141) and b"Traceback" not in ended.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no such file")
def test_output_on_a_full_disk_is_one_line(tmp_path):
    path = photo(tmp_path / "a.jpg")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pfld", "predict", path, "--out", tmp_path / "out"]
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=env)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"error: ") and ended.stderr.count(b"\n") == 1


def test_a_benchmark_on_a_closed_pipe_ends_quietly(monkeypatch):
    """As ``pfld benchmark --json - | head -1``, with results that take no time."""
    program = (
        "from pfld.commands import benchmark; import sys;"
        "benchmark.measure_backends = lambda *_, **__: [];"
        "from pfld.__main__ import main;"
        "sys.exit(main(['benchmark', '--frames', '0', '--json', '-']))"
    )
    outlet, inlet = os.pipe()
    os.close(outlet)
    with os.fdopen(inlet, "wb") as closed:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            stdout=closed,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    assert (ended.returncode, ended.stderr) == (141, b"")
