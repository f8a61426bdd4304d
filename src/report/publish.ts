import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../atomic-write.ts';
import type { RunFolder } from '../experiments/run-folder.ts';
import { csv } from './csv.ts';
import { html } from './html.ts';
import { markdown } from './markdown.ts';
import { filesOf, ownFigures, pageOf, type Report, tablesOf } from './page.ts';
import { png } from './png.ts';
import { render } from './render.ts';
import { standalone } from './svg.ts';

/** Writes a file at a path below the page's folder. */
export type Write = (path: string, contents: string | Uint8Array) => void;

/** Writes a page as HTML and Markdown, figures as SVG and PNG, numbers as CSV; last of all, the HTML. */
export function publish(write: Write, report: Report, name = 'report'): void {
  for (const part of ownFigures(report.sections)) {
    const { svg, png: image } = filesOf(part);
    const alone = standalone(part.figure.svg);
    write(svg, alone);
    write(image, png(alone));
  }
  for (const { name, rows } of tablesOf(report)) write(`data/${name}.csv`, csv(rows));
  const page = pageOf(report, name);
  write(`${name}.md`, render(page, markdown));
  write(`${name}.html`, render(page, html));
}

/** Into the folder of a run. */
export const into =
  (folder: RunFolder): Write =>
  (path, contents) =>
    folder.write(path, contents);

/** Below a folder, each file as a whole or not at all. */
export const below =
  (folder: string): Write =>
  (path, contents) => {
    const whole = join(folder, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeAtomically(whole, contents);
  };
