import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseHTML } from 'linkedom';
import { beforeEach, describe, expect, it } from 'vitest';
import { figures } from '../../src/report/figures.ts';
import { html } from '../../src/report/html.ts';
import { runPage } from '../../src/report/page.ts';
import { fixture } from './fixture.ts';

const script = readFileSync('src/report/zoom.js', 'utf8');
const data = fixture({ depth: 2, samples: 1, epochs: 1, control: false });
const page = html(runPage(data, figures(data), []));

describe('the policy of a page', () => {
  it('allows its one script and its one style sheet, by their hashes, and nothing else', () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const [, style] = /<style>(.*?)<\/style>/s.exec(page)!;
    const [, inline] = /<script>(.*?)<\/script>\n<\/body>/s.exec(page)!;
    expect(inline).toBe(script);
    expect(policy).toContain(`default-src 'none'; script-src ${hash(inline!)}; style-src ${hash(style!)};`);
    expect(policy).not.toContain('unsafe');
    expect(page.replace(script, '')).not.toMatch(/ style="| on\w+="|<script(?!>)/);
  });
});

describe('the script of a page', () => {
  // A document without layout: windows are 1000 by 500 pixels, and a drawing is as wide as its style says.
  let document: Document;
  let dialog: HTMLDialogElement;
  const drawing = () => dialog.querySelector('svg')!;
  const press = (key: string, more = {}) => dialog.onkeydown!({ key, ...more } as KeyboardEvent);

  beforeEach(() => {
    document = parseHTML(page).document as unknown as Document;
    class Dialog {
      showModal() {}
    }
    new Function('document', 'HTMLDialogElement', 'addEventListener', script)(document, Dialog, () => {});
    dialog = document.querySelector('dialog')!;
    const rectangle = (element: HTMLElement) => () => ({
      left: 0,
      top: 0,
      width: Number.parseFloat(element.style?.width) || 100,
    });
    const stage = dialog.querySelector('.stage')!;
    Object.assign(stage, {
      clientWidth: 1032,
      clientHeight: 532,
      scrollLeft: 0,
      scrollTop: 0,
      focus() {},
      getBoundingClientRect: rectangle(stage as HTMLElement),
    });
    for (const svg of document.querySelectorAll('figure svg')) {
      const [, , width, height] = svg.getAttribute('viewBox')!.split(' ').map(Number);
      Object.assign(svg, {
        viewBox: { baseVal: { width, height } },
        getBoundingClientRect: rectangle(svg as unknown as HTMLElement),
      });
    }
    Object.assign(dialog, {
      showModal: () => Object.assign(dialog, { open: true }),
      close: () => dialog.onclose!({} as Event),
    });
  });

  it('gives every figure a button, which enlarges it', () => {
    const buttons = [...document.querySelectorAll<HTMLButtonElement>('button.enlarge')];
    expect(buttons.map((b) => b.getAttribute('aria-label'))).toEqual(
      figures(data).map((_, i) => `Enlarge Figure ${i + 1}`),
    );
    const home = document.querySelectorAll('figure')[1]!;
    const svg = home.querySelector('svg')!;
    buttons[1]!.onclick!({} as PointerEvent);
    expect(dialog.open).toBe(true);
    expect(drawing()).toBe(svg);
    expect(dialog.querySelector('.title')!.textContent).toContain('Figure 2.');
    dialog.close();
    expect(home.querySelector('svg')).toBe(svg);
    expect(svg.style.width).toBe('');
  });

  it('fits the figure to the window, and scales it by keys', () => {
    document.querySelector<HTMLButtonElement>('button.enlarge')!.onclick!({} as PointerEvent);
    const { width, height } = drawing().viewBox.baseVal;
    const fitted = width * Math.min(1000 / width, 500 / height);
    const shown = () => Number.parseFloat(drawing().style.width) / fitted;
    expect(shown()).toBeCloseTo(1);
    press('+');
    expect(shown()).toBeCloseTo(1.5);
    press('+', { ctrlKey: true }); // which is the browser's
    expect(shown()).toBeCloseTo(1.5);
    for (let i = 0; i < 20; i++) press('+');
    expect(shown()).toBeCloseTo(16);
    press('-');
    expect(shown()).toBeCloseTo(16 / 1.5);
    press('0');
    expect(shown()).toBeCloseTo(1);
    press('-');
    expect(shown()).toBeCloseTo(1);
  });
});
