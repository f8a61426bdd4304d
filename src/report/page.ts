import type { Analysis } from '../analysis/results.ts';
import { blocksInWords, type Figure, type ReportData } from './data.ts';
import { percent } from './numbers.ts';
import { stylesheet } from './page-style.ts';
import { escapeText } from './svg.ts';
import { resultSentence, verdictTable } from './verdicts.ts';

/** One file that needs no other: the verdicts, the figures, and what it takes to repeat them. */
export function reportPage(data: ReportData, figures: Figure[]): string {
  const { settings } = data.run.analysis;
  const convention = { branch: 'J = ∂F/∂h', 'post-activation': 'J = σ′(h + F(h)) ∂F/∂h' }[
    settings.convention
  ];
  const measured: [string, string][] = [
    ['Jacobian', `${convention} (convention “${settings.convention}”)`],
    ['Singular triples', `${settings.triples} compared, ${settings.spectrum} singular values kept`],
    [
      'Randomized SVD',
      `${settings.sketchColumns} sketch columns, ${settings.powerIterations} power iterations` +
        `${settings.filters > 0 ? `, ${settings.filters} spectral filters` : ''}, seed ${settings.seed}`,
    ],
    ['‖J‖²', frobenius(data.run.analysis)],
    ['Samples', `${data.run.analysis.trained.samples.length} training samples`],
  ];
  const network = Object.entries(data.network.config).map(([k, v]): [string, string] => [k, show(v)]);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escapeText(data.title)}</title>
<style>${stylesheet}</style>
</head>
<body>
<header>
<p class="kicker">Collimate · ${escapeText(data.experiment)}</p>
<h1>${escapeText(data.title)}</h1>
<p class="kicker">${escapeText(blocksInWords(data.run.analysis.network))}</p>
<p class="result">${escapeText(resultSentence(data))}</p>
</header>
<main>
<section aria-labelledby="verdicts"><h2 id="verdicts">Verdicts</h2>
${data.claims.length > 0 ? verdictTable(data) : '<p>No claim was judged.</p>'}</section>
<section aria-labelledby="figures"><h2 id="figures">Figures</h2>
${figures.map(figureBlock).join('\n')}</section>
<section aria-labelledby="method"><h2 id="method">How it was made</h2>
<div class="columns">
${facts('Settings', data.settings)}
${facts('Network', network)}
${facts('Measurement', measured)}
${facts('Provenance', data.provenance)}
</div>
<h3>Deviations from the paper</h3>
${data.deviations.length > 0 ? `<ul>${data.deviations.map((d) => `<li>${escapeText(d)}</li>`).join('')}</ul>` : '<p>None known.</p>'}</section>
<section aria-labelledby="files"><h2 id="files">Files</h2>
${files(figures, data.control?.label)}</section>
</main>
<footer>Residual Alignment: J. Li and V. Papyan, <cite>Residual Alignment: Uncovering the Mechanisms of Residual Networks</cite>, NeurIPS 2023, arXiv 2401.09018.</footer>
</body>
</html>
`;
}

/** How the Frobenius norms of the Jacobians were had. */
function frobenius({ initialization, trained }: Analysis): string {
  const all = [initialization, trained].flatMap((m) => m.frobenius);
  const errors = all.flatMap(({ method, relativeError }) => (method === 'estimated' ? [relativeError] : []));
  if (errors.length === 0) return 'exact';
  const where = errors.length === all.length ? 'estimated' : 'exact in some stages, estimated in others';
  return `${where}, with a standard error of at most ${percent(Math.max(...errors))}`;
}

const figureBlock = ({ file, title, caption, svg }: Figure, index: number): string =>
  `<figure><div class="scroll" tabindex="0" role="group" aria-label="Figure ${index + 1}">${svg}</div>` +
  `<figcaption><b>Figure ${index + 1}. ${escapeText(title)}.</b> ${escapeText(caption)} ` +
  `<a href="figures/${encodeURIComponent(file)}" download>SVG</a></figcaption></figure>`;

const facts = (title: string, rows: [string, string][]): string =>
  rows.length === 0
    ? ''
    : `<div class="facts"><h3>${title}</h3><dl>${rows.map(([k, v]) => `<div><dt>${escapeText(k)}</dt><dd>${escapeText(v)}</dd></div>`).join('')}</dl></div>`;

const show = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? '—'));

function files(figures: Figure[], control: string | undefined): string {
  const written: [string, string][] = [
    ['config.json', 'resolved settings, seed, adapter, kernel variants, versions'],
    ['metrics.jsonl', 'loss and accuracy, an epoch a line'],
    ['analysis.json', 'every measure, per sample and block'],
    ['checkpoint.safetensors', 'the trained weights and running statistics'],
  ];
  const link = (path: string) =>
    `<a href="${path.split('/').map(encodeURIComponent).join('/')}">${escapeText(path)}</a>`;
  const rows = written.map(([file, what]) => {
    const twin =
      control === undefined
        ? ''
        : ` <span class="twin">${escapeText(control)}: ${link(`control/${file}`)}</span>`;
    return `<li>${link(file)}: ${what}.${twin}</li>`;
  });
  return `<ul class="files">${rows.join('')}<li>Figures: ${figures.map((f) => link(`figures/${f.file}`)).join(', ')}</li></ul>`;
}
