import { CollimateError } from '../errors.ts';
import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { foldGrid, LINEAR_GROUP, type Sizes } from './grid.ts';
import { anyNonFinite, nanWhere } from './special.ts';
import { keepsInWorkgroup } from './storage.ts';
import { team } from './team.ts';

const MAX_SWEEPS = 30;
const MAX_SIZE = 128;

/**
 * Singular values and right singular vectors of B square matrices A = Uᵀ diag(S) V. Bindings: A (B, n, n)
 * read, S (B, n) and V (B, n, n) written. V's rows are the vectors; S descends, up to rounding, with values
 * below 1e-11 of A's largest element given as 0. V is orthonormal at any rank, the identity for A = 0. V Vᵀ
 * errs by at most 3√n·2⁻²³, S by 4√n·2⁻²³·σ_1: at n = 20, 1.6e-6 and 2.1e-6. NaN or ±∞ in A make all NaN.
 *
 * One-sided Jacobi (Hestenes 1958; de Rijk 1989 for the sorting): W = A is rotated from the left, two rows
 * at a time, until W's rows are orthogonal: W = diag(S) V. No Gram matrix is formed, so small values keep
 * their digits. Rotations are not accumulated: A Vᵀ tells what is needed of U at a fraction of the cost.
 *
 * One workgroup of L lanes solves a problem, one row per lane. Blocks of L rows meet in pairs: lane i holds
 * row i of the first block and, in turn, every row of the second, which pass around the lanes. A block is
 * home after L steps, so lane k mod L alone loads and stores row k, and lanes meet only in exchanges. On
 * GPUs several lanes share a row longer than registers hold, four elements in turn.
 */
export function svd(sizes: Sizes<'size' | 'batch'>, traits: AdapterTraits): Kernel {
  const { size: n, batch } = sizes;
  if (!(n >= 1 && n <= MAX_SIZE)) {
    throw new CollimateError(
      `svd: size ${n} is not between 1 and ${MAX_SIZE}`,
      `Take at most ${MAX_SIZE} directions.`,
    );
  }
  return {
    name: 'svd',
    wgsl: source(n, traits),
    bindings: ['read', 'read_write', 'read_write'],
    uniforms: Uint32Array.of(batch, 0, 0, 0),
    grid: foldGrid(batch, traits),
    // About 6 sweeps of n²/2 rotations of 8 operations per element.
    flops: 24 * n ** 3 * batch,
    bytes: 4 * (2 * n + 1) * n * batch,
  };
}

/** Without subgroups, at most 16 lanes: at MAX_SIZE their rows take 8.3 of the 16 KiB every adapter has. */
const lanesFor = ({ subgroupSize, maxWorkgroupInvocations }: AdapterTraits): number =>
  subgroupSize > 1 ? subgroupSize : Math.min(16, maxWorkgroupInvocations);

/** Elements of each of its two rows that a GPU's lane holds in registers: 64 exceed Ampere's 255. */
const HELD = 32;

/** WGSL that adds up the values of lanes that share a row, with the same bits for all. */
const rowSumOf = (parts: number): string =>
  `fn rowSum(value: f32) -> f32 {
  var x = value;
${[1, 2, 4, 8, 16]
  .filter((mask) => mask < parts)
  .map((mask) => `  x += subgroupShuffleXor(x, ${mask}u);`)
  .join('\n')}
  return x;
}`;

