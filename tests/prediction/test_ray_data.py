"""Pictures on Ray: rows of batches without it, and runs that find the faces of ``pfld predict``."""

import os
import shutil
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pfld.__main__ import main
from pfld.prediction import ray_data
from pfld.prediction.ray_data import PictureLandmarks, table_schema
from pfld.prediction.rows import csv_header
from pfld.runtime.landmarker import FaceLandmarker
from support.paths import PORTRAIT
from support.prediction import KnowingLandmarker, photo, table

pytest.importorskip("ray", reason="needs pip install 'pfld[ray]'")
dataset = pytest.importorskip("pyarrow.dataset")


@pytest.fixture
def knowing(monkeypatch):
    """Landmarks as :class:`PictureLandmarks` finds them, with the answer known."""
    answers = KnowingLandmarker()
    monkeypatch.setattr(FaceLandmarker, "from_pretrained", lambda *_, **__: answers)
    return PictureLandmarks()


def batch_of(paths):
    """As Ray gives it."""
    contents = np.array([path.read_bytes() for path in paths], dtype=object)
    return {"path": np.array([str(path) for path in paths], dtype=object), "bytes": contents}


def rows_of(found):
    return found.to_pylist()


def written(out):
    """All rows in a folder, by picture and face."""
    rows = dataset.dataset(out, format="parquet").to_table().to_pylist()
    return sorted(rows, key=lambda row: (row["source"], row["face_id"] or 0))


def test_every_picture_has_its_rows_in_the_order_of_the_batch(knowing, tmp_path):
    (tmp_path / "b.jpg").write_text("not a picture")
    paths = [photo(tmp_path / "c.png"), tmp_path / "b.jpg", photo(tmp_path / "a.png", 0)]
    found = knowing(batch_of(paths))
    assert found.schema == table_schema(98)
    assert found.column_names == [*csv_header(98), "problem"]
    face, damaged, empty = rows_of(found)
    assert [row["source"] for row in (face, damaged, empty)] == [str(path) for path in paths]
    assert [row["face_id"] for row in (face, damaged, empty)] == [1, None, None]
    assert damaged["problem"].startswith("not a picture that can be read")
    assert "13 bytes" in damaged["problem"] and str(tmp_path) not in damaged["problem"]
    assert face["problem"] is None and empty["problem"] is None
    for row in (damaged, empty):
        assert {name for name, value in row.items() if value is not None} <= {"source", "problem"}


def test_rows_are_those_of_csv(knowing, tmp_path, monkeypatch):
    path = photo(tmp_path / "a.png")
    (row,) = rows_of(knowing(batch_of([path])))
    out = str(tmp_path / "out")
    assert main(["predict", str(path), "--out", out, "--csv", "--no-pictures"]) == 0
    (expected,) = table(tmp_path / "out")
    assert_same(row, expected)


def assert_same(row, expected):
    """A row of Parquet, and one of CSV, whose values are text."""
    assert row["problem"] is None and row["source"] == expected["source"]
    for name in csv_header(98)[1:]:
        value = float(expected[name]) if expected[name] else None
        assert row[name] == (value if value is None else pytest.approx(value, rel=1e-6)), name


def test_whatever_a_picture_fails_with_only_it_is_left_out(knowing, tmp_path, monkeypatch):
    paths = [photo(tmp_path / "a.png"), photo(tmp_path / "b.png", 90)]
    look = KnowingLandmarker.__call__

    def fail_at_first(self, image):
        if image.mean() > 95:
            raise MemoryError
        return look(self, image)

    monkeypatch.setattr(KnowingLandmarker, "__call__", fail_at_first)
    first, second = rows_of(knowing(batch_of(paths)))
    assert first["problem"] == "not enough memory" and second["face_id"] == 1


def test_an_empty_batch_has_no_rows(knowing):
    assert knowing({"path": [], "bytes": []}).num_rows == 0


def test_nothing_is_told_to_anybody():
    from ray._common.usage import usage_lib

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0" and not usage_lib.usage_stats_enabled()


