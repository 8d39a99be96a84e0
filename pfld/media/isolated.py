"""Pictures of strangers, read and looked at by processes with limits of time and memory, which can be ended.

A process is kept for the next picture. It ends with the process that uses it, however that ends.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

SECONDS = 15.0  # of one core; the slowest honest pictures of 100 megapixels take 5
MEMORY = 4 * 2**30  # bytes; pictures of 100 megapixels take up to 2.5 GB
_WAITED = 4  # times ``seconds`` that are waited, as processes may wait for their turn
_KEPT = 2  # processes that may wait for the next picture
_LONGEST_ANSWER = 2**20  # bytes before the pixels
_PIPE = 2**20  # bytes; each part of a picture that is read waits for Python's interpreter lock
_TOO_MUCH = "this picture takes too much memory to look at"
_ROOT = Path(__file__).resolve().parents[2]
_AUTOGROUP = Path("/proc/self/autogroup")
# The first place to look for modules would be the current folder, which may be anyone's.
_CODE = (
    "import sys; sys.path[0] = sys.argv[1]; from pfld.media.isolated import serve; "
    "serve(int(sys.argv[2]))"
)

_IDLE: list[_Decoder] = []
_ALL: set[_Decoder] = set()
_LOCK = threading.Lock()
_SPENT = threading.local()
_niceness = 0


def read_picture_isolated(
    path: str | os.PathLike[str], *, seconds: float = SECONDS, memory: int = MEMORY
) -> NDArray[np.uint8]:
    """The picture ``(H, W, 3)`` uint8 RGB, as :func:`pfld.media.pictures.read_picture` gives it.

    Args:
        seconds: Of computing on one core that decoding may take; four times as much as time passes.
        memory: Bytes that the process may take; not limited on Windows.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: As :func:`pfld.media.pictures.read_picture`, and for too much time or memory.
    """
    question = {"path": os.fsencode(Path(path).absolute()).hex()}
    image: NDArray[np.uint8] = _asked(question, None, path, seconds, memory)
    return image


def look_isolated(
    look: Callable[[NDArray[np.uint8]], Any],
    image_rgb: NDArray[np.uint8],
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> Any:
    """What a function says of a picture.

    Args:
        look: A function of a module in a package, which the process imports. It takes the picture, and
            returns JSON values.
        image_rgb: ``(H, W, 3)`` uint8.
        seconds, memory: As of :func:`read_picture_isolated`.

    Raises:
        ValueError: As the function, and for too much time or memory.
    """
    (package,) = sys.modules[look.__module__.partition(".")[0]].__path__
    question = {
        "root": str(Path(package).parent),
        "look": [look.__module__, look.__name__],
        "shape": image_rgb.shape,
    }
    return _asked(question, image_rgb, "this picture", seconds, memory)


def _asked(
    question: dict[str, Any],
    image_rgb: NDArray[np.uint8] | None,
    name: str | os.PathLike[str],
    seconds: float,
    memory: int,
) -> Any:
    """The answer to a question by a process that waits, or a new one."""
    decoder = _taken() or _Decoder()
    try:
        answer = decoder.ask(question, image_rgb, name, seconds, memory)
    except BaseException:
        if decoder.process.poll() is None and not decoder.ready:
            decoder.end()
        raise
    finally:
        _give_back(decoder)
    return answer


def lower_priority(niceness: int) -> None:
    """Has processes that are started from now on leave the processor to others.

    Args:
        niceness: 0 to 19, as of ``os.nice``; on Windows any but 0 is the class below normal.
    """
    global _niceness
    _niceness = niceness


def seconds_for_this_thread() -> float:
    """Seconds of one core that processes have computed for pictures of this thread, in all.

    A picture that is given up counts as much as is waited for one at most.
    """
    return getattr(_SPENT, "seconds", 0.0)


def end_decoders() -> None:
    """Ends all processes, also those in the middle of a picture, which cannot be read then."""
    with _LOCK:
        found = [decoder for decoder in _ALL if decoder.owner == os.getpid()]
        _IDLE.clear()
    for decoder in found:
        decoder.end()


class _Decoder:
    """A process that decodes pictures and looks at them, seen from the one that asks.

    Attributes:
        ready: Whether it waits for the next picture.
    """

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.ready = True
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE, str(_ROOT), str(_niceness)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the process that asks
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) * bool(_niceness),
        )
        for pipe in (self.process.stdin, self.process.stdout):
            _enlarge(pipe)
        with _LOCK:
            _ALL.add(self)

    def ask(
        self,
        question: dict[str, Any],
        image_rgb: NDArray[np.uint8] | None,
        name: str | os.PathLike[str],
        seconds: float,
        memory: int,
    ) -> Any:
        """What :func:`read_picture_isolated` and :func:`look_isolated` return and raise.

        Args:
            question: As :func:`serve` takes it; without the limits.
            image_rgb: Goes with it.
            name: Of the picture, for messages.
        """
        asked, answers = self.process.stdin, self.process.stdout
        assert asked is not None and isinstance(answers, BufferedReader)
        self.ready = False
        spent_s = _WAITED * seconds  # unless it says how much
        patience = threading.Timer(_WAITED * seconds, self.process.kill)
        patience.start()
        try:
            limits = {"seconds": seconds, "memory": memory}
            asked.write(json.dumps(question | limits).encode() + b"\n")
            if image_rgb is not None:
                asked.write(_bytes(image_rgb))
            asked.flush()
            answer = answers.readline(_LONGEST_ANSWER)
            if not answer:
                raise EOFError
            kind, said, spent_s = json.loads(answer)
            if kind == "picture":
                image = np.empty(said, np.uint8)
                if answers.readinto(_bytes(image)) != image.nbytes:
                    raise EOFError
        except (EOFError, OSError, ValueError):
            raise ValueError(
                f"{name} takes more than {seconds:g} seconds or {memory / 2**30:.2g} GB"
                f" to {'read' if image_rgb is None else 'look at'}"
            ) from None
        finally:
            patience.cancel()
            _SPENT.seconds = seconds_for_this_thread() + spent_s
        self.ready = True
        if kind == "picture":
            return image
        if kind == "value":
            return said
        reason = said.replace(os.path.abspath(name), os.fspath(name), 1)
        raise FileNotFoundError(reason) if kind == "missing" else ValueError(reason)

    def end(self) -> None:
        """Ends the process."""
        with _LOCK:
            _ALL.discard(self)
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # it has something left to say
                pass
        self.process.wait()


def _bytes(image: NDArray[np.uint8]) -> memoryview:
    """The pixels of a picture, also of an empty one; of one whose rows follow each other, its own memory."""
    return np.ascontiguousarray(image).reshape(-1).data


def _enlarge(pipe: IO[bytes] | None) -> None:
    """Has a pipe take more at once, where the system lets it."""
    try:
        import fcntl

        if pipe is not None:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
    except (ImportError, AttributeError, OSError):
        pass


def _taken() -> _Decoder | None:
    """A process that waits, if there is one of this process."""
    with _LOCK:
        while _IDLE:
            decoder = _IDLE.pop()
            if decoder.owner == os.getpid() and decoder.process.poll() is None:
                return decoder
    return None


def _give_back(decoder: _Decoder) -> None:
    with _LOCK:
        if decoder.ready and decoder.process.poll() is None and len(_IDLE) < _KEPT:
            _IDLE.append(decoder)
            return
    decoder.end()


atexit.register(end_decoders)


def serve(niceness: int) -> None:
    """What the process does: answers the questions that its standard input asks, until that ends.

    A question is a line of JSON, with the limits "seconds" and "memory". It has the "path" of a picture, or
    which function to "look" with, the "root" from which its package is imported, and the "shape" of a
    picture, whose pixels follow the line.
    """
    _be_nice(niceness)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed goes nowhere
    if hasattr(signal, "SIGXCPU"):
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    questions: SimpleQueue[tuple[dict[str, Any], NDArray[np.uint8] | None]] = SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    while True:
        question, image = questions.get()
        _limit(question["seconds"], question["memory"])
        _answer(question, image, answers)
        answers.flush()
        image = None  # else it would be kept until the next one has come


def _listen(questions: SimpleQueue[tuple[dict[str, Any], NDArray[np.uint8] | None]]) -> None:
    """Takes in questions; when there is nobody left to ask, ends the process, also within a picture."""
    stdin = sys.stdin.buffer
    assert isinstance(stdin, BufferedReader)
    try:
        for line in stdin:
            question, image = json.loads(line), None
            if "shape" in question:
                image = np.empty(question["shape"], np.uint8)
                stdin.readinto(_bytes(image))
            questions.put((question, image))
            image = None
    finally:
        os._exit(0)


def _be_nice(niceness: int) -> None:
    if niceness and hasattr(os, "nice"):
        os.nice(niceness)
        # Linux may share the processor out among sessions first, and this process has one of its own.
        for _ in range(10):
            try:
                _AUTOGROUP.write_text(str(niceness))
                return
            except BlockingIOError:  # one process at a time may do so in a tenth of a second
                time.sleep(0.1)
            except OSError:  # not all kernels do
                return


def _answer(question: dict[str, Any], image: NDArray[np.uint8] | None, answers: BinaryIO) -> None:
    """Writes the answer to a question: a line of JSON, and the pixels of a picture that was read."""
    begun_s = time.process_time()

    def say(kind: str, what: object) -> None:
        answers.write(json.dumps([kind, what, time.process_time() - begun_s]).encode() + b"\n")

    try:
        if image is not None:
            return say("value", _looked(question, image))
        path = os.fsdecode(bytes.fromhex(question["path"]))
        image = _read(path)
    except MemoryError:
        what = f"{path} takes too much memory to read" if image is None else _TOO_MUCH
        return say("refused", what)
    except FileNotFoundError as error:
        return say("missing", str(error))
    except (ValueError, OSError) as error:
        return say("refused", str(error))
    say("picture", list(image.shape))
    answers.write(_bytes(image))


def _read(path: str) -> NDArray[np.uint8]:
    from pfld.media.pictures import read_picture

    return np.ascontiguousarray(read_picture(path))


def _looked(question: dict[str, Any], image: NDArray[np.uint8]) -> Any:
    if question["root"] not in sys.path:
        sys.path.append(question["root"])
    module, name = question["look"]
    return getattr(importlib.import_module(module), name)(image)


def _limit(seconds: float, memory: int) -> None:
    """Limits what this process may take for one more picture; Windows has no such limits."""
    try:
        import resource
    except ImportError:
        return
    used = time.process_time()
    for kind, most in (
        (resource.RLIMIT_CPU, int(used + seconds) + 1),
        (resource.RLIMIT_AS, memory),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(
            kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
        )
