"""Uploads of the app: only files in its own folder are read, and results are whole or not there."""

import os
from pathlib import Path

import numpy as np
import pytest

from landmark_app.files.uploads import uploaded
from support.paths import PORTRAIT


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "uploads"
    (folder / "abc").mkdir(parents=True)
    (folder / "abc/a.jpg").touch()
    (tmp_path / "secret").touch()
    (tmp_path / "uploads-of-others").mkdir()
    (tmp_path / "uploads-of-others/a.jpg").touch()
    os.symlink(tmp_path / "secret", folder / "link.jpg")
    os.symlink("loop.jpg", folder / "loop.jpg")
    return folder


def test_an_upload_is_where_it_was_put(folder):
    assert uploaded(str(folder / "abc/a.jpg"), folder) == str(folder.resolve() / "abc/a.jpg")
    assert uploaded(f"{folder}/abc/../abc/a.jpg", folder).endswith("abc/a.jpg")


@pytest.mark.parametrize(
    "path",
    [
        "{folder}/../secret",
        "{folder}/abc/../../secret",
        "{folder}/link.jpg",
        "{folder}/loop.jpg",
        "{folder}-of-others/a.jpg",
        "{folder}/abc",
        "{folder}",
        "{folder}/none.jpg",
        "{folder}/abc/a.jpg\0.png",
        "{folder}/" + "a" * 5000,
        "{folder}/\ud800",
        "/etc/passwd",
        "file://{folder}/abc/a.jpg",
        "abc/a.jpg",
        "",
    ],
    ids=[
        "parent", "parent of a folder", "link", "circle of links", "sibling", "folder", "all",
        "none", "zero", "long", "no text", "absolute", "address", "relative", "empty",
    ],
)  # fmt: skip
def test_other_files_are_not_there(folder, path):
    with pytest.raises(ValueError, match="^This file is not here. Choose it again.$"):
        uploaded(path.format(folder=folder), folder)


@pytest.mark.parametrize("path", [None, 5, b"a", ["a"], {"path": "a"}], ids=repr)
def test_what_is_no_path_is_refused(folder, path):
    with pytest.raises(ValueError, match="not here"):
        uploaded(path, folder)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Where the app keeps its files, and a client that talks to the page as a browser does."""
    gradio = pytest.importorskip("gradio")
    from starlette.testclient import TestClient

    from landmark_app.camera.admission import Admission
    from support.fake_models import fake_models

    folder = tmp_path_factory.mktemp("app")
    weights = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        from landmark_app import page as ui

        page = ui.build(fake_models(patch, weights), Admission(1), ui.Limits(), folder)
        page.max_file_size = 2**20  # bytes, as launching sets it
        with TestClient(gradio.routes.App.create_app(page)) as client:
            yield folder, client, page


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/app/../../../../etc/passwd", str(Path(__file__)), "README.md"]
)
def test_files_of_the_machine_are_not_served(browser, path):
    folder, client, _ = browser
    path = path.replace("/app", str(folder))
    (folder / "own.txt").write_text("served")
    assert client.get(f"/gradio_api/file={folder}/own.txt").text == "served"
    assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)


def test_uploads_stay_in_the_app_s_folder(browser):
    folder, client, _ = browser
    before = set(folder.parent.rglob("*")) - set(folder.rglob("*"))
    files = {"files": ("../../../escaped.jpg", b"data", "image/jpeg")}
    answer = client.post("/gradio_api/upload", files=files)
    assert answer.status_code == 200 and not list(folder.parent.rglob("escaped.jpg.*"))
    (path,) = answer.json()
    assert uploaded(path, folder) == str(Path(path).resolve())
    assert set(folder.parent.rglob("*")) - set(folder.rglob("*")) == before


def test_the_examples_are_uploads(browser):
    from landmark_app.files.examples import PHOTOS, VIDEOS

    folder, _, _ = browser
    paths = {path.name: path for path in folder.rglob("*") if path.is_file()}
    for example in (*PHOTOS, *VIDEOS):
        assert uploaded(str(paths[example.file]), folder)


def look_at(page, tab, path):
    """What a tab's own function answers for a file, by its name."""
    from landmark_app.models import Choice

    functions = {block.name: block.fn for block in page.fns.values()}
    choice, show = Choice("face", "onnx"), ["points"]
    if tab == "annotate":
        return list(functions[tab](path, choice, show, None))[-1]
    if tab == "compare_photo":
        return list(functions[tab](path, "face · onnx", "face · train-time", show))[-1]
    return list(functions[tab](path, choice, True, 1, show))[-2]  # the last is of buttons


@pytest.mark.parametrize("tab", ["annotate", "compare_photo", "process"])
def test_every_tab_refuses_other_files(browser, tab):
    _, _, page = browser
    outside = PORTRAIT
    assert "This file is not here" in str(look_at(page, tab, str(outside)))


def test_a_photo_that_cannot_be_saved_leaves_nothing(browser, monkeypatch):
    folder, _, page = browser
    from PIL import Image

    (folder / "upload").mkdir()
    Image.fromarray(np.zeros((30, 30, 3), np.uint8)).save(folder / "upload/a.png")
    before = sorted(folder.rglob("*"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("landmark_app.files.found.write_whole", full)
    answer = look_at(page, "annotate", str(folder / "upload/a.png"))
    assert "No space left" in str(answer) and sorted(folder.rglob("*")) == before


def test_results_that_fail_after_their_folder_was_removed_fail_as_they_did(tmp_path):
    """As when the app makes room while a video is cancelled."""
    from landmark_app.files.results import filled_folder

    with pytest.raises(KeyError), filled_folder(tmp_path) as own:
        own.rmdir()
        raise KeyError
    assert not list(tmp_path.iterdir())
