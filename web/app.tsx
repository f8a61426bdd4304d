import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { CollimateError } from '../src/errors.ts';
import { useTraining } from './client.ts';
import { Controls } from './controls.tsx';
import { Accuracy, Scale, Shares, Spectra } from './pictures/charts.tsx';
import { type Cell, Grids } from './pictures/grid.tsx';
import { Paths } from './pictures/paths.tsx';
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
  const [cell, setCell] = useState<Cell>([0, 1]);
  const [sample, setSample] = useState(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const apply = (changed: PageSettings) => {
    setAddress({ settings: changed });
    history.replaceState(null, '', address(changed));
    clearTimeout(timer.current);
    timer.current = setTimeout(() => start(changed), SETTLED);
  };
  useEffect(() => {
    const follow = () => {
      const read = readAddress();
      setAddress(read);
      start(read.settings);
    };
    const see = () => setHidden(document.hidden);
    addEventListener('hashchange', follow);
    document.addEventListener('visibilitychange', see);
    return () => {
      removeEventListener('hashchange', follow);
      document.removeEventListener('visibilitychange', see);
    };
  }, []);
  useEffect(() => send({ type: paused || hidden ? 'pause' : 'resume' }), [paused, hidden]);

  const names = namesOf(settings.skip);
  const { pictures, moments, samples, steps, failure } = training;
  const { classes } = settings;
  return (
    <>
      <header>
        <h1>Watch Residual Alignment emerge</h1>
        <p>
          Two small networks learn to read handwritten digits, in this page, on your GPU.{' '}
          <b style={{ color: names[0].color }}>One</b> has skip connections,{' '}
          <b style={{ color: names[1].color }}>its twin</b> has none. Training makes all blocks of the first
          read and write along the same few directions, and carries each image along a straight line to its
          class; the twin learns the digits otherwise.
        </p>
      </header>
      {wrong && <Notice title={wrong.message} text={`${wrong.remedy} The defaults are used instead.`} />}
      {failure && (
        <Notice title={failure.message} text={failure.remedy}>
          <button type="button" onClick={() => start(settings)}>
            Start again
          </button>
        </Notice>
      )}
      <Transport
        {...{ training, paused, settings, send }}
        setPaused={setPaused}
        restart={() => start(settings)}
      />
      <div class="columns">
        <details class="settings" open={matchMedia('(min-width: 60rem)').matches}>
          <summary>Settings</summary>
          <Controls settings={settings} change={apply} />
        </details>
        <main>
          <Card
            title="Alignment"
            caption="|UⱼᵀJᵢVⱼ|: the Jacobian of block i (row) in the singular bases of block j (column). Look for diagonals everywhere: framed squares, i = j, have one by construction."
          >
            <Grids {...{ pictures, names }} chosen={cell} choose={setCell} />
          </Card>
          <Card
            title="Paths"
            caption="Each image’s way through the blocks, from ring to disc, colored by its digit. Look for straight lines with evenly spaced dots."
          >
            <Paths {...{ pictures, samples, classes, names }} chosen={sample} choose={setSample} />
          </Card>
          <Card
            title="Alignment over training"
            caption="Share of the couplings, i ≠ j, that is diagonal (solid), and of a path’s variance that is on a line (dashed). Look for the two blue curves to rise and the orange ones to stay low."
          >
            <Shares {...{ moments, steps, names }} />
          </Card>
          <Card
            title="Spectra"
            caption={`Singular values of each block’s Jacobian, warm colors for early blocks. Look for a steep fall behind the dashed line, at C = ${classes}: the rank is at most the number of classes.`}
          >
            <Spectra {...{ pictures, names, classes }} />
          </Card>
          <Card
            title="Scale"
            caption="The largest singular value of each block. Look for a fall from block to block with skip connections."
          >
            <Scale {...{ pictures, names }} />
          </Card>
          <Card
            title="Accuracy"
            caption="Share of 1,000 test images that are read correctly. Look for how little it tells the two apart."
          >
            <Accuracy {...{ moments, steps, names }} />
          </Card>
        </main>
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

function Card({ title, caption, children }: { title: string; caption: string; children: ComponentChildren }) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <p class="caption">{caption}</p>
      {children}
    </section>
  );
}

function Notice({
  title,
  text,
  children,
}: {
  title: string;
  text: string | undefined;
  children?: ComponentChildren;
}) {
  const sentence = (words: string) =>
    words.replace(/^./, (letter) => letter.toUpperCase()).replace(/[^.]$/, '$&.');
  return (
    <div class="notice" role="alert">
      <p>
        <b>{sentence(title)}</b> {text && sentence(text)}
      </p>
      {children}
    </div>
  );
}
