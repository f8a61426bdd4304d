import type { Pair, Picture } from '../protocol.ts';
import { Canvas } from './canvas.tsx';
import { type Names, percent } from './series.ts';

/** Row i and column j, from 0. */
export type Cell = readonly [number, number];

/** Share of the squared entries that is on the diagonal. */
function diagonalShare(matrix: readonly (readonly number[])[]): number {
  const square = (rows: readonly (readonly number[])[]) => rows.flat().reduce((sum, x) => sum + x * x, 0);
  return square(matrix.map((row, k) => [row[k]!])) / square(matrix);
}

/** How opaque an entry is: small ones are lifted a little, so that one sees that they are there. */
const opacity = (entry: number): number => Math.min(1, entry) ** 0.7;

/** The entries of matrices as one image: each is K pixels wide, as opaque as its entries are large. */
function imageOf(matrices: Picture['alignment'], size: number, color: string): OffscreenCanvas {
  const side = matrices.length * size;
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext('2d')!;
  const image = context.createImageData(side, side);
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  matrices.forEach((row, i) => {
    row.forEach((matrix, j) => {
      matrix?.forEach((entries, p) => {
        entries.forEach((x, q) => {
          const at = 4 * ((i * size + p) * side + j * size + q);
          image.data.set([r!, g!, b!, 255 * opacity(x)], at);
        });
      });
    });
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

const LEFT = 18;
const sizeOf = (matrices: Picture['alignment']) => matrices.flat().find((m) => m)?.length ?? 1;
/** Pixels from cell to cell, and of a cell. */
const pitchOf = (width: number, depth: number) => (width - LEFT) / depth;

interface GridProps {
  readonly pictures: Pair<Picture> | undefined;
  readonly names: Names;
  readonly chosen: Cell;
  readonly choose: (cell: Cell) => void;
}

/** The grid of |U_jᵀ J_i V_j| of both networks, and below the matrix that was chosen. */
export function Grids({ pictures, names, chosen, choose }: GridProps) {
  const depth = pictures?.[0].alignment.length ?? 1;
  const [i, j] = chosen.map((x) => Math.min(x, depth - 1)) as [number, number];
  return (
    <div class="pair">
      {names.map(({ name, color, ink }, n) => {
        const matrices = pictures?.[n]?.alignment ?? [];
        const matrix = matrices[i]?.[j];
        return (
          <div key={name}>
            <h3 style={{ color: ink }}>{name}</h3>
            <Canvas
              label={`Matrices of ${name}, row i and column j; chosen: block ${i + 1} in the bases of block ${j + 1}`}
              draw={(context, width, _, ink) => drawGrid(context, width, ink, matrices, color, [i, j])}
              onPoint={(x, y, width) => {
                const at = (z: number) =>
                  Math.max(0, Math.min(depth - 1, Math.floor((z - LEFT) / pitchOf(width, depth))));
                choose([at(y), at(x)]);
              }}
              onArrow={(right, down) => {
                const step = (x: number, by: number) => Math.max(0, Math.min(depth - 1, x + by));
                choose([step(i, down), step(j, right)]);
              }}
            />
            <div class="detail">
              <Matrix matrix={matrix} color={color} />
              <p>
                block {i + 1} in the bases of block {j + 1}:{' '}
                {matrix ? <b>{percent(diagonalShare(matrix))} diagonal</b> : 'a dead block, J = 0'}
              </p>
            </div>
          </div>
        );
      })}
    </div>
  );
}

function drawGrid(
  context: CanvasRenderingContext2D,
  width: number,
  ink: string,
  matrices: Picture['alignment'],
  color: string,
  [chosenRow, chosenColumn]: Cell,
): void {
  const depth = matrices.length;
  if (depth === 0) return;
  const size = sizeOf(matrices);
  const image = imageOf(matrices, size, color);
  const pitch = pitchOf(width, depth);
  const side = pitch - Math.max(1.5, pitch / 12);
  context.imageSmoothingEnabled = false;
  context.fillStyle = context.strokeStyle = ink;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const every = Math.ceil(18 / pitch);
  matrices.forEach((row, i) => {
    const middle = LEFT + i * pitch + side / 2;
    context.globalAlpha = 0.7;
    if (i % every === 0) {
      context.fillText(String(i + 1), LEFT / 2, middle);
      context.fillText(String(i + 1), middle, LEFT / 2);
    }
    row.forEach((matrix, j) => {
      const [x, y] = [LEFT + j * pitch, LEFT + i * pitch];
      context.globalAlpha = 1;
      context.drawImage(image, j * size, i * size, size, size, x, y, side, side);
      if (!matrix) crossOut(context, x, y, side);
      const isChosen = i === chosenRow && j === chosenColumn;
      context.globalAlpha = isChosen ? 1 : i === j ? 0.6 : 0.15;
      context.lineWidth = isChosen ? 2 : 1;
      context.strokeRect(x, y, side, side);
    });
  });
}

function crossOut(context: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  context.globalAlpha = 0.3;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + side, y + side);
  context.moveTo(x + side, y);
  context.lineTo(x, y + side);
  context.stroke();
}

/** One matrix, large enough to see its entries. */
function Matrix({
  matrix,
  color,
}: {
  matrix: readonly (readonly number[])[] | null | undefined;
  color: string;
}) {
  const size = matrix?.length ?? 1;
  return (
    <svg
      viewBox={`0 0 ${size} ${size}`}
      width="72"
      height="72"
      aria-hidden="true"
      shape-rendering="crispEdges"
    >
      {matrix?.flatMap((row, p) =>
        row.map((x, q) => (
          <rect key={`${p} ${q}`} x={q} y={p} width="1" height="1" fill={color} opacity={opacity(x)} />
        )),
      )}
    </svg>
  );
}
