"""Which networks have branches to fold, told without building them."""

import pytest

from pfld.blocks.mobileone import MobileOneBlock
from pfld.networks import NETWORKS
from pfld.weights import WeightMetadata


@pytest.mark.parametrize("name", NETWORKS)
def test_what_has_branches_is_what_has_blocks_to_fold(name):
    metadata = WeightMetadata(name, width_multiplier=0.25)
    blocks = [m for m in metadata.build().modules() if isinstance(m, MobileOneBlock)]
    assert metadata.has_branches == bool(blocks)
