import { BLOCK_PIXELS, type ConvForm, convPlace } from './conv-problem.ts';
import { columnOf, fourAlong, fourRows, range, storeSums, subgroupShader, sumsOf } from './product.ts';

/** A tile of `rows` × `columns`·lanes; each lane keeps `columns` columns of all rows. */
export interface ConvTile {
  /** A multiple of the number of lanes; for weight gradients, of four. */
  readonly rows: number;
  /** 1, 2 or a multiple of four. */
  readonly columns: number;
}

/**
 * The convolution for a CPU that poses as a GPU: an implicit matrix product structured like
 * matmul-broadcast.ts (which says why). A subgroup is a workgroup, its lanes run over columns, and rows are
 * loaded one or four per lane and broadcast. Only the loads differ: addresses and bounds are computed once
 * per tap of the window, and the inner loop over channels just adds to them.
 */
export function convBroadcastSource(form: ConvForm, tile: ConvTile, lanes: number, grouped: boolean): string {
  const pixels = form.part !== 'weightGradient';
  return pixels ? pixelSource(form, tile, lanes) : weightSource(form, tile, lanes, grouped);
}

const frame = (form: ConvForm, tile: ConvTile, lanes: number, body: string): string =>
  subgroupShader(form.memory, lanes, `${convPlace(form, tile.rows, tile.columns * lanes)}\n  ${body}`);

/** Rows are pixels of the result, columns its channels; k runs over window taps and the other channels. */
function pixelSource(form: ConvForm, tile: ConvTile, lanes: number): string {
  const { a, guardK, strided } = form;
  const vecA = a.width === 4;
  const forward = form.part === 'forward';
  const sums = sumsOf(tile.rows, tile.columns);
  const perLane = tile.rows / lanes;
  const rows = range(perLane, (i) => i);
  const shiftA = vecA ? ' >> 2u' : '';
  const k4 = vecA ? '(k >> 2u)' : 'k';
  const loadA = (i: number) => {
    if (vecA) return `let a${i} = select(vec4f(), fetchA(from${i} + ${k4}), in${i});`;
    const element = (u: number) =>
      guardK
        ? `select(0.0, fetchA(from${i} + min(k + ${u}u, s.depth - 1u)), in${i} & (k + ${u}u < s.depth))`
        : `select(0.0, fetchA(from${i} + k + ${u}u), in${i})`;
    return `let a${i} = vec4f(${range(4, element).join(', ')});`;
  };
  const columns = range(tile.columns, (j) => {
    const v = Math.floor(j / sums.width);
    return `${columnOf(sums.width, lanes, v)} + ${j % sums.width}u`;
  });
  const b = weights(columns, form.b.width === 4, guardK);
  const products = range(tile.rows, (r) => [
    `let r${r} = subgroupBroadcast(a${Math.floor(r / lanes)}, ${r % lanes}u);`,
    ...sums.add(r),
  ]).flat();
  const start = (i: number) => {
    const [y, x] = forward
      ? [`p${i} * s.strideH - s.padH`, `q${i} * s.strideW - s.padW`]
      : strided
        ? [`p${i} + (phaseH + s.padH - firstR) / s.strideH`, `q${i} + (phaseW + s.padW - firstQ) / s.strideW`]
        : [`p${i} + s.padH`, `q${i} + s.padW`];
    return `let x${i} = min(row0 + lane + ${i * lanes}u, s.rows - 1u);
  let q${i} = x${i} % s.rowW; let p${i} = x${i} / s.rowW % s.rowH;
  let base${i} = atA + x${i} / (s.rowW * s.rowH) * s.inH * s.inW * s.depth;
  let y${i} = ${y}; let z${i} = ${x};`;
  };
  const sign = forward ? '+' : '-';
  const [firstQ, stepR, stepQ] = strided ? ['firstQ', 's.strideH', 's.strideW'] : ['0u', '1u', '1u'];
  return frame(
    form,
    tile,
    lanes,
    `${rows.map(start).join('\n  ')}
  ${b.before.join('\n  ')}
  ${sums.declare.join('\n  ')}
  var r = ${strided ? 'select(firstR, s.kernelH, firstQ >= s.kernelW)' : '0u'};
  var q = ${firstQ};
  var dy = 0u;
  var dx = 0u;
  var k = 0u;
  while (r < s.kernelH) {
    let tap = r * s.kernelW + q;
    ${rows
      .map(
        (i) => `let in${i} = (y${i} ${sign} dy < s.inH) & (z${i} ${sign} dx < s.inW);
    let from${i} = select(0u, (base${i} + ((y${i} ${sign} dy) * s.inW + z${i} ${sign} dx) * s.depth)${shiftA}, in${i});`,
      )
      .join('\n    ')}
    ${[...rows.map(loadA), ...b.loads, ...products].join('\n    ')}
    k += 4u;
    let done = k >= s.depth;
    k = select(k, 0u, done);
    q += select(0u, ${stepQ}, done);
    dx += select(0u, 1u, done);
    let line = q >= s.kernelW;
    q = select(q, ${firstQ}, line);
    dx = select(dx, 0u, line);
    r += select(0u, ${stepR}, line);
    dy += select(0u, 1u, line);
  }
  ${storeRows(form, sums, lanes)}`,
  );
}

/** `b{j}`: four k of column j. */
function weights(columns: readonly string[], vec: boolean, guardK: boolean) {
  const shift = vec ? ' >> 2u' : '';
  return {
    before: columns.map(
      (x, j) => `let bFrom${j} = (atB + min(${x}, s.cols - 1u) * s.taps * s.depth)${shift};`,
    ),
    loads: [
      `let bTap = (tap * s.depth)${shift};`,
      ...columns.map((_, j) => {
        if (vec) return `let b${j} = fetchB(bFrom${j} + bTap + (k >> 2u));`;
        // Zeros on both sides: 0 · ∞ is no part of the sum.
        return `let b${j} = ${fourAlong('fetchB', `bFrom${j} + bTap`, 's.depth', guardK)};`;
      }),
    ],
  };
}

