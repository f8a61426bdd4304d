/** What a GPU's compiler made of a kernel. */
export interface MachineCode {
  /** Lanes that execute an instruction together. */
  readonly lanes: number;
  /** Registers per lane, and values spilled to memory. */
  readonly registers: number;
  readonly spilled: number;
  /** Bytes of workgroup memory, if the compiler reports them. */
  readonly workgroupBytes?: number | undefined;
  /** Waves that fit on a SIMD by their registers and workgroup memory. */
  readonly waves?: number | undefined;
  readonly instructions: number;
  /** The compiler's estimates in cycles, of a wave alone and among many. */
  readonly latency?: number | undefined;
  readonly throughput?: number | undefined;
  /** A turn of the loop with the most multiply-adds, or else vector instructions. */
  readonly loop?: Counts | undefined;
}

/** Instructions by kind; a pair issued as one counts once. */
export interface Counts {
  readonly multiplyAdds: number;
  /** Instructions that carry them: fewer where two are issued as one. */
  readonly multiplyAddSlots: number;
  /** Products of whole matrices, by all lanes together. */
  readonly matrices: number;
  readonly vector: number;
  /** Workgroup memory's loads and stores, and the bytes they move per lane. */
  readonly workgroup: number;
  readonly workgroupBytes: number;
  readonly memory: number;
  readonly scalar: number;
  readonly barriers: number;
}

type Kind = 'vector' | 'workgroup' | 'memory' | 'scalar' | 'barriers';

interface Instruction {
  readonly text: string;
  readonly kind: Kind;
  readonly multiplyAdds: number;
  readonly matrices: number;
  readonly bytes: number;
}

interface Block {
  readonly label: string;
  readonly code: Instruction[];
  /** Where it may go on, beside the next block unless it always `leaves`. */
  readonly targets: string[];
  leaves: boolean;
}

/** The assembly that a driver prints, as instructions. */
interface Dialect {
  readonly label: RegExp;
  readonly target: RegExp;
  /** A line after which the next block is not entered. */
  readonly leave: RegExp;
  /** The line's instruction; undefined if none that counts. */
  instruction(line: string): Instruction | undefined;
  /** A register changes by a constant, `[register, step]`, and is compared to another, `[register, end]`. */
  readonly step: RegExp;
  readonly end: (register: string) => RegExp;
}

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0;

/** Mesa's ACO, for AMD: assembly, or its own notation if LLVM is too old to disassemble for the GPU. */
const amd: Dialect = {
  label: /^(BB\d+):?$/,
  target: /^\ts_c?branch\w* (?:block:)?(BB\d+)/,
  leave: /^\ts_(branch|endpgm)/,
  step: /s_add_[ui]32 (s\d+), \1, (\w+)/,
  end: (register) => new RegExp(`s_cmp_\\w+ ${register}, (\\w+)`),
  instruction(line) {
    const [, defined = '', rest = ''] = /^\t(?: ([^;]*?) = )?([^;]*)/.exec(line) ?? [];
    // %16:s[8] is s8; what is defined comes first in assembly.
    const plain = (operands: string) => operands.replaceAll(/%\d+:([sv])\[(\d+)\]/g, '$1$2');
    const to = /[sv]\d+$/.exec(plain(defined.split(',')[0]!))?.[0];
    const text = plain(rest)
      .trim()
      .replace(' ', to ? ` ${to}, ` : ' ');
    if (!text || /^s_(waitcnt|delay_alu|nop|clause|set_inst_prefetch|code_end)/.test(text)) return;
    const kind: Kind = text.startsWith('v_')
      ? 'vector'
      : text.startsWith('ds_')
        ? 'workgroup'
        : /^s_barrier/.test(text)
          ? 'barriers'
          : text.startsWith('s_')
            ? 'scalar'
            : 'memory';
    const bits = kind === 'workgroup' ? Number(/_[bu](\d+)/.exec(text)?.[1] ?? 32) : 0;
    return {
      text,
      kind,
      multiplyAdds: count(text, /v_(dual_)?(pk_)?(fma|fmac|fmaak|fmamk|mac|mad)_(mix_)?f(32|16)/g),
      matrices: count(text, /^v_wmma_/g),
      bytes: (bits / 8) * (/^ds_(\w*2addr|read2|write2)/.test(text) ? 2 : 1),
    };
  },
};

