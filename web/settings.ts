import { CollimateError } from '../src/errors.ts';

/** Settings for visitors; a link holds those that differ from their defaults. */
export interface PageSettings {
  readonly depth: number;
  readonly width: number;
  readonly weightDecay: number;
  /** Weight decay of the twin without skip connections, which hardly trains at a large one. */
  readonly twinWeightDecay: number;
  readonly momentum: number;
  readonly lr: number;
  readonly classes: number;
  readonly epochs: number;
  readonly seed: number;
  readonly skip: boolean;
  readonly norm: boolean;
  readonly branchScale: BranchScale;
}
export type BranchScale = '1' | '1/L' | 'learned';

/** A slider over whole numbers, or over given ones. */
interface Slider {
  readonly kind: 'slider';
  readonly label: string;
  readonly default: number;
  readonly values: readonly number[];
}
interface Switch {
  readonly kind: 'switch';
  readonly label: string;
  readonly default: boolean;
}
interface Choice {
  readonly kind: 'choice';
  readonly label: string;
  readonly default: string;
  readonly values: readonly string[];
}
export type Control = Slider | Switch | Choice;

const from = (first: number, last: number, step = 1): number[] =>
  Array.from({ length: (last - first) / step + 1 }, (_, i) => first + i * step);
const DECAYS = [0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.2];

/** Every control, in the order of the page. */
export const controls: { readonly [K in keyof PageSettings]: Control } = {
  depth: { kind: 'slider', label: 'Depth L', default: 6, values: from(1, 16) },
  width: { kind: 'slider', label: 'Width D', default: 32, values: [16, 24, 32, 48, 64, 96, 128] },
  weightDecay: { kind: 'slider', label: 'Weight decay', default: 3e-2, values: DECAYS },
  twinWeightDecay: { kind: 'slider', label: 'Weight decay, twin', default: 3e-3, values: DECAYS },
  momentum: {
    kind: 'slider',
    label: 'Momentum',
    default: 0.9,
    values: [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99],
  },
  lr: {
    ...{ kind: 'slider', label: 'Learning rate', default: 0.1 },
    values: [1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1],
  },
  classes: { kind: 'slider', label: 'Classes C', default: 10, values: from(2, 10) },
  epochs: { kind: 'slider', label: 'Epochs', default: 12, values: from(1, 40) },
  seed: { kind: 'slider', label: 'Seed', default: 1, values: from(1, 99) },
  skip: { kind: 'switch', label: 'Skip connections', default: true },
  norm: { kind: 'switch', label: 'BatchNorm', default: true },
  branchScale: { kind: 'choice', label: 'Branch scale', default: '1', values: ['1', '1/L', 'learned'] },
};

/** Steps a second; the last is full speed, at which alignment on a GPU would emerge in a blink. */
export const SPEEDS = [2, 5, 10, 20, 40, 80, 160, Number.POSITIVE_INFINITY];
export const SPEED = 40;

export const settingNames = Object.keys(controls) as (keyof PageSettings)[];

export const defaults = Object.fromEntries(
  settingNames.map((name) => [name, controls[name].default]),
) as unknown as PageSettings;

/** A link's part after `#`: settings that differ from defaults, such as `depth=8&skip=no`. */
export function toLink(settings: PageSettings): string {
  const changed = settingNames.filter((name) => settings[name] !== controls[name].default);
  const text = (value: PageSettings[keyof PageSettings]) =>
    typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
  return new URLSearchParams(changed.map((name) => [name, text(settings[name])])).toString();
}

/**
 * The settings of a link; what it omits has its default.
 * @throws CollimateError naming the first unknown or invalid setting
 */
export function fromLink(link: string): PageSettings {
  const given = new URLSearchParams(link.replace(/^#/, ''));
  const found: Record<string, unknown> = { ...defaults };
  for (const [name, text] of given) {
    if (!Object.hasOwn(controls, name)) {
      throw new CollimateError(
        `the link sets ${name}, which is no setting`,
        `Remove it; the settings are ${settingNames.join(', ')}.`,
      );
    }
    found[name] = read(name, controls[name as keyof PageSettings], text);
  }
  return found as unknown as PageSettings;
}

function read(name: string, control: Control, text: string): unknown {
  const refuse = (expected: string) =>
    new CollimateError(`the link sets ${name} to '${text}'`, `Expected ${expected}.`);
  if (control.kind === 'switch') {
    if (text === 'yes' || text === 'no') return text === 'yes';
    throw refuse('yes or no');
  }
  if (control.kind === 'choice') {
    if (control.values.includes(text)) return text;
    throw refuse(control.values.join(', '));
  }
  const [first, last] = [control.values[0]!, control.values.at(-1)!];
  const value = Number(text);
  // Also values between the slider's stops.
  if (text !== '' && value >= first && value <= last && (!isWhole(control) || Number.isInteger(value)))
    return value;
  throw refuse(`a ${isWhole(control) ? 'whole ' : ''}number from ${first} to ${last}`);
}

const isWhole = ({ values }: Slider): boolean => values.every(Number.isInteger);

/** Branch scales mean nothing without a skip connection. */
export const applies = (name: keyof PageSettings, { skip }: PageSettings): boolean =>
  name !== 'branchScale' || skip;
