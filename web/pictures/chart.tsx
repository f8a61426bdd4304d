import * as Plot from '@observablehq/plot';
import { useLayoutEffect } from 'preact/hooks';
import { useWidth } from './canvas.tsx';

interface ChartProps {
  /** What it shows, for those who do not see it. */
  readonly label: string;
  readonly height: number;
  readonly options: Omit<Plot.PlotOptions, 'width' | 'height'>;
}

/** A chart by Observable Plot, as wide as there is room. */
export function Chart({ label, height, options }: ChartProps) {
  const { ref, width } = useWidth<HTMLDivElement>();
  useLayoutEffect(() => {
    if (width === 0) return;
    const style = { background: 'none', fontSize: '11px', overflow: 'visible' };
    const own = { width, height, ariaLabel: label, style, ...options };
    ref.current!.replaceChildren(Plot.plot({ marginLeft: 40, marginRight: 12, ...own }));
  });
  return <div ref={ref} class="chart" style={{ minHeight: `${height}px` }} />;
}
