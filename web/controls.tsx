import {
  applies,
  type BranchScale,
  type Control,
  controls,
  type PageSettings,
  settingNames,
} from './settings.ts';

interface Props {
  readonly settings: PageSettings;
  readonly change: (settings: PageSettings) => void;
}

/** A slider, switch or choice for each setting. */
export function Controls({ settings, change }: Props) {
  return (
    <form class="controls" onSubmit={(event) => event.preventDefault()}>
      {settingNames.map((name) => (
        <Setting
          key={name}
          name={name}
          control={controls[name]}
          value={settings[name]}
          disabled={!applies(name, settings)}
          set={(value) => change({ ...settings, [name]: value })}
        />
      ))}
    </form>
  );
}

interface SettingProps {
  readonly name: string;
  readonly control: Control;
  readonly value: number | boolean | BranchScale;
  readonly disabled: boolean;
  readonly set: (value: unknown) => void;
}

function Setting({ name, control, value, disabled, set }: SettingProps) {
  const id = `setting-${name}`;
  if (control.kind === 'slider') {
    const { values } = control;
    // A link may say what lies between two stops.
    const distances = values.map((x) => Math.abs(x - (value as number)));
    return (
      <div class="setting">
        <label for={id}>{control.label}</label>
        <output for={id}>{value}</output>
        <input
          type="range"
          {...{ id, min: 0, max: values.length - 1, disabled }}
          value={distances.indexOf(Math.min(...distances))}
          aria-valuetext={String(value)}
          onInput={({ currentTarget }) => set(values[Number(currentTarget.value)])}
        />
      </div>
    );
  }
  if (control.kind === 'switch') {
    return (
      <div class="setting switch">
        <label for={id}>{control.label}</label>
        <input
          {...{ id, type: 'checkbox', role: 'switch', disabled }}
          checked={value as boolean}
          onChange={({ currentTarget }) => set(currentTarget.checked)}
        />
      </div>
    );
  }
  return (
    <div class="setting switch">
      <label for={id}>{control.label}</label>
      <select
        id={id}
        value={value as string}
        disabled={disabled}
        onChange={({ currentTarget }) => set(currentTarget.value)}
      >
        {control.values.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    </div>
  );
}
