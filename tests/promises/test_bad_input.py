"""Bad input through every command, the Python API and the app: one clear line or a counted skip.

Never a traceback, never a file half-written. What exactly is refused is tested where it is refused.
"""

import base64
import os
import warnings

import numpy as np
import pytest
import torch

import train
from landmark_app.camera.frames import decode_frame
from landmark_app.files.photo import on_pair_photo, on_photo
from landmark_app.files.video import VideoOptions, on_video
from landmark_app.models import Choice
from pfld.__main__ import main
from pfld.data.annotations import read_faces
from pfld.media.pictures import read_picture
from pfld.runtime.landmarker import FaceLandmarker
from pfld.tracking.tracker import FaceTracker
from support.bad_annotations import LINE, MISSING_PICTURES, NO_LINES, NO_PTS
from support.bad_pictures import NO_ARRAYS, NO_PICTURES, PICTURES, SIDE, encoded, png_of
from support.bad_videos import NO_VIDEOS, VIDEOS
from support.bad_weights import NO_WEIGHTS, safetensors
from support.fake_models import FakeBackend
from support.prediction import KnowingLandmarker, files_in, leftovers, results

LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt"
WITHOUT_A_FACE = {"1x1", "40000x2"}  # pictures the annotated face does not lie in
TRAINING = ["--network", "pfld", "--width-multiplier", "0.25", "--validation-fraction", "0.5"]
BOTH = Choice("face", "onnx"), Choice("face", "train-time")


def each(table):
    return pytest.mark.parametrize("entry", table.values(), ids=table.keys())


def named(table):
    return pytest.mark.parametrize(("name", "entry"), table.items(), ids=table.keys())


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights that are as they should be."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    safetensors(path)
    return path


@pytest.fixture
def data(tmp_path):
    """A data set of one picture for two faces, to be changed."""
    folder = tmp_path / "data"
    (folder / "WFLW_images").mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (folder / "WFLW_images" / name).write_bytes(encoded("PNG"))
    annotate(folder, LINE)
    return folder


def annotate(folder, line):
    """Makes ``line`` the second of both lists; the first is as it should be."""
    for split in ("train", "test"):
        path = folder / LIST.format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{LINE.replace('a.png', 'b.png')}\n{line}\n")


@pytest.fixture
def knowing(monkeypatch):
    """Predicting finds faces without a network."""
    monkeypatch.setattr(FaceLandmarker, "from_pretrained", lambda *_, **__: KnowingLandmarker())


def only_line(capfd):
    """What was said on standard error, which is one line."""
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said, said
    return said


def predicted(capfd, path):
    """The status of predicting a file into ``out``, what it says and the copies it makes.

    There is a line for whatever is wrong, and nothing half-done is left.
    """
    out = path.parent / "out"
    status = main(["predict", str(path), "--out", str(out), "--json", "--csv"])
    said = capfd.readouterr().err
    assert "Traceback" not in said and said.count("\n") == status
    assert leftovers(out) == []
    *copies, table, lines = files_in(out)
    assert (table, lines) == ("faces.csv", "faces.jsonl")
    return status, said, copies


# Pictures


@each(NO_PICTURES)
def test_predicting_skips_what_is_no_picture(tmp_path, capfd, knowing, entry):
    (tmp_path / "a.jpg").write_bytes(entry)
    status, said, copies = predicted(capfd, tmp_path / "a.jpg")
    assert (status, copies) == (1, []) and said.startswith(f"skipped: {tmp_path}/a.jpg: ")


@each(PICTURES)
def test_predicting_takes_pictures_of_every_kind(tmp_path, capfd, knowing, entry):
    (tmp_path / "a.jpg").write_bytes(entry)
    assert predicted(capfd, tmp_path / "a.jpg") == (0, "", ["a.jpg"])


def evaluate(data, weights, tmp_path, *options):
    arguments = ["--weights", weights, "--data", data, "--json", tmp_path / "result.json", *options]
    return main(["evaluate", *map(str, arguments)])


