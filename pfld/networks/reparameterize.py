"""Structural re-parameterization of whole models."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

from pfld.blocks.mobileone import MobileOneBlock

Model = TypeVar("Model", bound=nn.Module)


def reparameterize(model: Model) -> Model:
    """A copy of ``model`` in which every MobileOne block is one convolution with trainable weights.

    The copy computes what ``model`` computes in eval mode, whichever mode either is in: batch norms
    are folded with their running statistics. The copy keeps the mode, device and dtype of ``model``,
    which is left as it was. On a model without such blocks, or done already, this is a plain copy.

    Source: Vasu et al. 2023, MobileOne, section 3.2; Ding et al. 2021, RepVGG, section 3.3.
    """
    fused = copy.deepcopy(model)
    # A list: blocks gain and lose children while they are visited.
    for module in list(fused.modules()):
        if isinstance(module, MobileOneBlock):
            module.reparameterize_()
    return fused
