import { CollimateError } from '../errors.ts';
import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { foldGrid, LINEAR_GROUP, type Sizes } from './grid.ts';
import { anyNonFinite, nanWhere } from './special.ts';
import { keepsInWorkgroup } from './storage.ts';
import { team } from './team.ts';

/**
 * Fours of a vector's elements per lane: few, as they are code to compile (25 took a minute on lavapipe).
 * Longer vectors get more lanes, preferably of one subgroup, which need no barriers.
 */
const CHUNKS_OF_ONE_SUBGROUP = 8;
const CHUNKS = 4;
const MAX_CHUNKS = 32;
/** Fours that a lane holds in all. */
const REGISTERS = 32;
/** Most vectors that go through the reflectors side by side: the more, the fewer loads of reflectors. */
const PANEL = 8;
/** The same with barriers: each four vectors are one more place to compile them at. */
const PANEL_WITH_BARRIERS = 4;

/**
 * Orthonormal bases of B sets of r vectors: bindings Y (B, r, d) read, Q (B, r, d) written. In each problem,
 * Q's vectors are orthonormal for any finite Y (else NaN), and its first j span what Y's first j do, as far
 * as those are independent. Householder's method (Golub & Van Loan, *Matrix Computations*, 5.2) stays
 * orthonormal for any input, so zero, repeated and badly scaled vectors need no special care.
 *
 * One workgroup solves a problem. Each lane owns the same elements of all vectors, so it loads only what it
 * stored itself, and lanes exchange nothing but dot products.
 *
 * @throws CollimateError if r > d, or if d exceeds 128 times the lanes of a workgroup
 */
export function qr(sizes: Sizes<'vectors' | 'batch' | 'dim'>, traits: AdapterTraits): Kernel {
  const { vectors: r, batch, dim: d } = sizes;
  if (!(r >= 1 && r <= d)) {
    throw new CollimateError(
      `qr: ${r} vectors of length ${d} cannot be orthonormal`,
      `Ask for 1 to ${d} vectors.`,
    );
  }
  return {
    name: 'qr',
    wgsl: source(r, d, lanesFor(d, traits), traits),
    bindings: ['read', 'read_write'],
    uniforms: Uint32Array.of(r, batch, 0, 0),
    grid: foldGrid(batch, traits),
    flops: 4 * r * r * d * batch,
    bytes: 8 * r * d * batch,
  };
}

function lanesFor(d: number, traits: AdapterTraits): number {
  const most = Math.min(256, traits.maxWorkgroupInvocations);
  if (d > 4 * MAX_CHUNKS * most) {
    throw new CollimateError(
      `qr: vectors of length ${d} are longer than the ${4 * MAX_CHUNKS * most} that a workgroup can hold here`,
      'Measure blocks of a smaller dimension (fewer channels or a lower resolution).',
    );
  }
  let lanes = Math.max(traits.subgroupSize, 1);
  const alone = d <= 4 * CHUNKS_OF_ONE_SUBGROUP * lanes;
  const chunks = traits.subgroupSize > 1 ? (alone ? CHUNKS_OF_ONE_SUBGROUP : CHUNKS) : 1;
  while (lanes * 2 <= most && d > 4 * chunks * lanes) lanes *= 2;
  return lanes;
}

