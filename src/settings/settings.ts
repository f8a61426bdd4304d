import * as v from 'valibot';
import { type Context, numberIn, type Range, type Row } from './row.ts';
import { rows, type Settings, type TrainingOptions } from './table.ts';

export type SettingName = keyof Settings;

/** Every setting, in the order of `--help` and of the files. */
export const settingNames = Object.keys(rows) as SettingName[];

type AnyRow = Row<unknown, Settings>;
/** Rows without regard to the types of their values. */
export const rowOf = (name: SettingName): AnyRow => rows[name] as AnyRow;

/** The paper's values of variations: files that omit them mean these. */
export const defaults = settingsBy((name) => rowOf(name).default);

export function settingsBy(of: (name: SettingName) => unknown): Partial<Settings> {
  const all = settingNames.map((name) => [name, of(name)] as const);
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

/** `Weight decay`. */
export const labelOf = (name: SettingName): string =>
  rows[name].label ?? wordsOf(name, ' ').replace(/^./, (letter) => letter.toUpperCase());

/** `--weight-decay`. */
export const optionOf = (name: string): string => `--${wordsOf(name, '-')}`;

const wordsOf = (name: string, between: string): string =>
  name.replace(/[A-Z]/g, (letter) => `${between}${letter.toLowerCase()}`);

const recorded = settingNames.filter((name) => rows[name].recorded);

/** The given settings that differ from their defaults. */
export const unusual = <K extends SettingName>(settings: Settings, ...names: readonly K[]) =>
  Object.fromEntries(
    names.flatMap((name) => (settings[name] === rowOf(name).default ? [] : [[name, settings[name]]])),
  ) as Partial<Pick<Settings, K>>;

export const trainingOptions = (settings: Settings): TrainingOptions =>
  unusual(settings, ...recorded) as TrainingOptions;

/** The settings that decide a run's images and labels. */
export const dataSettings = (settings: Settings): Partial<Settings> =>
  settingsBy((name) => {
    const { changes, changesData } = rows[name];
    return changes === 'data' || changesData?.(settings) ? settings[name] : undefined;
  });

/** Settings of the control: without skip connections and what needs them. */
export const controlSettings = (settings: Settings): Settings => ({
  ...settings,
  ...settingsBy((name) => (rows[name].needsSkip ? rowOf(name).default : undefined)),
  skip: false,
  weightDecay: settings.controlWeightDecay!,
  controlWeightDecay: null,
  snapshots: 0,
});

/** What a report says of settings, by label. */
export const settingLines = (settings: Settings): [string, string][] =>
  settingNames.flatMap((name): [string, string][] => {
    const row = rowOf(name);
    const value = settings[name];
    if (value === undefined || value === row.default) return [];
    const text = (row.shown ?? String)(value, settings);
    return text === false ? [] : [[labelOf(name), text]];
  });

/** How settings depart from the paper's, and our choices where the paper states nothing. */
export const settingDeviations = (context: Context<Settings>): string[] =>
  settingNames.flatMap((name) => {
    const value = context.settings[name];
    return (value !== undefined && rowOf(name).deviation?.(value, context)) || [];
  });

/** Schema of a setting in files; numbers may have a narrower range. */
export function schemaOf(name: SettingName, narrow: (range: Range) => Range = (range) => range) {
  const { type } = rows[name];
  if (type === 'flag') return v.boolean();
  if (!('whole' in type)) return v.picklist(type as readonly string[]);
  const schema = numberIn(narrow(type));
  return name === 'controlWeightDecay' ? v.nullable(schema) : schema;
}

export const trainingSchema = v.strictObject(
  Object.fromEntries(
    recorded.map((name) => [name, name in defaults ? v.exactOptional(schemaOf(name)) : schemaOf(name)]),
  ),
) as unknown as v.GenericSchema<TrainingOptions>;
