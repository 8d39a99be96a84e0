// Systems of linear equations.

/** The solution of equations whose last column is the right side, by Gauss's elimination. */
export function solved(rows) {
  rows.forEach((row, k) => {
    const pivot = row[k];
    for (let i = k; i < row.length; i += 1) row[i] /= pivot;
    for (const other of rows) {
      const factor = other[k];
      if (other !== row) for (let i = k; i < row.length; i += 1) other[i] -= factor * row[i];
    }
  });
  return rows.map((row) => row[row.length - 1]);
}
