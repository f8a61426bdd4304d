import type { RunFolder } from '../experiments/run-folder.ts';
import { csv, type Data } from './csv.ts';
import type { Figure } from './data.ts';
import { html } from './html.ts';
import { markdown } from './markdown.ts';
import type { Files, Page, Part } from './parts.ts';
import { png } from './png.ts';
import { standalone } from './svg.ts';

/** Writes a file, given its path below the folder of the page. */
export type Write = (path: string, contents: string | Uint8Array) => void;

/** Writes a page as HTML and Markdown, its figures as SVG and PNG, and its numbers as CSV. The HTML comes last: where it is, all is. */
export function publish(
  write: Write,
  page: Page,
  {
    figures = [],
    data,
    name = 'report',
  }: { figures?: readonly Figure[]; data?: readonly Data[]; name?: string },
): void {
  for (const { file, svg } of figures) {
    const alone = standalone(svg);
    write(`figures/${file}`, alone);
    write(`figures/${pngName(file)}`, png(alone));
  }
  for (const { name, rows } of data ?? []) write(`data/${name}.csv`, csv(rows));
  write(`${name}.md`, markdown(page));
  write(`${name}.html`, html(page));
}

/** Into the folder of a run. */
export const into =
  (folder: RunFolder): Write =>
  (path, contents) =>
    typeof contents === 'string' ? folder.writeText(path, contents) : folder.writeBytes(path, contents);

/** Figures of a page, numbered; their files lie below the page's folder, or in `below` of it. */
export const figureParts = (figures: readonly Figure[], below = ''): Part[] =>
  figures.map((figure, i) => ({ kind: 'figure', figure, number: i + 1, files: filesOf(figure, below) }));

export const filesOf = ({ file, data }: Figure, below = ''): Files => ({
  svg: `${below}figures/${file}`,
  png: `${below}figures/${pngName(file)}`,
  data: (data ?? []).map((name) => `${below}data/${name}.csv`),
});

const pngName = (file: string): string => file.replace(/\.svg$/, '.png');
