"""Pictures of strangers, decoded by processes with limits of time and memory, which can be ended.

A process is kept for the next picture. It ends with the process that uses it, however that ends.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from io import BufferedReader
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

SECONDS = 15.0  # of one core; the slowest honest pictures of 100 megapixels take 5
MEMORY = 4 * 2**30  # bytes; pictures of 100 megapixels take up to 2.5 GB
_WAITED = 4  # times ``seconds`` that are waited, as processes may wait for their turn
_KEPT = 2  # processes that may wait for the next picture
_LONGEST_ANSWER = 2**16  # bytes before the pixels
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
    decoder = _taken() or _Decoder()
    try:
        image = decoder.read(Path(path), seconds, memory)
    except BaseException:
        if decoder.process.poll() is None and not decoder.ready:
            decoder.end()
        raise
    finally:
        _give_back(decoder)
    return image


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
    """A process that decodes pictures, seen from the one that asks.

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
        with _LOCK:
            _ALL.add(self)

    def read(self, path: Path, seconds: float, memory: int) -> NDArray[np.uint8]:
        """What :func:`read_picture_isolated` returns and raises."""
        asked, answers = self.process.stdin, self.process.stdout
        assert asked is not None and isinstance(answers, BufferedReader)
        self.ready = False
        spent_s = _WAITED * seconds  # unless it says how much
        patience = threading.Timer(_WAITED * seconds, self.process.kill)
        patience.start()
        try:
            question = [os.fsencode(path.absolute()).hex(), seconds, memory]
            asked.write(json.dumps(question).encode() + b"\n")
            asked.flush()
            answer = answers.readline(_LONGEST_ANSWER)
            if not answer:
                raise EOFError
            kind, said, spent_s = json.loads(answer)
            if kind == "picture":
                image = np.empty(said, np.uint8)
                if answers.readinto(image.data.cast("B")) != image.nbytes:
                    raise EOFError
        except (EOFError, OSError, ValueError):
            raise ValueError(
                f"{path} takes more than {seconds:g} seconds or {memory / 2**30:.2g} GB to read"
            ) from None
        finally:
            patience.cancel()
            _SPENT.seconds = seconds_for_this_thread() + spent_s
        self.ready = True
        if kind == "picture":
            return image
        reason = said.replace(os.fspath(path.absolute()), os.fspath(path), 1)
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
    """What the process does: pictures that its standard input names, until that ends."""
    _be_nice(niceness)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed goes nowhere
    if hasattr(signal, "SIGXCPU"):
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    questions: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    while True:
        path, seconds, memory = json.loads(questions.get())
        _limit(seconds, memory)
        _answer(Path(os.fsdecode(bytes.fromhex(path))), answers)
        answers.flush()


def _listen(questions: SimpleQueue[bytes]) -> None:
    """Takes in questions; when there is nobody left to ask, ends the process, also within a picture."""
    for question in sys.stdin.buffer:
        questions.put(question)
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


def _answer(path: Path, answers: BinaryIO) -> None:
    """Writes what a file gives: a line of JSON, and the pixels."""
    from pfld.media.pictures import read_picture

    begun_s = time.process_time()

    def say(kind: str, what: object) -> None:
        answers.write(json.dumps([kind, what, time.process_time() - begun_s]).encode() + b"\n")

    try:
        image = np.ascontiguousarray(read_picture(path))
    except MemoryError:
        return say("refused", f"{path} takes too much memory to read")
    except FileNotFoundError as error:
        return say("missing", str(error))
    except (ValueError, OSError) as error:
        return say("refused", str(error))
    say("picture", list(image.shape))
    answers.write(image.data.cast("B"))


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
