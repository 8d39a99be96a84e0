"""Published PFLD checkpoints, recognised by the names and shapes of their tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pfld.landmarks import scheme_with
from pfld.preprocess import Preprocessing
from pfld.weights.metadata import WeightMetadata

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED_PREPROCESSING = Preprocessing(channel_order="bgr")


def published_metadata(state: Mapping[str, Tensor], path: Path) -> WeightMetadata:
    """The metadata of a published checkpoint, from the names and shapes of its tensors.

    Raises:
        ValueError: For tensors of no network known here.
    """
    try:
        features, side = state["conv8.0.weight"].shape[0], state["conv8.0.weight"].shape[-1]
        scheme = scheme_with(state["fc.bias"].numel() // 2)
        return WeightMetadata(
            _network_of(state),
            replace(PUBLISHED_PREPROCESSING, input_size=16 * side),
            landmark_scheme=scheme.name,
            # conv8 has 128 x width channels, rounded down: the one width of two decimals that gives them.
            width_multiplier=math.ceil(features * 100 / 128) / 100,
            num_conv_branches=sum(
                re.fullmatch(r"conv1\.rbr_conv\.\d+\.conv\.weight", name) is not None
                for name in state
            )
            or 1,
            form="reparameterized" if "conv1.reparam_conv.weight" in state else "train-time",
            training_data="published checkpoint, which does not say",
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"{path} holds no network known here: its tensors lack {error}") from error
    except ValueError as error:
        raise ValueError(f"{path} holds no network known here: {error}") from error


def _network_of(state: Mapping[str, Tensor]) -> str:
    if "conv1.rbr_conv.0.conv.weight" in state or "conv1.reparam_conv.weight" in state:
        return "ghostone"
    if "conv3_1.inv_res.0.0.weight" in state:
        return "pfld"
    # The first hidden width tells the two apart: 2 or 1.5 times the input's.
    hidden = 2 * state["conv3_1.ghost_conv.0.primary_conv.0.weight"].shape[0]
    return "ghostnet" if hidden > 1.75 * state["conv2.0.weight"].shape[0] else "ghostnet-slim"