function source(r: number, d: number, lanes: number, traits: AdapterTraits): string {
  const { alone, compute, wgsl } = team(lanes, traits);
  const quads = d % 4 === 0;
  const held = alone && keepsInWorkgroup(4 * r * d, traits);
  const chunks = Math.ceil(d / (4 * lanes));
  const most = alone ? PANEL : PANEL_WITH_BARRIERS;
  const panel = range(Math.min(most, Math.max(1, Math.floor(REGISTERS / chunks))));
  const width = panel.length;
  const each = (body: (c: number) => string, separator = '\n') => range(chunks).map(body).join(separator);
  const v = (i: number, c: number) => `v${i}_${c}`;
  /** The panel's vectors by fours, since a team's lanes exchange four values at once. */
  const fours = range(Math.ceil(width / 4));
  const perVector = (four: number, f: (i: number) => string) =>
    `vec4f(${range(4).map((e) => (4 * four + e < width ? f(4 * four + e) : '0'))})`;
  const of = (name: string, i: number) => `${name}${i >> 2}[${i & 3}]`;
  const largest = (x: (c: number) => string) =>
    `top(${range(chunks)
      .map((c) => `abs(${x(c)})`)
      .reduce((a, b) => `max(${a}, ${b})`)})`;

  /** Applies the reflector h to the panel's vectors i ≥ first: v −= h (h·v). */
  const reflect = (first: number) => {
    const some = panel.filter((i) => i >= first);
    const dots = (four: number) =>
      each((c) => perVector(four, (i) => (i < first ? '0' : `dot(h${c}, ${v(i, c)})`)), ' +\n  ');
    return `${fours.map((four) => `let s${four} = teamSum(${dots(four)});`).join('\n')}
${each((c) => some.map((i) => `${v(i, c)} -= ${of('s', i)} * h${c};`).join(' '))}`;
  };
  const declare = (value: (i: number, c: number) => string) =>
    each((c) => panel.map((i) => `var ${v(i, c)} = ${value(i, c)};`).join(' '));
  /**
   * The next vector becomes the panel's first. Vectors come, go and are processed at one place each, as
   * loads and stores take most of the compile time.
   */
  const moveUp = each((c) =>
    panel
      .slice(1)
      .map((i) => `${v(i - 1, c)} = ${v(i, c)};`)
      .join(' '),
  );
  const reflector = (k: string) =>
    `let row = reflectorOf(${k});\n${each((c) => `let h${c} = loadH(row, ${c});`)}`;

  return `${wgsl}
struct Sizes { r: u32, batch: u32 }
@group(0) @binding(0) var<storage, read> Y: array<${quads ? 'vec4f' : 'f32'}>;
@group(0) @binding(1) var<storage, read_write> Q: array<${quads ? 'vec4f' : 'f32'}>;
@group(0) @binding(2) var<uniform> size: Sizes;
${held ? `var<workgroup> H: array<${quads ? 'vec4f' : 'f32'}, ${(r * d) / (quads ? 4 : 1)}>;` : ''}
var<private> problem: u32;
// Whether this lane met a number of Y that is not finite.
var<private> broken: bool;

// First element of vector j.
fn rowOf(j: u32) -> u32 { return (problem * size.r + j) * ${d}u; }
// First element of reflector j.
fn reflectorOf(j: u32) -> u32 { return ${held ? `j * ${d}u` : 'rowOf(j)'}; }
// First of the four elements of chunk c in this lane.
fn at(c: u32) -> u32 { return 4 * (c * LANES + lane); }
fn index(c: u32) -> vec4u { return at(c) + vec4u(0, 1, 2, 3); }
${quads ? quadAccess(d, chunks * 4 * lanes > d, held ? 'H' : 'Q') : scalarAccess(d, held ? 'H' : 'Q')}

${compute}
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) id: u32) {
  let group = ${LINEAR_GROUP};
  lane = id;
  if (group >= size.batch) { return; }
  problem = group;

  // Forward: make the reflectors and leave them in ${held ? 'H' : 'Q'}.
  for (var j0 = 0u; j0 < size.r; j0 += ${width}) {
${declare(() => 'vec4f()')}
    for (var j = j0; j < j0 + ${width}; j++) {
${moveUp}
      let row = rowOf(j);
${each((c) => `${v(width - 1, c)} = loadY(row, ${c}, j < size.r);`)}
    }
${fours.map((four) => `let scale${four} = nearOne(teamMax(${perVector(four, (i) => largest((c) => v(i, c)))}));`).join('\n')}
${each((c) => panel.map((i) => `${v(i, c)} *= ${of('scale', i)};`).join(' '))}
    for (var k = 0u; k < j0; k++) {
${reflector('k')}
${reflect(0)}
    }
    for (var j = j0; j < min(j0 + ${width}, size.r); j++) {
${each((c) => `var h${c} = select(${v(0, c)}, vec4f(), index(${c}) < vec4u(j));`)}
      // What rounding left of a dependent vector is small, so it is scaled anew before it is squared.
      let rescale = nearOne(teamMax(vec4f(${largest((c) => `h${c}`)}))).x;
${each((c) => `h${c} *= rescale;`)}
      let t = teamSum(vec4f(${each((c) => `dot(h${c}, h${c})`, ' + ')}, ${each((c) => `dot(h${c}, unit(${c}, j))`, ' + ')}, 0, 0));
      // H = 1 - h hᵀ with |h|² = 2 takes the vector x to ∓|x| e_j; h = 0 for x = 0.
      let length = sqrt(t.x);
      let norm = sqrt(t.x + abs(t.y) * length);
      let inverse = select(0.0, 1.0 / norm, norm > 0.0);
      let row = reflectorOf(j);
${each((c) => `h${c} = (h${c} + select(length, -length, t.y < 0.0) * unit(${c}, j)) * inverse;\nstoreH(row, ${c}, h${c});`)}
${width > 1 ? reflect(1) : ''}
${moveUp}
    }
  }

  broken = teamMax(vec4f(select(0.0, 1.0, broken))).x > 0;

  // Backward: vector j is H_0 … H_j e_j, and replaces the reflector that nobody needs any more.
  for (var next = (size.r + ${width - 1}) / ${width}; next > 0; next--) {
    let j0 = (next - 1) * ${width};
${declare((i, c) => `unit(${c}, j0 + ${i})`)}
    for (var k = min(j0 + ${width}, size.r); k > 0; k--) {
${reflector('k - 1')}
${reflect(0)}
    }
    for (var j = j0; j < min(j0 + ${width}, size.r); j++) {
      let row = rowOf(j);
${each((c) => `storeQ(row, ${c}, select(${v(0, c)}, vec4f(${nanWhere('broken')}), broken));`)}
${moveUp}
    }
  }
}

fn top(x: vec4f) -> f32 { return max(max(x.x, x.y), max(x.z, x.w)); }
// Chunk c of e_j.
fn unit(c: u32, j: u32) -> vec4f { return select(vec4f(), vec4f(1), index(c) == vec4u(j)); }
`;
}

