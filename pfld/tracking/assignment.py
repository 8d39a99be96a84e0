"""Minimum-cost assignment (Hungarian method): which row goes with which column."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def assign(costs: ArrayLike) -> list[tuple[int, int]]:
    """Pairs (row, column), sorted by row: as many as possible, of the least total cost.

    Args:
        costs: ``(N, M)``; infinite if a pair is impossible.

    Raises:
        ValueError: For another shape, NaN or minus infinity.
    """
    matrix = np.array(costs, dtype=np.float64)
    if matrix.ndim != 2 or np.isnan(matrix).any() or (matrix == -np.inf).any():
        raise ValueError(
            f"costs must be a matrix of numbers or infinity, got shape {matrix.shape} with "
            f"{np.isnan(matrix).sum()} NaN"
        )
    possible = np.isfinite(matrix)
    if not possible.any():
        return []
    if matrix.size == 1:  # the usual case, one face in a video; SciPy takes a second to import
        return [(0, 0)]
    from scipy.optimize import linear_sum_assignment

    # More than all possible pairs together, so that as few impossible ones as can be are taken.
    matrix[~possible] = 2 * np.abs(matrix[possible]).sum() + 1
    pairs = zip(*(indices.tolist() for indices in linear_sum_assignment(matrix)))
    return [pair for pair in pairs if possible[pair]]
