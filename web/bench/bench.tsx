import { useEffect, useRef, useState } from 'preact/hooks';
import type { Row } from '../../bench/result.ts';
import { cellsOf, heads, rooflineText } from '../../bench/table.ts';
import type { CollimateError } from '../../src/errors.ts';
import { fetchImages } from '../images.ts';
import { Notice } from '../notice.tsx';
import type { BenchReport } from './protocol.ts';

type Of<T extends BenchReport['type']> = Extract<BenchReport, { type: T }>;

/** Measures this browser's adapter, and shows rows as they come. */
export function Bench() {
  const [measuring, setMeasuring] = useState<string>();
  const [ceilings, setCeilings] = useState<Of<'ceilings'>>();
  const [rows, setRows] = useState<readonly Row[]>([]);
  const [failure, setFailure] = useState<Pick<CollimateError, 'message' | 'remedy'>>();
  const [copied, setCopied] = useState<boolean>();
  const worker = useRef<Worker>(undefined);

  const hear = (report: BenchReport) => {
    if (report.type === 'ceilings') setCeilings(report);
    else if (report.type === 'measuring') setMeasuring(report.suite);
    else if (report.type === 'row') setRows((before) => [...before, report.row]);
    else {
      setMeasuring(undefined);
      worker.current?.terminate();
      if (report.type === 'failed') setFailure(report as never);
    }
  };
  const measure = () => {
    [setCeilings, setFailure, setCopied].forEach((set) => {
      set(undefined);
    });
    setRows([]);
    setMeasuring('the device');
    const own = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    own.onmessage = ({ data }: MessageEvent<BenchReport>) => hear(data);
    own.onerror = ({ message }) => hear({ type: 'failed', message, remedy: undefined });
    worker.current = own;
    fetchImages(document.baseURI).then(
      (bytes) => own.postMessage(bytes, [bytes.buffer]),
      ({ message, remedy }) => hear({ type: 'failed', message, remedy }),
    );
  };
  useEffect(() => () => worker.current?.terminate(), []);

  const result = () =>
    JSON.stringify(
      { date: new Date().toISOString(), browser: navigator.userAgent, ...ceilings, type: undefined, rows },
      null,
      1,
    );
  return (
    <section class="card bench">
      <h2>What this browser’s adapter can do</h2>
      <p class="caption">
        Matrix products, a training step of <code>mnist-fc</code>, and the SVD of all its Jacobians, checked
        against float64 and compared with ceilings that are measured first. Look at the column roofline: the
        share of what these ceilings allow.
      </p>
      <div class="buttons">
        <button type="button" class="primary" disabled={measuring !== undefined} onClick={measure}>
          Measure
        </button>
        <button
          type="button"
          disabled={measuring !== undefined || rows.length === 0}
          onClick={() =>
            navigator.clipboard.writeText(result()).then(
              () => setCopied(true),
              () => setCopied(false),
            )
          }
        >
          Copy as JSON
        </button>
        <span role="status">
          {measuring
            ? `Measuring ${measuring} …`
            : copied === undefined
              ? ''
              : copied
                ? 'Copied'
                : 'The browser did not allow copying'}
        </span>
      </div>
      {failure && <Notice title={failure.message} text={failure.remedy} />}
      {ceilings && (
        <p>
          {ceilings.adapter.name}. {rooflineText(ceilings.roofline)}
        </p>
      )}
      {rows.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                {heads.map((head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ))}
                <th scope="col">error</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={`${row.name} ${row.size}`}>
                  {[`${row.suite} ${row.name}`, ...cellsOf(row).slice(1)].map((cell, i) => (
                    <td key={heads[i]}>{cell}</td>
                  ))}
                  <td>{row.error ?? row.check?.error.toExponential(0)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
