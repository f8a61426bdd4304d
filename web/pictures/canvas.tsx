import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** The width of an element in CSS pixels, as it is laid out. */
export function useWidth<E extends HTMLElement>() {
  const ref = useRef<E>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}

/** Renders again when colors or the density of pixels change. */
export function useScreen(): void {
  const [, again] = useState(0);
  useEffect(() => {
    const queries = ['(prefers-color-scheme: dark)', `(resolution: ${devicePixelRatio}dppx)`].map((query) =>
      matchMedia(query),
    );
    const change = () => again((n) => n + 1);
    for (const query of queries) query.addEventListener('change', change);
    return () => {
      for (const query of queries) query.removeEventListener('change', change);
    };
  }, []);
}

interface CanvasProps {
  /** What it shows, for those who do not see it. */
  readonly label: string;
  /** Height over width. */
  readonly ratio?: number;
  /** Draws in CSS pixels; `ink` is the color of text. */
  readonly draw: (context: CanvasRenderingContext2D, width: number, height: number, ink: string) => void;
  /** A place that was pointed at, in CSS pixels of a canvas so wide. */
  readonly onPoint: (x: number, y: number, width: number) => void;
  /** An arrow key: −1, 0 or 1 to the right and down. */
  readonly onArrow: (right: number, down: number) => void;
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ...{ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] },
};

/** A picture that is drawn anew each time it is rendered, sharp on any screen. */
export function Canvas({ label, ratio = 1, draw, onPoint, onArrow }: CanvasProps) {
  const { ref, width } = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  useScreen();
  useLayoutEffect(() => {
    const { current: element } = canvas;
    if (!element || width === 0) return;
    const [scale, height] = [devicePixelRatio, Math.round(width * ratio)];
    const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)];
    // Setting a size clears the canvas, even where it is the same.
    element.width = columns;
    element.height = rows;
    const context = element.getContext('2d')!;
    context.scale(scale, scale);
    context.font = `11px ${getComputedStyle(element).fontFamily}`;
    draw(context, width, height, getComputedStyle(element).color);
  });
  const point = ({ offsetX, offsetY }: MouseEvent) => onPoint(offsetX, offsetY, width);
  return (
    <div
      ref={ref}
      class="canvas"
      role="application"
      aria-label={`${label}. Arrow keys choose.`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys choose what a pointer would point at
      tabIndex={0}
      onPointerMove={point}
      onPointerDown={point}
      onKeyDown={(event) => {
        const arrow = ARROWS[event.key];
        if (!arrow) return;
        event.preventDefault();
        onArrow(...arrow);
      }}
    >
      <canvas ref={canvas} style={{ aspectRatio: `1 / ${ratio}` }} />
    </div>
  );
}
