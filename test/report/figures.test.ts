import { describe, expect, it } from 'vitest';
import { figures } from '../../src/report/figures.ts';
import type { Figure } from '../../src/report/page.ts';
import { type FixtureOptions, fixture } from './fixture.ts';
import { elements } from './xml.ts';

const files = [
  'ra1-trajectories.svg',
  'ra1-steps.svg',
  'ra2-alignment.svg',
  'ra2-left-right.svg',
  'ra3-spectra.svg',
  'ra4-scale.svg',
  'blocks.svg',
  'training.svg',
];

const get = (drawn: Figure[], file: string): string => drawn.find((f) => f.file === file)!.svg;
const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;
const circles = (svg: string): number => count(svg, /<circle/g);

/** Where the first panel has cells of this opacity, as `x,y` of their upper left corners. */
function cells(svg: string, opacity: string): string[] {
  const d = new RegExp(`<path d="([^"]*)" stroke-opacity="${opacity}"/>`).exec(svg)![1]!;
  let [x, y] = [0, 0];
  return [...d.matchAll(/m(-?[\d.]+) ?(-?[\d.]+)h(\d+)/g)].flatMap(([, dx, dy, length]) => {
    x += Number(dx);
    y += Number(dy);
    const run = Array.from(
      { length: Number(length) },
      (_, n) => `${+(x + n).toFixed(2)},${+(y - 0.5).toFixed(2)}`,
    );
    x += Number(length);
    return run;
  });
}

const cases: Record<string, FixtureOptions> = {
  'the usual run': {},
  'no control': { control: false },
  'one block, two classes, one sample, no epoch': {
    depth: 1,
    classes: 2,
    samples: 1,
    epochs: 0,
    control: false,
  },
  'two blocks': { depth: 2, samples: 2, epochs: 1 },
  'a dead block': { dead: [3] },
  'all blocks dead': { depth: 4, dead: [1, 2, 3, 4] },
  'no sample': { samples: 0 },
  'thirty-two blocks': { depth: 32, samples: 32, epochs: 100, dead: [1] },
  'four stages': { stages: [3, 3, 5, 2], samples: 4 },
  'four stages of dead blocks': { stages: [1, 2, 3, 4], samples: 2, dead: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] },
  'a hundred classes': { depth: 6, classes: 100, samples: 20 },
};