@named(NO_PICTURES | PICTURES)
def test_evaluating_counts_what_it_cannot_use(tmp_path, capfd, data, weights, name, entry):
    (data / "WFLW_images/a.png").write_bytes(entry)
    assert evaluate(data, weights, tmp_path, "--allow-missing", "0.5") == 0
    said = capfd.readouterr().err
    if name in NO_PICTURES or name in WITHOUT_A_FACE:
        assert said.startswith("skipped: ") and "a.png" in said and said.count("\n") == 1
    else:
        assert said == ""


def test_no_warning_comes_besides(tmp_path, data, weights):
    (data / "WFLW_images/a.png").write_bytes(png_of(10_001, 10_001))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert evaluate(data, weights, tmp_path) == 2
    assert said == []


@each(NO_PICTURES)
def test_training_stops_for_what_is_no_picture(tmp_path, capfd, data, entry):
    (data / "WFLW_images/a.png").write_bytes(entry)
    assert trained(data, tmp_path) == 2
    said = only_line(capfd)
    assert said.startswith("error: 1 of 2 faces") and "a.png" in said


def files_of_run(folder):
    """The files in a run's folder, but for the empty one that is locked while it runs."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


def trained(data, tmp_path, *options):
    """The exit status; what is refused leaves no file."""
    arguments = ["--data", data, "--out", tmp_path / "run", *TRAINING, *options]
    status = train.main([*map(str, arguments)])
    assert files_of_run(tmp_path / "run") == []
    assert list(data.glob(".pfld-cache/*")) == []
    return status


@each(NO_PICTURES)
def test_the_app_refuses_what_is_no_picture(tmp_path, models, entry):
    path = tmp_path / "a.jpg"
    path.write_bytes(entry)
    for look, choices in ((on_photo, BOTH[:1]), (on_pair_photo, BOTH)):
        with pytest.raises(ValueError, match="This file .* Choose a JPEG, PNG or WebP") as caught:
            look(models, str(path), *choices)
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(ValueError, match="the camera's frame|a frame is at most"):
        decode_frame("data:image/jpeg;base64," + base64.b64encode(entry).decode())


@named(PICTURES)
def test_the_api_reads_pictures_of_every_kind(tmp_path, name, entry):
    (tmp_path / "a.jpg").write_bytes(entry)
    image = read_picture(tmp_path / "a.jpg")
    assert image.dtype == np.uint8 and image.shape[2] == 3
    if name not in WITHOUT_A_FACE:
        assert image.shape == (SIDE, SIDE, 3)


@each(NO_ARRAYS)
def test_the_api_refuses_what_is_no_picture(entry):
    landmarker = FaceLandmarker(FakeBackend())
    with pytest.raises(ValueError, match="a picture "):
        landmarker(entry)
    if np.size(entry):  # an empty frame has no faces
        with pytest.raises(ValueError, match="a frame must be"):
            FaceTracker(landmarker)(entry, 0.0)


# Videos


@each(NO_VIDEOS)
def test_predicting_skips_what_is_no_video(tmp_path, capfd, knowing, entry):
    entry(tmp_path / "a.mp4")
    status, said, copies = predicted(capfd, tmp_path / "a.mp4")
    if entry is NO_VIDEOS["picture"]:  # a name says nothing
        assert (status, copies) == (0, ["a.mp4.png"])
        return
    assert (status, copies) == (1, []) and said.startswith(f"skipped: {tmp_path}/a.mp4: ")


@each(VIDEOS)
def test_predicting_takes_what_there_is_of_a_video(tmp_path, capfd, knowing, entry):
    make, least = entry
    make(tmp_path / "a.mp4")
    status, said, copies = predicted(capfd, tmp_path / "a.mp4")
    assert copies == ["a.mp4"] and len(results(tmp_path / "out")) >= least
    if status:
        assert least < 12 and said.startswith(f"damaged: {tmp_path}/a.mp4: only ")


@each(NO_VIDEOS)
def test_the_app_refuses_what_is_no_video(tmp_path, models, entry):
    entry(tmp_path / "a.mp4")
    (tmp_path / "results").mkdir()
    with pytest.raises(ValueError, match="This file .* Choose another video") as caught:
        list(
            on_video(models, str(tmp_path / "a.mp4"), BOTH[0], tmp_path / "results", VideoOptions())
        )
    assert str(tmp_path) not in str(caught.value) and list((tmp_path / "results").iterdir()) == []


@each(VIDEOS)
def test_the_app_takes_what_there_is_of_a_video(tmp_path, models, entry):
    make, least = entry
    make(tmp_path / "a.mp4")
    *_, report = on_video(
        models, str(tmp_path / "a.mp4"), BOTH[0], tmp_path, VideoOptions(max_s=1e6)
    )
    assert len(report.times_s) >= least and report.video.stat().st_size and report.table.is_file()


# Weights


@pytest.fixture
def bad_weights(tmp_path, monkeypatch):
    """Makes the weights called ``name``; no code in them may run, no other file be read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path.parent / "secret.bin").write_bytes(bytes(4 * 196))

    def make(name):
        NO_WEIGHTS[name](tmp_path / name)
        return tmp_path / name

    yield make
    assert not os.path.exists("ran")


