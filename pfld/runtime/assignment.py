"""Which of these is which of those: pairs of least total cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def assign(costs: ArrayLike) -> list[tuple[int, int]]:
    """Pairs (row, column), by row, as many as possible and of the least total cost.

    Args:
        costs: ``(N, M)``; infinite where a pair is out of the question.

    Raises:
        ValueError: For another shape, NaN or minus infinity.

    Source: shortest augmenting paths, the Hungarian method (Kuhn 1955; Jonker and Volgenant 1987). For
    matrices of faces, so it is plain Python: tens of microseconds for three by three.
    """
    matrix = np.array(costs, dtype=np.float64)
    if matrix.ndim != 2 or np.isnan(matrix).any() or (matrix == -np.inf).any():
        raise ValueError(
            f"costs must be a matrix of numbers or infinity, got shape {matrix.shape} with "
            f"{np.isnan(matrix).sum()} NaN"
        )
    if not matrix.size:
        return []
    possible = np.isfinite(matrix)
    # Dearer than any pairs together, so that as few of the impossible ones are taken as can be.
    worst = 2 * np.abs(matrix[possible]).sum() + 1
    matrix[~possible] = worst
    turned = len(matrix) > matrix.shape[1]
    rows = _shortest_paths((matrix.T if turned else matrix).tolist())
    pairs = [(column, row) if turned else (row, column) for row, column in enumerate(rows)]
    return sorted(pair for pair in pairs if possible[pair])


def _shortest_paths(costs: list[list[float]]) -> list[int]:
    """The column of each row, for no more rows than columns."""
    num_columns = len(costs[0])
    row_price, column_price = [0.0] * len(costs), [0.0] * num_columns
    row_of = [-1] * num_columns
    for first in range(len(costs)):
        # The cheapest way from the new row to every column, changing other rows' columns on the way.
        distance, came_from = [float("inf")] * num_columns, [-1] * num_columns
        done = [False] * num_columns
        row, column, reached = first, -1, 0.0
        while row >= 0:
            if column >= 0:
                done[column] = True
            for other in range(num_columns):
                if not done[other]:
                    way = reached + costs[row][other] - row_price[row] - column_price[other]
                    if way < distance[other]:
                        distance[other], came_from[other] = way, column
            column = min((c for c in range(num_columns) if not done[c]), key=distance.__getitem__)
            reached = distance[column]
            row = row_of[column]
        row_price[first] += reached
        for other in range(num_columns):
            if done[other]:
                row_price[row_of[other]] += reached - distance[other]
                column_price[other] += distance[other] - reached
        while column >= 0:
            previous = came_from[column]
            row_of[column] = row_of[previous] if previous >= 0 else first
            column = previous
    columns = [-1] * len(costs)
    for column, row in enumerate(row_of):
        if row >= 0:
            columns[row] = column
    return columns


def overlaps(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union ``(N, M)`` of boxes ``(N, 4)`` and ``(M, 4)``: x0, y0, x1, y1."""
    first = np.asarray(boxes, dtype=np.float64).reshape(-1, 1, 4)
    second = np.asarray(others, dtype=np.float64).reshape(1, -1, 4)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [
        np.clip(part[..., 2:] - part[..., :2], 0, None).prod(axis=-1) for part in (first, second)
    ]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-12)
