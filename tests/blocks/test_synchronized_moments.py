"""Two processes with synchronised moments against one with the whole batch."""

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.testing import assert_close

from pfld.blocks import MobileOneBlock, synchronize_moments


def step(block: MobileOneBlock, x: torch.Tensor) -> list[torch.Tensor]:
    """Gradients of input and parameters, summed over faces, then the running mean."""
    x = x.clone().requires_grad_()
    block(x).square().sum().backward()
    return [x.grad, *(p.grad for p in block.parameters()), block.rbr_conv[0].bn.running_mean]


def build() -> tuple[MobileOneBlock, torch.Tensor]:
    torch.manual_seed(0)
    block = MobileOneBlock(4, 4, 3, groups=4, num_conv_branches=2).double()
    return block, torch.randn(4, 4, 5, 5, dtype=torch.float64)


def work(rank: int, folder: str) -> None:
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    block, x = build()
    synchronize_moments(block)
    grad_x, *grads, running_mean = step(block, x[2 * rank : 2 * rank + 2])
    for grad in grads:
        dist.all_reduce(grad)
    torch.save([grad_x, *grads, running_mean], f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    mp.spawn(work, (str(tmp_path),), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    expected = step(*build())
    assert_close(torch.cat([part[0] for part in parts]), expected[0], rtol=1e-9, atol=1e-9)
    for part in parts:
        assert_close(part[1:], expected[1:], rtol=1e-9, atol=1e-9)
