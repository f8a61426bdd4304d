import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';

const font = (style: string): string =>
  createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/DejaVuSans${style}.ttf`);

/** The fonts that a machine has would make its pictures its own, and it may have none. */
const fonts = {
  fontFiles: [font(''), font('-Bold')],
  loadSystemFonts: false,
  defaultFontFamily: 'DejaVu Sans',
  sansSerifFamily: 'DejaVu Sans',
};

/** A figure as a PNG image on white, twice as wide as it is drawn, with the text in fonts that come along. */
export function png(svg: string, font: typeof fonts | { fontFiles: string[] } = fonts): Uint8Array {
  const options = { background: 'white', fitTo: { mode: 'zoom', value: 2 }, font } as const;
  return new Resvg(svg, options).render().asPng();
}
