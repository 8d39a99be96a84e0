"""Landmarkers in forked and started processes, in workers of a DataLoader, in copies, and at exit.

Everything that could hang runs in a process of its own, with a limit.
"""

import copy
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pfld import FaceLandmarker, FaceTracker
from pfld.runtime.backends import load_backend
from pfld.weights.shipped import find_weights
from support.paths import PORTRAIT, ROOT

pytestmark = pytest.mark.slow

LIMIT_S = 300  # a busy machine takes its time; what hangs takes longer
BEGINNING = f"""
import atexit, copy, multiprocessing, os, sys, threading
import numpy as np
from pfld import FaceLandmarker, read_picture
from pfld.runtime.backends import load_backend
IMAGE = read_picture({str(PORTRAIT)!r})[:300, 100:400]
def found(landmarker):
    return round(float(landmarker(IMAGE)[0].landmarks.astype(np.float64).sum()), 3)
"""


def printed(tmp_path, program, **variables):
    """The lines that a program prints, which has to end well and in time."""
    script = tmp_path / "program.py"
    script.write_text(BEGINNING + program)
    ended = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "PATH": "",
            "HOME": str(tmp_path),
            **variables,
        },
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.splitlines()


def equal(lines, count):
    return len(lines) == count and len(set(lines)) == 1


@pytest.fixture(scope="module")
def landmarker():
    return FaceLandmarker.from_pretrained(min_score=0.4, max_faces=3)


@pytest.mark.slow
def test_backends_in_use_survive_a_fork(tmp_path):
    pytest.importorskip("torch")
    program = """
for name in ("onnx", "onnx-int8", "reparameterized"):
    backend = load_backend("ghostone", name, threads=2)
    size = backend.metadata.preprocessing.input_size
    crops = np.arange(3 * size * size * 3).astype(np.uint8).reshape(3, size, size, 3)
    expected = backend.predict(crops)
    pid = os.fork()
    if not pid:
        for found in (backend, copy.deepcopy(backend)):
            print(abs(found.predict(crops) - expected).max() < 1e-6, flush=True)
        sys.exit()  # frees what there is
    assert os.waitpid(pid, 0)[1] == 0
    print(abs(backend.predict(crops) - expected).max() < 1e-6, flush=True)
"""
    assert printed(tmp_path, program, OMP_NUM_THREADS="2") == ["True"] * 9


@pytest.mark.slow
def test_a_landmarker_survives_a_fork_before_its_first_picture(tmp_path):
    program = """
landmarker = FaceLandmarker.from_pretrained()
pid = os.fork()
print(found(landmarker), flush=True)
if not pid:
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
print(found(landmarker))
"""
    assert equal(printed(tmp_path, program), 3)


@pytest.mark.slow
def test_a_landmarker_in_use_survives_a_fork_and_a_fork_of_that(tmp_path):
    program = """
landmarker = FaceLandmarker.from_pretrained()
print(found(landmarker), flush=True)
for generation in range(2):  # a child, and a child of that
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
        print(found(landmarker), flush=True)
        break
    print(found(landmarker), found(FaceLandmarker.from_pretrained()), sep="\\n", flush=True)
sys.exit()
"""
    assert equal(printed(tmp_path, program), 7)


@pytest.mark.slow
def test_a_fork_while_another_thread_loads_models_has_its_own(tmp_path):
    program = """
landmarker = FaceLandmarker.from_pretrained()
thread = threading.Thread(target=lambda: print(found(landmarker), flush=True))
thread.start()
for _ in range(3):
    pid = os.fork()
    if not pid:
        print(found(landmarker), flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
thread.join()
"""
    assert equal(printed(tmp_path, program), 4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_take_a_landmarker(tmp_path, method):
    program = f"""
if __name__ == "__main__":
    landmarker = FaceLandmarker.from_pretrained()
    print(found(landmarker))
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        print(pool.apply(found, [landmarker]))
    process = multiprocessing.get_context({method!r}).Process(target=found, args=[landmarker])
    process.start()
    process.join()
    assert process.exitcode == 0
    print(found(landmarker))
"""
    assert equal(printed(tmp_path, program), 3)


@pytest.mark.slow
def test_workers_of_a_data_loader_call_it(tmp_path):
    pytest.importorskip("torch")
    program = """
from torch.utils.data import DataLoader, Dataset
class Faces(Dataset):
    def __init__(self):
        self.landmarker = FaceLandmarker.from_pretrained()
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return found(self.landmarker)
faces = Faces()
for batch in DataLoader(faces, batch_size=2, num_workers=2):
    print(*batch.tolist(), sep="\\n")
print(faces[0])
"""
    assert equal(printed(tmp_path, program), 5)


@pytest.mark.slow
def test_at_exit_it_still_works_and_nothing_hangs(tmp_path):
    program = """
landmarker = FaceLandmarker.from_pretrained()
landmarker.itself = landmarker
atexit.register(lambda: print(found(landmarker), found(FaceLandmarker.from_pretrained())))
print(found(landmarker), found(landmarker))
"""
    assert equal(printed(tmp_path, program), 2)


def same(first, second):
    assert len(first) == len(second) > 0
    for one, other in zip(first, second):
        assert_array_equal(one.landmarks, other.landmarks)
        assert (one.score, one.quality) == (other.score, other.quality)


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))],
    ids=["deep copy", "pickle"],
)
def test_copies_have_the_same_options_and_results(landmarker, portrait, copied):
    image = portrait[:300, 100:400]
    expected = landmarker(image)
    again = copied(landmarker)
    assert again is not landmarker and again.backend is not landmarker.backend
    assert (again.min_score, again.max_faces) == (0.4, 3)
    assert again.detector.min_score == landmarker.detector.min_score
    same(again(image), expected)
    same(landmarker(image), expected)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("train-time", marks=pytest.mark.slow),
        pytest.param("reparameterized", marks=pytest.mark.slow),
        "onnx",
        "onnx-int8",
    ],
)
def test_every_backend_is_copied_with_its_options(name):
    if "onnx" not in name:
        pytest.importorskip("torch")
    backend = load_backend("ghostone-small" if name != "onnx-int8" else "ghostone", name, threads=2)
    size = backend.metadata.preprocessing.input_size
    crops = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    for again in (copy.deepcopy(backend), pickle.loads(pickle.dumps(backend))):
        assert (again.name, again.metadata, again.threads) == (name, backend.metadata, 2)
        assert_array_equal(again.predict(crops), backend.predict(crops))


def test_a_pickle_finds_its_weights_from_another_folder_or_says_that_they_are_gone(
    tmp_path, monkeypatch
):
    shutil.copy(find_weights("ghostone", "onnx"), tmp_path / "mine.onnx")
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(load_backend("mine.onnx"))
    monkeypatch.chdir("/")
    assert pickle.loads(data).name == "onnx"
    (tmp_path / "mine.onnx").unlink()
    with pytest.raises(FileNotFoundError, match="no weight file at .*mine.onnx$"):
        pickle.loads(data)


def test_a_tracker_is_pickled_with_its_faces(landmarker, portrait):
    tracker = FaceTracker(landmarker)
    image = portrait[:300, 100:400]
    tracker(image, 0.0)
    again = pickle.loads(pickle.dumps(tracker))
    (face,), (expected,) = again(image, 0.04), tracker(image, 0.04)
    assert face.identity == expected.identity == 1
    assert_array_equal(face.landmarks, expected.landmarks)


def test_threads_share_a_landmarker(landmarker, portrait):
    image = portrait[:300, 100:400]
    expected = landmarker(image)
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(landmarker, [image] * 6):
            same(found, expected)
