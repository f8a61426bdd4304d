import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { figures } from '../../src/report/figures.ts';
import { png } from '../../src/report/png.ts';
import { inlined, standalone } from '../../src/report/svg.ts';
import { fixture } from './fixture.ts';

/** How dark an image is: 0 where it is white. */
async function ink(image: Uint8Array): Promise<number> {
  const { channels } = await sharp(image).flatten({ background: 'white' }).greyscale().stats();
  return 255 - channels[0]!.mean;
}

const drawn = figures(fixture({ depth: 3, samples: 2 }));

it('a figure put inline again is as it was, but for its ids', () => {
  for (const { svg } of drawn) {
    const again = inlined(standalone(svg), 'x');
    expect(again.replaceAll('x-', '')).toBe(svg.replaceAll('x-', ''));
    expect(again).not.toBe(svg);
  }
});

describe('a figure as PNG', () => {
  it('is twice as wide as the drawing, on white', async () => {
    const { width, height, hasAlpha } = await sharp(png(standalone(drawn[0]!.svg))).metadata();
    const [, w, h] = /width="(\d+)" height="(\d+)"/.exec(drawn[0]!.svg)!;
    expect([width, height]).toEqual([2 * (Number(w) + 24), 2 * (Number(h) + 24)]); // and a margin
    const corner = await sharp(png(standalone(drawn[0]!.svg)))
      .extract({ left: width! - 4, top: 0, width: 4, height: 4 })
      .raw()
      .toBuffer();
    expect(
      [...corner].every((x) => x === 255),
      `alpha ${hasAlpha}`,
    ).toBe(true);
  });

  it('has its text, whatever fonts the machine has', async () => {
    const svg = standalone(drawn[2]!.svg);
    const [whole, wordless] = [png(svg), png(svg.replace(/<text.*?<\/text>/gs, ''))];
    expect(await ink(whole)).toBeGreaterThan((await ink(wordless)) + 0.5);
  });

  it('has a glyph for every character that figures use', async () => {
    const texts = drawn.flatMap(({ svg }) =>
      [...svg.matchAll(/>([^<]+)<\/(?:text|tspan)>/g)].map(([, t]) => t!),
    );
    const characters = [...new Set(texts.join('').replace(/&#\d+;|\s/g, ''))];
    expect(characters).toContain('ⱼ');
    const cells = characters.map((c, i) => `<text x="${24 * i + 4}" y="16">${c}</text>`);
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${24 * characters.length}" height="24" font-family="Inter, sans-serif">${cells.join('')}</svg>`;
    const { data, info } = await sharp(png(svg)).greyscale().raw().toBuffer({ resolveWithObject: true });
    const inked = characters.filter((_, i) => {
      const rows = Array.from({ length: info.height }, (_, y) => y * info.width + 48 * i);
      return rows.some((from) => data.subarray(from, from + 48).some((x) => x < 128));
    });
    expect(inked).toEqual(characters);
  });
});
