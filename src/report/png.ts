import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';

const file = (style: string): string =>
  createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/DejaVuSans${style}.ttf`);

/** Bundled: installed fonts differ between machines, and there may be none. */
const font = {
  fontFiles: [file(''), file('-Bold')],
  loadSystemFonts: false,
  defaultFontFamily: 'DejaVu Sans',
  sansSerifFamily: 'DejaVu Sans',
};

/** A figure as a PNG image on white, at twice its drawn width, with its text in bundled fonts. */
export function png(svg: string): Uint8Array {
  const resvg = new Resvg(svg, { background: 'white', fitTo: { mode: 'zoom', value: 2 }, font });
  return resvg.render().asPng();
}