/**
 * Rows are output channels, columns window taps and input channels; k runs over output pixels. `grouped`:
 * sums of blocks are added up before they are stored.
 */
function weightSource(form: ConvForm, tile: ConvTile, lanes: number, grouped: boolean): string {
  const { guardK } = form;
  const vecA = form.a.width === 4;
  const sums = sumsOf(tile.rows, tile.columns);
  const totals = sumsOf(tile.rows, tile.columns, 't');
  // A vector's columns share a window tap if their number divides the number of channels.
  const vecB = form.b.width === sums.width;
  const quads = Math.ceil(tile.rows / (4 * lanes));
  const loadA = (i: number, u: number) => {
    const row = `aRow${u} + co${i}`;
    const value = vecA
      ? `fetchA((${row}) >> 2u)`
      : `vec4f(${range(4, (c) => `fetchA(aRow${u} + min(co${i} + ${c}u, s.rows - 1u))`).join(', ')})`;
    return `let a${i}_${u} = ${guardK ? `select(vec4f(), ${value}, q + ${u}u < s.rowW)` : value};`;
  };
  const rows = range(tile.rows, (r) => [...fourRows(r, lanes, 'a'), ...sums.add(r)]).flat();

  const starts = range(vecB ? tile.columns / sums.width : tile.columns, (j) => {
    const column = vecB
      ? columnOf(sums.width, lanes, j)
      : `${columnOf(sums.width, lanes, Math.floor(j / sums.width))} + ${j % sums.width}u`;
    return `let column${j} = min(${column}, s.cols - ${vecB ? sums.width : 1}u);
  let tap${j} = column${j} / s.channels; let channel${j} = column${j} % s.channels;
  let dy${j} = tap${j} / s.kernelW - s.padH; let dx${j} = tap${j} % s.kernelW - s.padW;`;
  });
  const places = starts.map(
    (_, j) => `let h${j} = p * s.strideH + dy${j};
      let in${j} = h${j} < s.inH;
      let from${j} = select(0u, bImage + h${j} * s.inW * s.channels, in${j}) + channel${j};`,
  );
  const loadB = starts.flatMap((_, j) =>
    range(4, (u) => {
      const unit = vecB && sums.width > 1 ? ` / ${sums.width}u` : '';
      const zero = vecB ? `${sums.type}()` : '0.0';
      return `let w${j}_${u} = (q + ${u}u) * s.strideW + dx${j}; let ok${j}_${u} = in${j} & (w${j}_${u} < s.inW)${guardK ? ` & (q + ${u}u < s.rowW)` : ''};
          let v${j}_${u} = select(${zero}, fetchB((from${j} + select(0u, w${j}_${u} * s.channels, ok${j}_${u}))${unit}), ok${j}_${u});`;
    }),
  );
  const columns = range(tile.columns, (j) => {
    const part = (u: number) =>
      !vecB || sums.width === 1 ? `v${j}_${u}` : `v${Math.floor(j / sums.width)}_${u}[${j % sums.width}]`;
    return `let b${j} = vec4f(${range(4, part).join(', ')});`;
  });
  return frame(
    form,
    tile,
    lanes,
    `${range(quads, (i) => `let co${i} = min(row0 + 4u * (lane + ${i * lanes}u), s.rows - ${vecA ? 4 : 1}u);`).join('\n  ')}
  ${starts.join('\n  ')}
  for (var start = 0u; start < s.images; start += s.block) {
    ${(grouped ? totals : sums).declare.join('\n    ')}
    let end = atA + min(start + s.block, s.images) * s.rowH * s.rowW * s.rows;
    var aLine = atA + start * s.rowH * s.rowW * s.rows;
    var bImage = atB + start * s.inH * s.inW * s.channels;
    var p = 0u;
    var q = 0u;
    ${grouped ? `while (aLine < end) {\n    ${sums.declare.join('\n    ')}` : ''}
    ${grouped ? `for (var step = 0u; (step < ${BLOCK_PIXELS / 4}u) & (aLine < end); step++)` : 'while (aLine < end)'} {
      ${range(4, (u) => `let aRow${u} = aLine + ${guardK ? `min(q + ${u}u, s.rowW - 1u)` : `(q + ${u}u)`} * s.rows;`).join(' ')}
      ${range(quads, (i) => range(4, (u) => loadA(i, u)))
        .flat()
        .join('\n      ')}
      ${[...places, ...loadB, ...columns, ...rows].join('\n      ')}
      q += 4u;
      let done = q >= s.rowW;
      q = select(q, 0u, done);
      p += select(0u, 1u, done);
      aLine += select(0u, s.rowW * s.rows, done);
      let whole = p >= s.rowH;
      p = select(p, 0u, whole);
      bImage += select(0u, s.inH * s.inW * s.channels, whole);
    }
    ${grouped ? `${sums.addTo(totals).join('\n    ')}\n    }` : ''}
    ${storeRows(form, grouped ? totals : sums, lanes)}
  }`,
  );
}

/** Rows written per turn of the store loop. */
const STORED_ROWS = 4;

/** Stores the sums, or adds them to earlier blocks'. */
const storeRows = ({ part }: ConvForm, sums: ReturnType<typeof sumsOf>, lanes: number): string => {
  const flags = part === 'weightGradient' ? 'start > 0u, true' : 'false, true';
  return storeSums(sums, 's.rows', lanes, Math.min(STORED_ROWS, sums.names.length), flags);
};