/** Mesa's NAK, for NVIDIA. */
const nvidia: Dialect = {
  label: /^block\S* \d+ (L\d+) /,
  target: /\bbra (L\d+)/,
  leave: /^ +(bra L|exit)/,
  step: /(r\d+) += iadd3 \1 (0x\w+) rZ/,
  end: (register) => new RegExp(`isetp\\S+ ${register} (0x\\w+)`),
  instruction(line) {
    const text = /^(?:@\S+)? +(.*?) +\/\/ /.exec(line)?.[1];
    if (!text) return;
    const name = text.replace(/^.*? = +/, '');
    if (/^(nop|depbar)/.test(name)) return;
    const shared = /^(ld|st|atom)\.shared/.test(name);
    const kind: Kind = shared
      ? 'workgroup'
      : /^(ld|st|atom|suld|sust|tld|tex)\b/.test(name)
        ? 'memory'
        : name.startsWith('bar.sync')
          ? 'barriers'
          : /^(bra|bsync|bssy|bclear|exit|membar|warpsync|ldc|s2r|cs2r)/.test(name)
            ? 'scalar'
            : 'vector';
    return {
      text,
      kind,
      multiplyAdds: /^ffma|^hfma2/.test(name) ? 1 : 0,
      matrices: /^hmma/.test(name) ? 1 : 0,
      bytes: shared ? Number(/\.b(\d+)/.exec(name)?.[1] ?? 32) / 8 : 0,
    };
  },
};

/** From what the driver printed for a kernel; the last shader counts, as the driver's helpers come first. */
export function machineCode(text: string): MachineCode | undefined {
  return text.includes('*** SHADER STATS ***') ? ofAmd(text) : ofNvidia(text);
}

const last = <T>(list: readonly T[]): T | undefined => list.at(-1);
const numberOf = (text: string, name: string): number | undefined => {
  const [, value] = new RegExp(`^${name}: (\\d+)`, 'm').exec(text) ?? [];
  return value === undefined ? undefined : Number(value);
};

function ofAmd(text: string): MachineCode {
  const stats = last(text.split('*** SHADER STATS ***'))!;
  const assembly = last(text.split('disasm:').slice(1))?.split('*** SHADER STATS ***')[0] ?? '';
  return {
    lanes: /\b(exec|vcc)_lo\b|\bs1: %\d+:exec\b/.test(assembly) ? 32 : 64,
    registers: numberOf(stats, 'VGPRs')!,
    spilled: numberOf(stats, 'Spilled VGPRs')! + numberOf(stats, 'Scratch size')! / 4,
    workgroupBytes: numberOf(stats, 'LDS size'),
    waves: numberOf(stats, 'Subgroups per SIMD'),
    instructions: numberOf(stats, 'Instructions')!,
    latency: numberOf(stats, 'Latency'),
    throughput: numberOf(stats, 'Inverse Throughput'),
    loop: mainLoop(blocksOf(assembly, amd), amd),
  };
}

function ofNvidia(text: string): MachineCode | undefined {
  const registers = numberOf(text, 'Num GPRs');
  if (registers === undefined) return;
  const assembly = last(text.split('NAK IR after calc_instr_deps:'))!.split('\nStage:')[0]!;
  return {
    lanes: 32,
    registers,
    spilled: numberOf(text, 'SLM size')! / 4,
    workgroupBytes: Number(/^shared_size: (\d+)/m.exec(text)?.[1] ?? 0),
    // A quarter of an SM has 16,384 registers, handed out by eights to a lane, and room for 12 warps.
    waves: Math.min(12, Math.floor(16_384 / 32 / (8 * Math.ceil(registers / 8)))),
    instructions: numberOf(text, 'Instruction count')!,
    loop: mainLoop(blocksOf(assembly, nvidia), nvidia),
  };
}

