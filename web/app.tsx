import { useEffect, useRef, useState } from 'preact/hooks';
import type { CollimateError } from '../src/errors.ts';
import { Bench } from './bench/bench.tsx';
import { useTraining } from './client.ts';
import { Controls } from './controls.tsx';
import { Notice } from './notice.tsx';
import { Gallery } from './pictures/gallery.tsx';
import { namesOf } from './pictures/series.ts';
import { defaults, fromLink, type PageSettings, toLink } from './settings.ts';
import { Transport } from './transport.tsx';

/** Milliseconds without another change after which training starts again. */
const SETTLED = 300;

/** The settings of the address, and what is wrong with it. */
function readAddress(): { settings: PageSettings; wrong?: CollimateError } {
  try {
    return { settings: fromLink(location.hash) };
  } catch (error) {
    return { settings: defaults, wrong: error as CollimateError };
  }
}

const address = (settings: PageSettings): string => {
  const link = toLink(settings);
  return location.pathname + location.search + (link && `#${link}`);
};

export function App() {
  const [{ settings, wrong }, setAddress] = useState(readAddress);
  const { training, send, start } = useTraining(settings);
  const [paused, setPaused] = useState(false);
  const [hidden, setHidden] = useState(document.hidden);
  const [tab, setTab] = useState<'training' | 'bench'>('training');
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  /** Starts with these settings, in place of others that were to follow. */
  const begin = (settings: PageSettings, after = 0) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => start(settings), after);
  };
  const apply = (changed: PageSettings) => {
    setAddress({ settings: changed });
    history.replaceState(null, '', address(changed));
    begin(changed, SETTLED);
  };
  useEffect(() => {
    const follow = () => {
      const read = readAddress();
      setAddress(read);
      begin(read.settings);
    };
    const see = () => setHidden(document.hidden);
    addEventListener('hashchange', follow);
    document.addEventListener('visibilitychange', see);
    return () => {
      removeEventListener('hashchange', follow);
      document.removeEventListener('visibilitychange', see);
    };
  }, []);
  // Benchmarks have the device to themselves, and a page that nobody sees computes nothing.
  const waits = tab === 'bench' ? 'while benchmarks run' : hidden ? 'while the page is hidden' : undefined;
  useEffect(() => send({ type: paused || waits ? 'pause' : 'resume' }), [paused, waits]);
  useEffect(() => {
    document.title = `${hidden ? 'Paused while hidden' : 'Watch Residual Alignment emerge'} · Collimate`;
  }, [hidden]);

  const names = namesOf(settings.skip);
  const { failure } = training;
  return (
    <>
      <header>
        <h1>Watch Residual Alignment emerge</h1>
        <p>
          Two small networks learn to read handwritten digits, in this page, on your GPU.{' '}
          <b style={{ color: names[0].ink }}>One</b> has skip connections
          {settings.skip ? '' : ' (you switched them off)'}, <b style={{ color: names[1].ink }}>its twin</b>{' '}
          has none. With them, training makes all blocks read and write along the same few directions, and
          carries each image along a straight line to its class. Without them, a network learns the digits
          otherwise.
        </p>
      </header>
      {wrong && <Notice title={wrong.message} text={`${wrong.remedy} The defaults are used instead.`} />}
      {failure && (
        <Notice title={failure.message} text={failure.remedy}>
          <button type="button" onClick={() => begin(settings)}>
            Start again
          </button>
        </Notice>
      )}
      <Tabs tab={tab} choose={setTab} />
      {tab === 'bench' && (
        <div id="bench" role="tabpanel" aria-labelledby="tab-bench">
          <Bench />
        </div>
      )}
      <div hidden={tab !== 'training'} id="training" role="tabpanel" aria-labelledby="tab-training">
        <Transport
          {...{ training, paused, waits, settings, send }}
          setPaused={setPaused}
          restart={() => begin(settings)}
        />
        <div class="columns">
          <details class="settings" open={matchMedia('(min-width: 60rem)').matches}>
            <summary>Settings</summary>
            <Controls settings={settings} change={apply} />
          </details>
          <Gallery {...{ training, settings, names }} />
        </div>
      </div>
      <footer>
        <p>
          After Li &amp; Papyan, <i>Residual Alignment: Uncovering the Mechanisms of Residual Networks</i>,
          NeurIPS 2023. Trained and measured by Collimate with WebGPU
          {training.adapter && ` on ${training.adapter}`}; nothing leaves this page.
        </p>
      </footer>
    </>
  );
}

const TABS = { training: 'Training', bench: 'Bench' } as const;
type Tab = keyof typeof TABS;

function Tabs({ tab, choose }: { tab: Tab; choose: (tab: Tab) => void }) {
  const names = Object.keys(TABS) as Tab[];
  const go = (to: Tab) => {
    choose(to);
    document.getElementById(`tab-${to}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Views">
      {names.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-controls={name}
          aria-selected={name === tab}
          tabIndex={name === tab ? 0 : -1}
          onClick={() => choose(name)}
          onKeyDown={({ key }) => {
            if (key === 'ArrowLeft' || key === 'ArrowRight') go(names.find((other) => other !== name)!);
          }}
        >
          {TABS[name]}
        </button>
      ))}
    </div>
  );
}
