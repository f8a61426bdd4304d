/** The report's look: one column, quiet type, numbers that line up; light, dark, phone and paper. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1d2126; --quiet: #5c646d; --line: #e0e0da;
  --link: #1f5f9e; --holds: #1d7044; --fails: #b03a1e; --part: #8a5a00;
  --serif: Charter, 'Bitstream Charter', 'Iowan Old Style', 'Source Serif 4', Georgia, 'DejaVu Serif', serif;
  --sans: Inter, system-ui, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181b; --ink: #e4e5e2; --quiet: #9aa2aa; --line: #2e3338;
    --link: #7fb5ea; --holds: #6cc493; --fails: #f08a6c; --part: #d9a74a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  max-width: 70rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 4rem) clamp(1rem, 3vw, 2rem) 3rem;
  background: var(--paper); color: var(--ink); font: 1.0625rem/1.6 var(--serif);
}
.kicker { margin: 0; font: 0.8125rem/1.4 var(--sans); letter-spacing: 0.04em; color: var(--quiet); overflow-wrap: anywhere; }
h1 { margin: 0.35rem 0 0; max-width: 24em; font-size: clamp(1.6rem, 4.2vw, 2.4rem); line-height: 1.18; font-weight: 600; letter-spacing: -0.012em; text-wrap: balance; overflow-wrap: anywhere; }
.result { max-width: 38em; margin: 1rem 0 0; font-size: 1.2rem; line-height: 1.5; text-wrap: pretty; }
h1 + .kicker { margin-top: 0.6rem; }
h2 { margin: 3.5rem 0 1rem; font-size: 1.35rem; line-height: 1.3; font-weight: 600; }
h3 { margin: 2rem 0 0.5rem; font: 600 0.8125rem/1.4 var(--sans); color: var(--quiet); }
a { color: var(--link); text-decoration-thickness: 0.06em; text-underline-offset: 0.18em; }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 3px; }
ul { max-width: 42em; padding-left: 1.1em; }
li { margin: 0.25rem 0; overflow-wrap: anywhere; }
code { font: 0.875em/1.4 ui-monospace, 'DejaVu Sans Mono', monospace; overflow-wrap: anywhere; }
main p { max-width: 42em; text-wrap: pretty; }
.note { max-width: 46em; margin: 0.9rem 0 0; font: 0.8125rem/1.55 var(--sans); color: var(--quiet); }
.note + figure { margin-top: 2.25rem; }

table { width: 100%; border-collapse: collapse; font: 0.875rem/1.45 var(--sans); font-variant-numeric: tabular-nums lining-nums; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 0.5rem 0.75rem; text-align: left; vertical-align: baseline; font-weight: inherit; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-size: 0.75rem; color: var(--quiet); border-bottom: 1px solid var(--ink); vertical-align: bottom; }
.number { text-align: right; white-space: nowrap; }
.number small, thead .number { white-space: normal; }
.cards th:first-child { width: 32%; }
.cards td a { white-space: nowrap; }
.group th { padding-top: 1.35rem; color: var(--quiet); }
.group b { margin-right: 0.4em; color: var(--ink); }
.row { border-top: 1px solid var(--line); }
tbody:first-of-type .row:first-child { border-top: 0; }
small { display: block; text-wrap: balance; font-size: 0.75rem; color: var(--quiet); }
strong { font-weight: 650; }
sub { font-size: 0.75em; line-height: 0; }
.after { white-space: pre; color: var(--quiet); }
.cards .after { display: inline-block; min-width: 4.3em; text-align: left; }
.cards thead th:nth-child(2) { padding-right: calc(0.75rem + 3.76rem); }
.verdict { white-space: nowrap; font: 600 0.875rem/1.45 var(--sans); }
.holds { color: var(--holds); }
.does-not-hold { color: var(--fails); }
.holds-in-part { color: var(--part); }
.not-measurable, .not-measured { color: var(--quiet); font-weight: 400; }

figure { margin: 0 0 3.25rem; break-inside: avoid; }
.scroll { overflow-x: auto; padding-bottom: 0.25rem; }
.scroll svg { display: block; max-width: 100%; height: auto; }
.scroll a { color: inherit; }
figcaption { max-width: 52em; margin-top: 0.6rem; font: 0.875rem/1.55 var(--sans); color: var(--quiet); text-wrap: pretty; }
figcaption b { color: var(--ink); font-weight: 600; }
figcaption a { white-space: nowrap; }
.files { white-space: nowrap; }

.columns { columns: 22rem 2; column-gap: 3rem; }
.facts { break-inside: avoid; margin-bottom: 1.75rem; }
.facts h3 { margin-top: 0; }
dl { margin: 0; font: 0.875rem/1.5 var(--sans); font-variant-numeric: tabular-nums; }
dl div { display: grid; grid-template-columns: 9.5rem 1fr; gap: 1rem; padding: 0.32rem 0; border-top: 1px solid var(--line); }
dt { color: var(--quiet); overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line); font: 0.8125rem/1.6 var(--sans); color: var(--quiet); }

@media screen and (max-width: 44rem) {
  body { font-size: 1rem; }
  .result { font-size: 1.08rem; }
  h2 { margin-top: 2.75rem; }
  /* What is wide keeps a readable size and scrolls in its own box. */
  .scroll { margin: 0 calc(-1 * clamp(1rem, 3vw, 2rem)); padding-inline: clamp(1rem, 3vw, 2rem); }
  .scroll svg { max-width: none; }
  .files { display: block; margin-top: 0.3rem; }
  /* Claims become cards; the roles in the markup keep the table one. */
  .cards, .cards tbody, .cards .group, .cards .group th { display: block; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .cards .group th { width: auto; padding: 1.5rem 0 0.5rem; }
  .cards .row { display: grid; grid-template-columns: minmax(0, 1.15fr) minmax(0, 1fr); gap: 0.3rem 1rem; padding: 0.75rem 0; }
  .cards .row th, .cards .row td { padding: 0; }
  .cards .row th { grid-area: 1 / 1 / 2 / -1; width: auto; padding-right: 8.5rem; }
  .cards .judged { grid-area: 1 / 2; text-align: right; }
  .cards td:not(.judged) { display: flex; justify-content: space-between; align-items: baseline; gap: 0.25rem; text-align: right; }
  .cards td:not(.judged)::before { content: attr(data-label); font-size: 0.75rem; color: var(--quiet); white-space: nowrap; }
  .cards .after { min-width: 0; white-space: pre-wrap; }
  .cards .number, .cards td a { white-space: normal; overflow-wrap: anywhere; }
  .cards td:not(.judged):has(> span:empty) { display: none; }
  dl div { grid-template-columns: 7.5rem 1fr; }
}

@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --ink: #000; --quiet: #444; --line: #ccc; --link: #000; --holds: #1d7044; --fails: #b03a1e; --part: #8a5a00;
  }
  @page { margin: 14mm; }
  html { font-size: 11px; }
  body { max-width: none; padding: 0; }
  h2, h3, .group { break-after: avoid; }
  h2 { margin-top: 2rem; }
  tr, tbody, .cards { break-inside: avoid; }
  .cards + .note { break-before: avoid; }
  th, td { padding: 0.35rem 0.6rem; }
  .group th { padding-top: 0.9rem; }
  .cards th:first-child { width: 36%; }
  .scroll { overflow: visible; }
  figure { margin-bottom: 1.5rem; }
  /* No paper can be clicked. */
  .files { display: none; }
}
`;