@pytest.mark.parametrize("option", ["--json", "--csv", "--no-smoothing", "--boxes", "--threads=2"])
def test_options_for_other_results_are_refused(option, tmp_path, capsys):
    path = photo(tmp_path / "a.png")
    assert main(["predict", "--ray", str(path), "--out", str(tmp_path / "out"), option]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {option.split('=')[0]} does not go with --ray\n"


def test_results_of_earlier_runs_are_not_mixed_with(tmp_path, capsys):
    path, old = photo(tmp_path / "in/a.png"), tmp_path / "out/old.parquet"
    old.parent.mkdir()
    old.touch()
    assert main(["predict", "--ray", str(path), "--out", str(old.parent)]) == 2
    assert "--overwrite" in capsys.readouterr().err and old.exists()


def test_where_there_is_nothing_to_read_ray_does_not_start(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ray_data, "_start", None)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"a video")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    paths = [str(folder), str(tmp_path / "missing.jpg")]
    assert main(["predict", "--ray", *paths, "--out", str(tmp_path / "out")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"skipped: {tmp_path}/") for line in lines] == [
        "missing.jpg: no such file or folder",
        "in/a.mp4: --ray takes pictures only",
        f"in/gone.jpg: no picture at {folder}/gone.jpg",
    ]


@pytest.mark.parametrize("error", [Exception, ConnectionError, RuntimeError])
@pytest.mark.parametrize("address", [None, "127.0.0.1:1"], ids=["here", "cluster"])
def test_ray_that_does_not_start_is_one_line(tmp_path, capsys, monkeypatch, error, address):
    def init(**options):
        raise error("The node timed out\n  during startup.")

    monkeypatch.setattr("ray.init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    path = photo(tmp_path / "a.png")
    assert main(["predict", "--ray", str(path), "--out", str(tmp_path / "out")]) == 2
    said = "error: Ray does not start: The node timed out during startup.\n"
    assert capsys.readouterr().err == said


def mortal():
    """A local class, as others are pickled by the name of a module that actors cannot import."""

    class Mortal(PictureLandmarks):
        """Its process is killed at a picture that has a file beside it that says so, once."""

        def __call__(self, batch):
            for path in map(Path, batch["path"]):
                order = path.with_suffix(".kill")
                if order.exists():
                    order.rename(path.with_suffix(".killed"))
                    os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(batch)

    return Mortal


@pytest.mark.slow
def test_two_workers_of_which_one_is_killed_find_the_faces_of_predict(tmp_path, monkeypatch, capfd):
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    portrait = Image.open(PORTRAIT)
    for number, name in enumerate(["a.jpg", "50%20 #?.png", "grün.webp", "b/c.JPG", "d.png"]):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        portrait.crop((8 * number, 0, portrait.width, portrait.height)).save(path)
    photo(folder / "dark.png", 0)
    (folder / "text.jpg").write_text("not a picture")
    shutil.copy(PORTRAIT, elsewhere / "z.jpg")
    (elsewhere / "notes.txt").write_text("not looked at")
    (folder / "d.kill").touch()
    plain = ["predict", str(folder), str(elsewhere), "--out", str(tmp_path / "plain")]
    assert main([*plain, "--csv", "--no-pictures"]) == 1

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray_data, "PictureLandmarks", mortal())
    monkeypatch.setattr(ray_data, "predict_on_ray", partial(ray_data.predict_on_ray, workers=2))
    out = tmp_path / "out"
    capfd.readouterr()
    command = ["predict", "--ray", str(folder), f"file://{elsewhere}", "--out", str(out)]
    assert main(command) == 1
    printed = capfd.readouterr()
    assert (folder / "d.killed").exists()
    assert printed.out.splitlines() == [
        "7 pictures done, 6 with faces",
        "1 problem reported",
        f"wrote 6 faces to {out}",
    ]
    # Ray tells of the kill there, too.
    (skipped,) = [line for line in printed.err.splitlines() if line.startswith("skipped: ")]
    assert "Traceback" not in printed.err
    assert skipped.startswith(f"skipped: {folder}/text.jpg: not a picture that can be read")
    rows = written(out)
    faces = [row for row in rows if row["face_id"] is not None]
    expected = sorted(table(tmp_path / "plain"), key=lambda row: row["source"])
    assert len(faces) == len(expected) == 6
    for row, found in zip(faces, expected):
        assert_same(row, found)
    others = {Path(row["source"]).name for row in rows if row["face_id"] is None}
    assert others == {"dark.png", "text.jpg"} and len(rows) == 8