function blocksOf(assembly: string, dialect: Dialect): Block[] {
  const blocks: Block[] = [];
  for (const line of assembly.split('\n')) {
    const label = dialect.label.exec(line)?.[1];
    if (label) blocks.push({ label, code: [], targets: [], leaves: false });
    const block = blocks.at(-1);
    if (!block || label) continue;
    const target = dialect.target.exec(line)?.[1];
    if (target) block.targets.push(target);
    if (dialect.leave.test(line)) block.leaves = true;
    const instruction = dialect.instruction(line);
    if (instruction) block.code.push(instruction);
  }
  return blocks;
}

/** The blocks of a loop, by number. */
type Loop = ReadonlySet<number>;

/** Of each block that a later one branches back to, what lies on the ways from there to those that do. */
function loopsOf(blocks: readonly Block[]): Loop[] {
  const place = new Map(blocks.map(({ label }, i) => [label, i]));
  const before: number[][] = blocks.map(() => []);
  blocks.forEach(({ targets, leaves }, i) => {
    const next = targets.flatMap((target) => place.get(target) ?? []);
    for (const to of leaves ? next : [...next, i + 1]) before[to]?.push(i);
  });
  return before.flatMap((from, head) => {
    const ends = from.filter((i) => i >= head);
    const loop = new Set([head, ...ends]);
    for (const i of loop) if (i !== head) for (const j of before[i]!) loop.add(j);
    return ends.length > 0 ? [loop] : [];
  });
}

const NONE: Counts = {
  ...{ multiplyAdds: 0, multiplyAddSlots: 0, matrices: 0, vector: 0, workgroup: 0, workgroupBytes: 0 },
  ...{ memory: 0, scalar: 0, barriers: 0 },
};

const plus = (a: Counts, b: Counts, times = 1): Counts =>
  Object.fromEntries(
    (Object.keys(NONE) as (keyof Counts)[]).map((key) => [key, a[key] + times * b[key]]),
  ) as unknown as Counts;

/** One turn of the heaviest loop of unknown length; known loops in it count as often as they turn. */
function mainLoop(blocks: readonly Block[], dialect: Dialect): Counts | undefined {
  const loops = loopsOf(blocks);
  const inside = (a: Loop, b: Loop) => a !== b && a.size < b.size && [...a].every((i) => b.has(i));
  const childrenOf = (loop: Loop) => {
    const within = loops.filter((l) => inside(l, loop));
    return within.filter((l) => !within.some((m) => inside(l, m)));
  };
  const ownOf = (loop: Loop) => {
    const children = childrenOf(loop);
    return [...loop].filter((i) => !children.some((child) => child.has(i))).flatMap((i) => blocks[i]!.code);
  };
  const turn = (loop: Loop): Counts =>
    childrenOf(loop).reduce(
      (sum, child) => plus(sum, turn(child), turnsOf(child) ?? 1),
      ownOf(loop).reduce(add, NONE),
    );
  const turnsOf = (loop: Loop): number | undefined => {
    const text = ownOf(loop)
      .map((instruction) => instruction.text)
      .join('\n');
    const [, register, step] = dialect.step.exec(text) ?? [];
    const [, end] = (register && dialect.end(register).exec(text)) || [];
    const turns = Number(end) / Number(step);
    return Number.isInteger(turns) && turns > 0 ? turns : undefined;
  };
  const weight = ({ multiplyAdds, matrices, vector }: Counts) => 1000 * (multiplyAdds + matrices) + vector;
  const open = loops.filter((loop) => turnsOf(loop) === undefined);
  // An outer loop's work is unknown if it has an inner loop of unknown length.
  const turns = open.filter((loop) => !open.some((other) => inside(other, loop))).map(turn);
  return turns.sort((a, b) => weight(b) - weight(a))[0];
}

const add = (sum: Counts, { kind, multiplyAdds, matrices, bytes }: Instruction): Counts => ({
  ...sum,
  [kind]: sum[kind] + 1,
  multiplyAdds: sum.multiplyAdds + multiplyAdds,
  multiplyAddSlots: sum.multiplyAddSlots + (multiplyAdds > 0 ? 1 : 0),
  matrices: sum.matrices + matrices,
  workgroupBytes: sum.workgroupBytes + bytes,
});
