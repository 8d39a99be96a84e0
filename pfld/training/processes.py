"""What one process of a run learns of the others."""

from __future__ import annotations

import torch

_SIGNS = ("closed by peer", "reset by peer", "connection refused", "broken pipe", "timed out")


def is_lost_process(error: RuntimeError) -> bool:
    """Whether an error means that another process of the run has ended or does not answer.

    Gloo raises plain errors that only their text tells apart; NCCL's have a class.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return False
    text = str(error).lower()
    return isinstance(error, torch.distributed.DistBackendError) or any(
        sign in text for sign in _SIGNS
    )
