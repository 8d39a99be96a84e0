"""The package as others install it: declared dependencies, and a wheel that works on its own."""

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement

import pfld
from pfld.__main__ import main
from pfld.weights.shipped import SHIPPED
from support.paths import PORTRAIT, ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MODELS = ROOT / "pfld/runtime/models"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(name):
    """Name and exact version of each line of a requirements file."""
    lines = re.sub(r"\[.*\]", "", (ROOT / name).read_text()).splitlines()  # without extras
    return dict(line.split("==") for line in lines if "==" in line)


def declared(*extras):
    """Base dependencies and those of extras, by name; an extra may name others of this package."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in extras)]
    requirements = [Requirement(line) for lines in lists for line in lines]
    return {r.name: r.specifier for r in requirements if r.name != "pfld"}


@pytest.mark.parametrize(
    ("file", "extras"),
    [("requirements.txt", ("train", "export", "app")), ("requirements-dev.txt", ("dev",))],
)
def test_exact_versions_agree_with_the_ranges(file, extras):
    exact, ranges = pins(file), declared(*extras)
    if file == "requirements-dev.txt":
        ranges = {name: r for name, r in ranges.items() if name not in declared()}
    else:
        assert exact.keys() == ranges.keys()
    outside = {n: (exact.get(n), str(r)) for n, r in ranges.items() if exact.get(n) not in r}
    assert not outside


def imported(path):
    """Top-level names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def test_every_module_that_is_imported_is_declared():
    names = {"cv2": "opencv-python-headless", "PIL": "pillow"}
    names |= {"pillow_heif": "pillow-heif", "axe_playwright_python": "axe-playwright-python"}
    files = [p for d in ("pfld", "demo", "tools", "tests") for p in (ROOT / d).rglob("*.py")]
    known = {path.stem for path in files} | {"train", "pfld", "landmark_app", "support"}
    known |= pins("requirements.txt").keys() | pins("requirements-dev.txt").keys()
    known |= sys.stdlib_module_names | {
        "openvino",
        "mediapipe",
        "tflite",
        "atheris",
    }  # a message says how to install these
    # Parts of what Gradio and pytest give their users.
    known |= {"starlette", "fastapi", "uvicorn", "anyio", "packaging", "tomli"}
    found = {names.get(module, module): path.name for path in files for module in imported(path)}
    assert not {module: file for module, file in found.items() if module not in known}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The content of a wheel, built from what is committed here or about to be."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("pfld", "weights"):
        ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    (source / "demo/examples").mkdir(parents=True)
    shutil.copy(PORTRAIT, source / "demo/examples")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def run(installed, folder, code):
    """Python in an empty folder that knows of nothing but the wheel's content and its dependencies."""
    program = f"import sys; sys.path.insert(0, {str(installed)!r}); {code}"
    return subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.slow
def test_a_wheel_brings_its_weights_and_says_what_it_needs(installed):
    files = {path.name for path in (installed / "pfld/installed").iterdir()}
    assert files == {path.name for path in SHIPPED.glob("*.onnx")} | {PORTRAIT.name}
    (about,) = installed.glob("pfld-*.dist-info")
    assert f"-{pfld.__version__}." in about.name
    assert "pfld = pfld.__main__:main" in (about / "entry_points.txt").read_text()
    metadata = (about / "METADATA").read_text()
    base = [r for r in re.findall(r"Requires-Dist: (.*)", metadata) if "extra ==" not in r]
    assert {path.name for path in (installed / "pfld/runtime/models").iterdir()} == {
        path.name for path in MODELS.iterdir()
    }
    assert base and not [r for r in base if re.match("torch|gradio|tensorboard|accelerate", r)]


@pytest.mark.slow
def test_a_wheel_finds_landmarks_without_pytorch_anywhere(installed, tmp_path):
    shutil.copy(PORTRAIT, tmp_path / "photo.jpg")
    code = (
        "import pfld; from pfld.__main__ import main; "
        "status = main(['predict', 'photo.jpg', '--out', 'out', '--json']); "
        "heavy = {'torch', 'gradio', 'onnx', 'tensorboard'} & sys.modules.keys(); "
        "print(pfld.__file__, status, heavy)"
    )
    ended = run(installed, tmp_path, code)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == f"{installed}/pfld/__init__.py 0 set()"
    (line,) = (tmp_path / "out/faces.jsonl").read_text().splitlines()
    assert len(json.loads(line)["faces"][0]["landmarks"]) == 98


@pytest.mark.slow
def test_a_wheel_says_where_what_it_lacks_is(installed, tmp_path):
    code = "from pfld.weights.shipped import find_weights; find_weights('ghostone', 'train-time')"
    ended = run(installed, tmp_path, code)
    assert "the project's repository" in ended.stderr
    code = (
        "sys.modules['torch'] = None; from pfld.__main__ import main; "
        "sys.exit(main(['predict', 'a.jpg', '--out', 'o', '--weights', 'a.safetensors']))"
    )
    (tmp_path / "a.safetensors").write_bytes(b"")
    ended = run(installed, tmp_path, code)
    assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1


def test_the_version_is_told_by_package_and_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"pfld {pfld.__version__}\n"


def test_a_module_that_is_missing_is_named_with_the_extra_that_brings_it(
    monkeypatch, capsys, tmp_path
):
    def missing(arguments):
        raise ModuleNotFoundError("No module named 'onnx'", name="onnx")

    monkeypatch.setattr("pfld.commands.export._run", missing)
    assert main(["export", "--weights", "a", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: No module named 'onnx'; pip install 'pfld[export]'\n"