describe.each(Object.entries(cases))('figures of %s', (_, options) => {
  const drawn = figures(fixture(options));

  it('are the eight, each with a title and a caption', () => {
    expect(drawn.map((f) => f.file)).toEqual(files);
    for (const { title, caption } of drawn) expect(title && caption).toMatch(/\w/);
  });

  it('are well-formed, named documents that stand alone', () => {
    for (const { file, svg, title } of drawn) {
      expect(elements(svg)[0], file).toBe('svg');
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /);
      expect(svg).toContain(`>${title}</title>`);
      expect(svg, 'rules that would reach other figures').not.toMatch(/<style|class=/);
    }
  });

  it('print no missing number', () => {
    for (const { file, svg, caption } of drawn)
      expect(svg + caption, file).not.toMatch(/NaN|undefined|null|Infinity/);
  });

  it('stay small', () => {
    for (const { file, svg } of drawn) expect(svg.length, file).toBeLessThan(1_000_000);
  });

  it('share no id', () => {
    const ids = drawn.flatMap((f) => f.svg.match(/ id="[^"]*"/g) ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('a figure', () => {
  const data = fixture({ depth: 5, samples: 3, epochs: 4 });
  const drawn = figures(data);

  it('is the same each time it is drawn', () => {
    expect(figures(fixture({ depth: 5, samples: 3, epochs: 4 }))).toEqual(drawn);
  });

  it('has a panel for the network, its initialization and the control', () => {
    for (const { file, svg } of drawn.filter((f) => f.file !== 'training.svg'))
      for (const panel of [
        'Residual network, trained',
        'Residual network, at initialization',
        'No-skip control, trained',
      ])
        expect(svg, file).toContain(panel);
    const alone = figures(fixture({ control: false }));
    for (const { svg } of alone) expect(svg).not.toContain('control');
  });

  it('of trajectories has a dot for each representation of each sample, and equal units', () => {
    const svg = get(drawn, 'ra1-trajectories.svg');
    expect(circles(svg)).toBe(3 * 3 * 6 + 3); // panels × samples × representations + legend
    const [a, b] = data.run.analysis.trained.samples[0]!.commonTrajectory;
    const [, d] =
      svg.match(/aria-label="line"><path[^>]* d="M([^"]*)"/) ?? svg.match(/<path d="M([^"]*L[^"]*)"/)!;
    const [p, q] = d!.split('L').map((point) => point.split(',').map(Number));
    const across = (q![0]! - p![0]!) / (b![0] - a![0]);
    const up = (p![1]! - q![1]!) / (b![1] - a![1]);
    expect(across).toBeGreaterThan(0);
    expect(up / across).toBeCloseTo(1, 1);
  });

  it('of steps and of scale has a dot a block', () => {
    expect(circles(get(drawn, 'ra1-steps.svg'))).toBe(3 * 5);
    expect(circles(get(drawn, 'ra4-scale.svg'))).toBe(3 * 5 + 1);
  });

  it('of scale leaves dead blocks out and names them', () => {
    const svg = get(figures(fixture({ depth: 5, dead: [2] })), 'ra4-scale.svg');
    expect(circles(svg)).toBe(3 * 5 - 1 + 1);
    expect(svg).toContain('dead: block 2');
  });

  it('of spectra has a dot for each singular value, and C', () => {
    const svg = get(drawn, 'ra3-spectra.svg');
    expect(circles(svg)).toBe(3 * 5 * 30);
    expect(count(svg, />C = 10</g)).toBe(3);
  });

  it('of alignment draws every cell in its place and at its level', () => {
    const exact = structuredClone(fixture({ depth: 2, classes: 2, control: false }));
    const { trained, initialization } = exact.run.analysis;
    const block = [
      [1, 0.5],
      [0, 0.5],
    ];
    for (const m of [trained, initialization])
      m.alignment = [
        [block, null],
        [block, block],
      ];
    const svg = get(figures(exact), 'ra2-alignment.svg');
    // Two cells and a gap of 0.6: the second block starts at 2.6.
    const half = ['1,0', '1,1', '1,2.6', '1,3.6', '3.6,2.6', '3.6,3.6'];
    expect(cells(svg, '1')).toEqual(['0,0', '0,2.6', '2.6,2.6']);
    expect(cells(svg, '0.5')).toEqual(half);
    expect(count(svg, /l2 2m0 -2l-2 2/g), 'crossed out').toBe(2);
  });

  it('of many blocks says which it leaves out', () => {
    const { caption } = figures(fixture({ depth: 32, samples: 2 }))[2]!;
    expect(caption).toContain('Of 32 blocks, 16');
  });

  it('of several stages has a row of panels for each, or parts them', () => {
    const staged = fixture({ stages: [3, 2], samples: 3 });
    const drawn = figures(staged);
    for (const file of ['ra1-trajectories.svg', 'ra3-spectra.svg', 'ra4-scale.svg']) {
      expect(get(drawn, file), file).toContain('No-skip control, trained, stage 2');
      expect(drawn.find((f) => f.file === file)!.caption).toContain(
        '3 blocks of 32×32×64, 2 blocks of 16×16×128',
      );
    }
    // Points of a stage are one more than its blocks; panels × samples × points + legend.
    expect(circles(get(drawn, 'ra1-trajectories.svg'))).toBe(3 * 3 * (4 + 3) + 3);
    expect(circles(get(drawn, 'ra4-scale.svg'))).toBe(3 * 5 + 1);
    for (const file of ['ra1-steps.svg', 'ra2-left-right.svg'])
      expect(count(get(drawn, file), /stroke-dasharray="2 3?,? ?3?"/g), file).toBeGreaterThanOrEqual(3);
    const grid = get(drawn, 'ra2-alignment.svg');
    const framed = (svg: string) => count(svg, /h10v10h-10z/g);
    expect(framed(grid)).toBe(3 * (3 * 3 + 2 * 2));
    expect(grid).not.toContain('l10 10m0 -10');
  });

  it('of spectra says where ‖J‖² is an estimate', () => {
    const caption = (data: ReturnType<typeof fixture>) => figures(data)[4]!.caption;
    expect(caption(fixture({ stages: [3, 2] }))).toContain('standard errors up to 0.4%');
    expect(caption(fixture())).not.toContain('estimate');
  });

  it('of training has a point an epoch', () => {
    expect(circles(get(drawn, 'training.svg'))).toBe(2 * 4 * 3); // loss, training and test accuracy
    expect(get(figures(fixture({ epochs: 0 })), 'training.svg')).toContain('not measured');
  });

  it('of blocks has a dot for each block’s ratio and loss, and for each length of path, where these are known', () => {
    const { trained, initialization } = data.run.analysis;
    const control = data.control!.analysis.trained;
    expect(control.blockLoss).toBeNull();
    expect(trained.blockLoss).toHaveLength(5);
    const lost = [trained, initialization].filter((m) => m.blockLoss).length;
    const paths = [trained, initialization].filter((m) => m.summary.pathShares).length;
    expect(circles(get(drawn, 'blocks.svg'))).toBe(3 * 5 + lost * 5 + paths * 6);
  });

  it('of the course is there where weights were kept on the way', () => {
    const kept = figures(fixture({ course: true, epochs: 4 }));
    expect(kept.map((f) => f.file)).toEqual([...files, 'course.svg']);
    elements(get(kept, 'course.svg'));
    expect(circles(get(kept, 'course.svg'))).toBe(12 * 3);
    expect(get(kept, 'course.svg')).toContain('epoch (0: initialization)');
  });

  it('escapes its labels', () => {
    const hostile = fixture({ samples: 1 });
    hostile.run.label = '</text><script>alert("1")</script> & \u0000';
    for (const { svg } of figures(hostile)) {
      elements(svg);
      expect(svg).not.toContain('<script');
    }
  });
});
