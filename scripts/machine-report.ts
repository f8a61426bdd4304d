import { renderTable } from '../bench/table.ts';
import type { MachineCode } from './machine-code.ts';
import { type Compiled, type NullGpuName, nullGpus } from './null-gpu.ts';

const grouped = new Intl.NumberFormat('en-US');
const number = (x: number | undefined): string => (x === undefined ? '–' : grouped.format(x));
const percent = (share: number | undefined): string =>
  share === undefined ? '–' : `${(100 * share).toFixed(0)}%`;

const titleOf = ({ name, variant }: Compiled) => `${name}${variant ? ` (${variant})` : ''}`;

/** Multiply-adds as a share of the main loop's vector instructions and moves to and from lanes. */
export function shareOf({ loop }: MachineCode): number | undefined {
  if (!loop?.multiplyAdds) return;
  return loop.multiplyAddSlots / (loop.vector + loop.workgroup + loop.memory);
}

/**
 * The share of the GPU's peak at which the main loop runs if nothing ever waits: lanes / width cycles (at
 * least 1) per vector instruction, and 128 bytes a cycle of workgroup memory for the SIMDs that share it.
 */
export function peakOf({ loop, lanes }: MachineCode, gpu: NullGpuName): number | undefined {
  if (!loop?.multiplyAdds) return;
  const { width, simds } = nullGpus[gpu];
  const issue = loop.vector * Math.max(1, lanes / width) + loop.workgroup + loop.memory;
  const workgroup = (loop.workgroupBytes * lanes * simds) / 128;
  return (loop.multiplyAdds * lanes) / width / Math.max(issue, workgroup);
}

/** One kernel in words. */
function paragraph(compiled: Compiled, gpu: NullGpuName): string {
  const code = compiled.code!;
  const { registers, spilled, workgroupBytes, waves, instructions, latency, throughput, loop, lanes } = code;
  const lines = [
    `${titleOf(compiled)}, workgroups ${compiled.grid}`,
    `  ${registers} registers, ${spilled ? `${number(spilled)} spilled` : 'none spilled'}; ${number(workgroupBytes)} bytes of workgroup memory; ${number(waves)} waves of ${lanes} lanes a SIMD`,
    `  ${number(instructions)} instructions${latency === undefined ? '' : `; estimated latency ${number(latency)} cycles, of many waves ${number(throughput)}`}`,
  ];
  if (loop) {
    const { multiplyAdds, multiplyAddSlots, matrices, vector, workgroup, memory, scalar, barriers } = loop;
    const dual = multiplyAdds > multiplyAddSlots ? ` in ${number(multiplyAddSlots)} instructions` : '';
    lines.push(
      `  a turn of the main loop: ${matrices ? `${number(matrices)} products of matrices, ` : ''}${number(multiplyAdds)} multiply-adds${dual}, ${number(vector - multiplyAddSlots - matrices)} other vector instructions, ${number(workgroup)} of workgroup memory, ${number(memory)} of memory, ${number(scalar)} scalar, ${number(barriers)} barriers`,
    );
    if (multiplyAdds) {
      lines.push(
        `  multiply-adds: ${percent(shareOf(code))} of its vector instructions, so at most ${percent(peakOf(code, gpu))} of peak`,
      );
    }
  }
  return lines.join('\n');
}

/** Kernels in a table by cost, below their totals. */
function table(all: readonly Compiled[], gpu: NullGpuName): string {
  const heads = [
    'kernel',
    'dispatches',
    'registers',
    'spilled',
    'workgroup',
    'waves',
    'instructions',
    'latency',
    'multiply-adds',
    'of peak',
  ];
  const rows = [...all]
    .sort((a, b) => b.dispatches - a.dispatches || (b.code!.latency ?? 0) - (a.code!.latency ?? 0))
    .map((compiled) => {
      const code = compiled.code!;
      const { registers, spilled, workgroupBytes, waves, instructions, latency } = code;
      return [
        titleOf(compiled),
        ...[compiled.dispatches, registers, spilled, workgroupBytes, waves, instructions, latency].map(
          number,
        ),
        ...[percent(shareOf(code)), percent(peakOf(code, gpu))],
      ];
    });
  return renderTable(heads, rows);
}

/** A line for what a GPU's compiler made of many kernels. */
export const summary = (all: readonly Compiled[], gpu: NullGpuName): string => {
  const spilling = all.filter(({ code }) => code!.spilled > 0);
  return `${nullGpus[gpu].title} (${gpu}): ${all.length} kernels compile, ${spilling.length === 0 ? 'none spills' : `${spilling.length} spill: ${spilling.map(titleOf).join(', ')}`}`;
};

/** What a GPU's compiler made of a few kernels, or of many. */
export function machineText(all: readonly Compiled[], gpu: NullGpuName, inWords: boolean): string {
  const text = inWords ? all.map((one) => paragraph(one, gpu)).join('\n\n') : table(all, gpu);
  return `${summary(all, gpu)}\n\n${text}`;
}
