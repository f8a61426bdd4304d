import { classColor } from '../../src/report/colors.ts';
import type { Pair, Picture, Sample } from '../protocol.ts';
import { Canvas } from './canvas.tsx';
import type { Names } from './series.ts';

const MARGIN = 10;

/** Where the points of all paths lie on a canvas: one unit is equally long on both axes. */
function placing(paths: Picture['paths'], width: number) {
  const points = paths.flat();
  const span = (axis: 0 | 1) => {
    const values = points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)] as const;
  };
  const [[left, right], [bottom, top]] = [span(0), span(1)];
  const scale = (width - 2 * MARGIN) / Math.max(right - left, top - bottom, 1e-9);
  return ([x, y]: readonly [number, number]): readonly [number, number] => [
    width / 2 + scale * (x - (left + right) / 2),
    width / 2 - scale * (y - (bottom + top) / 2),
  ];
}

interface PathsProps {
  readonly pictures: Pair<Picture> | undefined;
  readonly samples: readonly Sample[];
  readonly classes: number;
  readonly names: Names;
  readonly chosen: number;
  readonly choose: (sample: number) => void;
}

/** Paths of samples through both networks, and below the image of the one that was chosen. */
export function Paths({ pictures, samples, classes, names, chosen, choose }: PathsProps) {
  const sample = samples[chosen];
  return (
    <div class="pair">
      {names.map(({ name, ink }, n) => {
        const picture = pictures?.[n];
        const paths = picture?.paths ?? [];
        return (
          <div key={name}>
            <h3 style={{ color: ink }}>{name}</h3>
            <Canvas
              label={`Paths of ${samples.length} images through ${name}; chosen: image ${chosen + 1}, a ${sample?.label}`}
              draw={(context, width) => drawPaths(context, width, paths, samples, classes, chosen)}
              onPoint={(x, y, width) => choose(nearest(paths, width, x, y) ?? chosen)}
              onArrow={(right, down) =>
                choose((chosen + right + down + samples.length) % Math.max(1, samples.length))
              }
            />
            <div class="detail">
              {sample && <Digit pixels={sample.pixels} />}
              <p>
                a {sample?.label ?? '…'}, read as{' '}
                <b style={{ color: sample && classColor(picture?.predicted[chosen] ?? 0, classes) }}>
                  {picture?.predicted[chosen] ?? '…'}
                </b>
              </p>
            </div>
          </div>
        );
      })}
    </div>
  );
}

function nearest(paths: Picture['paths'], width: number, x: number, y: number): number | undefined {
  if (paths.length === 0) return undefined;
  const place = placing(paths, width);
  const distances = paths.map((path) =>
    Math.min(...path.map(place).map(([px, py]) => (px - x) ** 2 + (py - y) ** 2)),
  );
  return distances.indexOf(Math.min(...distances));
}

function drawPaths(
  context: CanvasRenderingContext2D,
  width: number,
  paths: Picture['paths'],
  samples: readonly Sample[],
  classes: number,
  chosen: number,
): void {
  if (paths.length === 0) return;
  const place = placing(paths, width);
  // The chosen one last, on top.
  const order = [...paths.keys()].sort((a, b) => Number(a === chosen) - Number(b === chosen));
  for (const n of order) {
    const points = paths[n]!.map(place);
    const isChosen = n === chosen;
    context.strokeStyle = context.fillStyle = classColor(samples[n]?.label ?? 0, classes);
    context.globalAlpha = isChosen ? 1 : 0.55;
    context.lineWidth = isChosen ? 2.5 : 1.2;
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y);
    context.stroke();
    points.forEach(([x, y], at) => {
      const isLast = at === points.length - 1;
      context.beginPath();
      context.arc(x, y, at === 0 ? 3 : (isLast ? 4 : 2) + (isChosen ? 1 : 0), 0, 2 * Math.PI);
      if (at === 0) context.stroke();
      else context.fill();
    });
  }
}

/** An image of MNIST, in ink. */
function Digit({ pixels }: { pixels: Uint8Array }) {
  const draw = (canvas: HTMLCanvasElement | null) => {
    if (!canvas) return;
    const context = canvas.getContext('2d')!;
    const image = context.createImageData(28, 28);
    pixels.forEach((x, at) => {
      image.data.set([123, 131, 141, x], 4 * at);
    });
    context.putImageData(image, 0, 0);
  };
  return <canvas ref={draw} class="digit" width="28" height="28" />;
}
