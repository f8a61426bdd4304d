/** Float64 factorizations for the interpreter: vectors of any sign, all NaN of what is not finite. */

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, x, i) => s + x * b[i]!, 0);

function addScaled(a: Float64Array, b: Float64Array, c: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += c * b[i]!;
}

/** Gram–Schmidt, twice; a vector in the span of those before becomes a unit vector outside it. */
export function orthonormalRows(rows: readonly Float64Array[]): Float64Array[] {
  if (!rows.every((row) => row.every(Number.isFinite))) return rows.map((row) => row.map(() => Number.NaN));
  const basis: Float64Array[] = [];
  for (const row of rows) {
    const scale = row.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
    for (let i = -1; i < row.length; i++) {
      const candidate = row.map((x, j) => (i >= 0 ? Number(i === j) : scale ? x / scale : 0));
      const before = Math.sqrt(dot(candidate, candidate));
      for (let pass = 0; pass < 2; pass++) for (const q of basis) addScaled(candidate, q, -dot(q, candidate));
      const norm = Math.sqrt(dot(candidate, candidate));
      if (norm <= 1e-10 * before || norm === 0) continue;
      basis.push(candidate.map((x) => x / norm));
      break;
    }
  }
  return basis;
}

/** Values, or right vectors as rows, of a matrix A by one-sided Jacobi on its columns. */
export function singularFactor(a: Float64Array, n: number, part: 's' | 'v'): Float64Array {
  if (!a.every(Number.isFinite)) return new Float64Array(part === 's' ? n : n * n).fill(Number.NaN);
  const columns = Array.from({ length: n }, (_, j) =>
    Float64Array.from({ length: n }, (_, i) => a[i * n + j]!),
  );
  const v = columns.map((_, j) => Float64Array.from({ length: n }, (_, i) => Number(i === j)));
  for (let sweep = 0, rotated = true; rotated && sweep < 60; sweep++) {
    rotated = false;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        const [x, y] = [columns[p]!, columns[q]!];
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(xy) <= 1e-15 * Math.sqrt(xx * yy) || xy === 0) continue;
        rotated = true;
        const zeta = (yy - xx) / (2 * xy);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        for (const [l, r] of [
          [x, y],
          [v[p]!, v[q]!],
        ] as const)
          for (let i = 0; i < n; i++) [l[i], r[i]] = [c * (l[i]! - t * r[i]!), c * (t * l[i]! + r[i]!)];
      }
  }
  const sigma = columns.map((x) => Math.sqrt(dot(x, x)));
  const order = sigma.map((_, j) => j).sort((i, j) => sigma[j]! - sigma[i]!);
  if (part === 's') return Float64Array.from(order, (j) => sigma[j]!);
  return Float64Array.from(order.flatMap((j) => [...v[j]!]));
}