const range = (n: number) => [...Array(n).keys()];

/** WGSL of loads and stores of a lane's elements; `h` is the variable that holds the reflectors. */
const quadAccess = (d: number, ragged: boolean, h: string) => {
  const inside = ragged ? `at(c) < ${d}u` : 'true';
  const store = (name: string, to: string) => `fn store${name}(row: u32, c: u32, x: vec4f) {
  ${ragged ? `if (!(${inside})) { return; }` : ''}
  ${to}[(row + at(c)) / 4] = x;
}`;
  return `
fn loadY(row: u32, c: u32, wanted: bool) -> vec4f {
  if (!(wanted && ${inside})) { return vec4f(); }
  let x = Y[(row + at(c)) / 4];
  broken = broken || ${anyNonFinite('x')};
  return x;
}
fn loadH(row: u32, c: u32) -> vec4f {
  ${ragged ? `if (!(${inside})) { return vec4f(); }` : ''}
  return ${h}[(row + at(c)) / 4];
}
${store('H', h)}
${store('Q', 'Q')}`;
};

const scalarAccess = (d: number, h: string) => {
  const each = (guard: string, body: string) =>
    `for (var e = 0u; e < 4; e++) { if (${guard}at(c) + e < ${d}) { ${body} } }`;
  const store = (name: string, to: string) => `fn store${name}(row: u32, c: u32, x: vec4f) {
  ${each('', `${to}[row + at(c) + e] = x[e];`)}
}`;
  return `
fn loadY(row: u32, c: u32, wanted: bool) -> vec4f {
  var x = vec4f();
  ${each('wanted && ', 'x[e] = Y[row + at(c) + e];')}
  broken = broken || ${anyNonFinite('x')};
  return x;
}
fn loadH(row: u32, c: u32) -> vec4f {
  var x = vec4f();
  ${each('', `x[e] = ${h}[row + at(c) + e];`)}
  return x;
}
${store('H', h)}
${store('Q', 'Q')}`;
};