function source(n: number, traits: AdapterTraits): string {
  const { lanes, alone, compute, wgsl } = team(lanesFor(traits), traits);
  const split = alone && traits.kind === 'hardware' && n > HELD;
  const parts = split ? Math.min(lanes, 2 ** Math.ceil(Math.log2(n / HELD))) : 1;
  const blockRows = lanes / parts;
  const chunks = Math.ceil(n / (4 * parts));
  const quads = n % 4 === 0;
  const width = quads ? 4 : 1;
  const type = quads ? 'vec4f' : 'f32';
  const each = (body: (c: number) => string, separator = '\n') =>
    [...Array(chunks).keys()].map(body).join(separator);
  /** Elements of a lane's c-th four: their places, and when they exist, if not in all lanes. */
  const places = (c: number) =>
    (quads ? [0] : [0, 1, 2, 3]).map((e) => {
      const at = 4 * parts * c + e;
      const when = at + 4 * (parts - 1) < n ? '' : `4 * part + ${at} < ${n}`;
      return { e, place: quads ? `[row / 4 + ${at / 4}]` : `[row + ${at}]`, when };
    });
  /** Four elements of the row whose part starts at element `row`; zeros beyond the row's end. */
  const get = (buffer: string, c: number) => {
    const values = places(c).map(({ place, when }) =>
      when ? `select(${type}(), ${buffer}${place}, ${when})` : buffer + place,
    );
    return quads ? values[0]! : `vec4f(${values.join(', ')})`;
  };
  const put = (buffer: string, c: number, x: string) =>
    places(c)
      .map(({ e, place, when }) => {
        const store = `${buffer}${place} = ${quads ? x : `(${x})[${e}]`};`;
        return when ? `if (${when}) { ${store} }` : store;
      })
      .join(' ');
  const rowSum = (x: string) => (parts > 1 ? `rowSum(${x})` : x);
  const dot = (a: string, b: string) => rowSum(each((c) => `dot(${a}${c}, ${b}${c})`, ' + '));
  /** Barrier before lanes read what others of the team wrote. */
  const meet = parts > 1 ? 'storageBarrier();' : '';
  /** Sets q, in every lane, to row `sender` of lane `peer`. */
  const exchange = (sender: string) =>
    alone
      ? each((c) => `q${c} = subgroupShuffle(${sender}${c}, peer);`)
      : `${each((c) => `rows[lane][${c}] = ${sender}${c};`)}
workgroupBarrier();
${each((c) => `q${c} = rows[peer][${c}];`)}
workgroupBarrier();`;
  const turn = (c: number) => `let t${c} = r.z * p${c} + r.w * q${c}; p${c} = r.x * p${c} + r.y * q${c};`;
  /**
   * Rotates p and q, passes q on, and takes products with the incoming row. In a subgroup this is one walk
   * along the rows, which exceed the registers, and the norm comes with the row.
   */
  const turnAndPass = alone
    ? `var sums = vec4f();
${each((c) => `${turn(c)} q${c} = subgroupShuffle(t${c}, peer); sums += p${c} * q${c};`)}
product = ${rowSum('dot(sums, vec4f(1))')};
shorter = subgroupShuffle(rest, peer);`
    : `${each(turn)}\n${exchange('t')}\nproduct = ${dot('p', 'q')};\nshorter = ${dot('q', 'q')};`;
  /** Only lanes whose row exists, if the last block is not full. */
  const inside = (body: string, otherwise = '') =>
    n % blockRows > 0 ? `if (index < ${n}) {\n${body}\n} else {\n${otherwise}\n}` : body;
  const held = alone && keepsInWorkgroup(4 * n * n, traits);
  const w = held ? 'W' : 'V';
  const w2 = quads ? `dot(${w}[i / 4], ${w}[i / 4])` : `${w}[i] * ${w}[i]`;
  const at = quads ? 'i / 4' : 'i';

  return `${alone ? 'diagnostic(off, subgroup_uniformity);\n' : ''}${wgsl}
@group(0) @binding(0) var<storage, read> A: array<${type}>;
@group(0) @binding(1) var<storage, read_write> S: array<f32>; // holds squared norms until the end
@group(0) @binding(2) var<storage, read_write> V: array<${type}>;${held ? '' : ' // holds W until the end'}
${held ? `var<workgroup> W: array<${type}, ${(n * n) / width}>;` : ''}
@group(0) @binding(3) var<uniform> batch: vec4u;
${alone ? '' : `var<workgroup> rows: array<array<vec4f, ${chunks}>, LANES>;`}
${alone && parts === 1 ? '' : 'var<workgroup> going: u32;'}

const ROWS = ${blockRows}u; // of a block
const BLOCKS = ${Math.ceil(n / blockRows)}u;
// The cosine up to which rows count as orthogonal: some times what rounding leaves.
const ORTHOGONAL = ${(2 * Math.sqrt(n) * 2 ** -23).toExponential(3)};
// A rotation changes other cosines by at most the largest of them times its effect, the tangent by which it
// moves the shorter row. If neither exceeds this in a sweep, the cosines left add up to ORTHOGONAL at most.
// Cosines alone would not tell: between rows of nearly equal norm, the smallest causes a large rotation.
const LAST = 3e-4;
// Squared norm of a row that has vanished, against elements near 1.
const VANISHED = 1e-32;
// The largest cosine or effect met in this sweep, or 2 if rows were out of order.
var<private> worst: f32;
// Squared norms of the longer and the shorter row after the last rotation; between rotations, longer is p's.
var<private> longer: f32;
var<private> rest: f32;

${compute}
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) id: u32) {
  let problem = ${LINEAR_GROUP};
  if (problem >= batch.x) { return; }
  lane = id;
  let base = problem * ${n * n};
  let start = ${held ? '0u' : 'base'}; // of W
  ${parts > 1 ? `let part = lane % ${parts};` : 'const part = 0u;'} // of a row

  // W = A, scaled to elements near 1 so that squares neither overflow nor vanish.
  var top = 0.0;
  var broken = false;
  for (var k = lane; k < ${n}; k += LANES) {
    for (var i = k * ${n}; i < (k + 1) * ${n}; i += ${width}) {
      let x = ${quads ? 'A[(base + i) / 4]' : 'vec4f(A[base + i])'};
      broken = broken || ${anyNonFinite('x')};
      top = max(top, largest(abs(x)));
    }
  }
  // A matrix that is not all finite is taken for zero, and its factors are NaN in the end.
  let found = teamMax(vec4f(select(top, 0.0, broken), select(0.0, 1.0, broken), 0, 0));
  broken = found.y > 0;
  top = select(found.x, 0.0, broken);
  let nan = ${nanWhere('broken')};
  let scale = nearOne(vec4f(top)).x;
  for (var k = lane; k < ${n}; k += LANES) {
    for (var i = 0u; i < ${n}; i += ${width}) {
      let i0 = k * ${n} + i;
      let one = ${quads ? 'select(vec4f(), vec4f(1), vec4u(i, i + 1, i + 2, i + 3) == vec4u(k))' : 'select(0.0, 1.0, i == k)'};
      ${w}[(start + i0)${quads ? ' / 4' : ''}] = select(scale * A[(base + i0)${quads ? ' / 4' : ''}], one, top == 0);
    }
  }

${each((c) => `var p${c}: vec4f; var q${c}: vec4f;`)}
  for (var sweep = 0u; sweep < ${MAX_SWEEPS}; sweep++) {
    worst = 0;
    ${meet}
    // A row that vanished leaves its direction open: a speck of noise is made orthogonal like any other row.
    for (var k = lane; k < ${n}; k += LANES) {
      let row = start + k * ${n};
      var w = 0.0;
      for (var i = row; i < row + ${n}; i += ${width}) { w += ${w2}; }
      if (w < VANISHED) {
        for (var i = row; i < row + ${n}; i += ${width}) { ${w}[${at}] = speck(i, sweep)${quads ? '' : '.x'}; }
      }
    }
    ${meet}
    for (var first = 0u; first < BLOCKS; first++) {
      // Loads and stores take longest to compile, so each has one place: the first block, too, comes in and
      // leaves through q (and is stored as it may be). Loops of no turns cost less than branches.
      for (var second = first; second <= BLOCKS; second++) {
        let coming = second == first;
        let leaving = second == BLOCKS;
        let index = select(second, first, leaving) * ROWS + lane / ${parts};
        let row = start + index * ${n} + 4 * part;
${inside(
  each((c) => `q${c} = ${get(w, c)};`),
  each((c) => `q${c} = vec4f();`),
)}
${each((c) => `p${c} = select(p${c}, q${c}, coming);`)}
        longer = ${dot('p', 'p')};
        // Within the block lanes pair up as i and i ^ mask, and each turns its own row.
        for (var mask = ${parts}u; mask < select(1, LANES, coming); mask += ${parts}) {
          let peer = lane ^ mask;
${exchange('p')}
          let others = ${alone ? 'subgroupShuffle(longer, peer)' : dot('q', 'q')};
          let upper = peer < lane;
          let own = longer;
          let r = rotation(select(own, others, upper), select(others, own, upper), ${dot('p', 'q')});
          let a = select(r.x, r.w, upper);
          let b = select(r.y, r.z, upper);
${each((c) => `p${c} = a * p${c} + b * q${c};`)}
          longer = select(longer, rest, upper);
        }
        // Between blocks each lane turns its row of the first with what passes by.
        var shorter = ${dot('q', 'q')};
        var product = ${dot('p', 'q')};
        for (var step = 0u; step < select(ROWS, 0, coming || leaving); step++) {
          let r = rotation(longer, shorter, product);
          let peer = (lane + ${parts}) % LANES;
${turnAndPass}
        }
${each((c) => `q${c} = select(q${c}, p${c}, leaving);`)}
${inside(`${each((c) => put(w, c, `q${c}`))}
S[problem * ${n} + index] = ${dot('q', 'q')};`)}
      }
    }
    worst = teamMax(vec4f(worst)).x;
    // A uniform condition keeps the registers of rows that only lanes in other turns of the loop would need.
    ${alone && parts === 1 ? 'if (subgroupBroadcastFirst(worst) <= LAST) { break; }' : `if (lane == 0) { going = u32(worst > LAST); }\n    if (workgroupUniformLoad(&going) == 0) { break; }`}
  }

  ${meet}
  for (var k = lane; k < ${n}; k += LANES) {
    let row = k * ${n};
    let norm = sqrt(S[problem * ${n} + k]);
    for (var i = row; i < row + ${n}; i += ${width}) {
      V[(base + i)${quads ? ' / 4' : ''}] = select(${w}[(start + i)${quads ? ' / 4' : ''}] / norm, ${quads ? 'vec4f(nan)' : 'nan'}, broken);
    }
    S[problem * ${n} + k] = select(nan, norm / scale, norm > 1e-11 && top > 0);
  }
}

${parts > 1 ? rowSumOf(parts) : ''}
fn largest(x: vec4f) -> f32 { return max(max(x.x, x.y), max(x.z, x.w)); }

// The rotation (x y; z w) that makes rows with squared norms pp, qq and product pq orthogonal, longer first.
fn rotation(pp: f32, qq: f32, pq: f32) -> vec4f {
  let long = max(pp, qq);
  let short = min(pp, qq);
  let swap = qq > pp;
  let cosine = select(0.0, abs(pq) / (sqrt(long) * sqrt(short)), short >= VANISHED);
  // tan 2θ = 2g / δ, in units of the longer row, and |θ| ≤ π/4.
  let g = pq / long;
  let delta = 1 - short / long;
  let half = 0.5 * (delta + sqrt(delta * delta + 4 * g * g));
  let turns = cosine > ORTHOGONAL;
  let t = select(0.0, g / half, turns);
  worst = max(worst, select(select(cosine, cosine / half, turns), 2.0, swap));
  longer = long + t * pq;
  // Negative by rounding, it would sort a row behind the zeros that lie past the last one.
  rest = max(short - t * pq, 0);
  // 1/√(1 + t²) would round up more often than down, and rows would grow: by 3e-6 at n = 64.
  let h = sqrt(1 + t * t);
  let c = 1 - t * t / (h * (h + 1));
  let s = c * t;
  return select(vec4f(c, s, -s, c), vec4f(s, c, c, -s), swap);
}

fn speck(index: u32, sweep: u32) -> vec4f {
  var x = (index + vec4u(0, 1, 2, 3) + sweep * 0x10001u) * 0x9e3779b9u;
  x = (x ^ (x >> vec4u(15))) * 0x85ebca6bu;
  return 1e-13 * (vec4f((x ^ (x >> vec4u(13))) >> vec4u(8)) * 0x1p-23 - 1);
}
`;
}
