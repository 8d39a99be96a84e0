"""The clock that networks' latencies are measured with."""

from __future__ import annotations

import sys
import time

# Processor time of the calling thread, in which backends with one thread compute: other work of the machine
# does not count, which would interrupt slow networks more often than fast ones. Windows only counts it in
# steps of 16 ms.
computing_s = time.perf_counter if sys.platform == "win32" else time.thread_time