FAIL_LATER = {"one-crop.onnx"}  # once there is a face


@pytest.mark.parametrize("name", NO_WEIGHTS)
def test_every_command_refuses_bad_weights(tmp_path, capfd, data, bad_weights, name):
    path = bad_weights(name)
    assert evaluate(data, path, tmp_path) == 2
    said = only_line(capfd)
    assert said.startswith("error: ") and name in said and not (tmp_path / "result.json").exists()
    if name not in FAIL_LATER:
        command = ["predict", str(data), "--out", str(tmp_path / "out"), "--weights", str(path)]
        assert main(command) == 2
        assert name in only_line(capfd) and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["code.pth", "truncated.safetensors", "elsewhere.onnx"])
def test_training_refuses_bad_weights_to_begin_with(tmp_path, capfd, data, bad_weights, name):
    option = "--teacher" if name.endswith(".onnx") else "--initial-weights"
    arguments = ["--data", "synthetic", "--synthetic-faces", "8", "--out", "run", *TRAINING]
    assert train.main([*arguments, option, str(bad_weights(name))]) == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ") and name in said
    assert files_of_run(tmp_path / "run") == []


@pytest.mark.parametrize(
    "state", [{"step": 1}, [1], torch.zeros(3)], ids=["other", "list", "tensor"]
)
def test_training_does_not_go_on_from_another_file(tmp_path, capfd, state):
    out = tmp_path / "run"
    out.mkdir()
    torch.save(state, out / "step-00000001.pt")
    arguments = ["--data", "synthetic", "--synthetic-faces", "8", "--out", str(out), "--resume"]
    assert train.main([*arguments, *TRAINING]) == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith("error: the checkpoint of step 1 cannot be used: it is not one of a run")


# Annotations


@each(NO_LINES)
def test_every_command_names_a_faulty_line(tmp_path, capfd, data, weights, entry):
    annotate(data, entry)
    assert evaluate(data, weights, tmp_path) == 2
    assert "test.txt:2: " in only_line(capfd) and not (tmp_path / "result.json").exists()
    assert trained(data, tmp_path) == 2
    assert "train.txt:2: " in only_line(capfd)


@each(MISSING_PICTURES)
def test_a_line_without_its_picture_is_counted(tmp_path, capfd, data, weights, entry):
    annotate(data, entry)
    assert evaluate(data, weights, tmp_path) == 2
    said = only_line(capfd)
    assert "at least 1 of 2 faces" in said and "--allow-missing" in said
    assert evaluate(data, weights, tmp_path, "--allow-missing", "0.5") == 0
    assert only_line(capfd).startswith("skipped: ")
    assert trained(data, tmp_path) == 2
    assert "1 of 2 faces" in only_line(capfd)


@each(NO_PTS)
def test_a_faulty_pts_file_is_named(tmp_path, entry):
    (tmp_path / "a.pts").write_text(entry)
    with pytest.raises(ValueError, match=r"a\.pts(:\d+)?: "):
        read_faces(tmp_path, "train")
