import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Training } from '../client.ts';
import type { PageSettings } from '../settings.ts';
import { Accuracy, Scale, Shares, Spectra } from './charts.tsx';
import { type Cell, Grids } from './grid.tsx';
import { Paths } from './paths.tsx';
import type { Names } from './series.ts';

interface Props {
  readonly training: Training;
  readonly settings: PageSettings;
  readonly names: Names;
}

/** All pictures, each with what to look for. */
export function Gallery({ training, settings, names }: Props) {
  const [cell, setCell] = useState<Cell>([0, 1]);
  const [sample, setSample] = useState(0);
  const { pictures, moments, samples, steps } = training;
  const { classes } = settings;
  return (
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
