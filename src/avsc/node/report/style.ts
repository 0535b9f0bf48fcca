// The style sheet of a report, in light and dark. Charts take their colors from the same variables.

export const STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f6f5f2, #101317);
  --surface: light-dark(#ffffff, #181c22);
  --ink: light-dark(#1b1f26, #e7e9ec);
  --soft: light-dark(#5c636f, #9aa3af);
  --line: light-dark(#e2e0da, #2b313a);
  --cell: light-dark(#f1f0ec, #20252d);
  --quiet: light-dark(#b9bec6, #505864);
  --accent: light-dark(#1f5fd0, #7fb0ff);
  --right: light-dark(#34507a, #7f9fce);
  --wrong: light-dark(#c22f4c, #ef6b84);
  --on-strong: light-dark(#ffffff, #0f1318);
  --good: light-dark(#16754c, #5fd3a0);
  --bad: light-dark(#b3261e, #ff8d84);
  --warn: light-dark(#8a5a00, #f0c060);
  --warn-page: light-dark(#fff4d8, #2c2411);
  --c0: light-dark(#1f6fd6, #6ea8ff);
  --c1: light-dark(#d1600f, #ff9d57);
  --c2: light-dark(#0d8a63, #3fd0a0);
  --c3: light-dark(#8a4fc9, #c4a0ff);
  --c4: light-dark(#c4307a, #ff8abf);
  --c5: light-dark(#0a8496, #45c8dc);
  --c6: light-dark(#7a7200, #d3c94a);
  --c7: light-dark(#80563c, #cfa187);
  --tip-shadow: drop-shadow(0 3px 6px rgba(0, 0, 0, .18));
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scrollbar-gutter: stable; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 400 15px/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
.frame { display: grid; grid-template-columns: 176px minmax(0, 1fr); gap: 0 40px; max-width: 1240px; margin: 0 auto; padding: 0 28px 72px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -.02em; font-weight: 650; margin: 0 0 10px; overflow-wrap: anywhere; text-wrap: balance; }
h2 { font-size: 20px; line-height: 1.3; letter-spacing: -.012em; font-weight: 640; margin: 0 0 4px; }
h3 { font-size: 14px; line-height: 1.4; font-weight: 620; margin: 0; }
p { margin: 0; max-width: 68ch; text-wrap: pretty; }
code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9em; }
a { color: var(--accent); text-underline-offset: 3px; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.soft { color: var(--soft); }
.eyebrow { color: var(--soft); font-size: 12px; font-weight: 600; letter-spacing: .07em; text-transform: uppercase; margin-bottom: 8px; }

nav { position: sticky; top: 0; align-self: start; padding: 44px 0; max-height: 100vh; overflow: auto; }
nav a { display: block; padding: 5px 12px; border-left: 2px solid var(--line); color: var(--soft); text-decoration: none; font-size: 14px; }
nav a:hover { color: var(--ink); }
nav a[aria-current="true"] { color: var(--ink); border-color: var(--accent); font-weight: 600; }
header { padding: 44px 0 28px; }
header p { font-size: 16px; color: var(--soft); }
dl.facts { display: flex; flex-wrap: wrap; gap: 8px 32px; margin: 20px 0 0; }
dl.facts dt { font-size: 12px; color: var(--soft); }
dl.facts dd { margin: 0; font-weight: 500; overflow-wrap: anywhere; }

section { scroll-margin-top: 24px; margin-bottom: 28px; background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 24px 26px 26px; }
section > p { color: var(--soft); margin-bottom: 18px; }
section .chart + h3, section .grid + h3 { margin-top: 28px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 20px 32px; margin: 18px 0 26px; }
.figure b { display: block; font-size: 52px; line-height: 1.08; font-weight: 620; letter-spacing: -.035em; white-space: nowrap; }
.figure b small { font-size: .5em; font-weight: 500; letter-spacing: 0; color: var(--soft); }
.figure span { display: block; font-weight: 600; margin-top: 6px; }
.figure em { display: block; font-style: normal; font-size: 13px; color: var(--soft); }

.scroll { overflow-x: auto; margin: 0 -26px; padding: 0 26px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 9px 14px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 12.5px; font-weight: 550; vertical-align: bottom; white-space: normal; line-height: 1.3; }
tbody tr:last-child > * { border-bottom: 0; }
th[scope="row"] { font-weight: 550; }
.text { text-align: left; white-space: normal; min-width: 150px; }
tr.final th, tr.final td { font-weight: 680; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; background: var(--color); }
tbody th.text { min-width: 220px; }
th small { display: block; max-width: 46ch; font-size: 13px; font-weight: 400; color: var(--soft); }
th .dot + b { font-weight: inherit; }
.chip { display: inline-block; padding: 1px 9px; border-radius: 99px; border: 1px solid color-mix(in srgb, var(--tone) 45%, transparent); background: color-mix(in srgb, var(--tone) 11%, transparent); color: var(--tone); font-size: 12px; font-weight: 600; line-height: 1.6; white-space: nowrap; margin: 1px 0; }
.chip.good { --tone: var(--good); } .chip.bad { --tone: var(--bad); } .chip.warn { --tone: var(--warn); } .chip.calm { --tone: var(--soft); } .chip.blue { --tone: var(--accent); }
.banner { background: var(--warn-page); border: 1px solid color-mix(in srgb, var(--warn) 45%, transparent); border-radius: 12px; padding: 14px 18px; margin-bottom: 24px; }
.banner b { color: var(--warn); }
.notice { color: var(--bad); }

.controls { display: flex; flex-wrap: wrap; gap: 8px 18px; align-items: center; margin: 0 0 12px; min-height: 32px; font-size: 13.5px; border: 0; padding: 0; }
.controls label, .legend span { display: inline-flex; align-items: center; gap: 0; cursor: pointer; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-bottom: 14px; font-size: 13.5px; }
.legend span { cursor: default; }
.controls input { accent-color: var(--color, var(--accent)); width: 15px; height: 15px; margin: 0 7px 0 0; }
.controls .apart { margin-left: auto; display: flex; flex-wrap: wrap; gap: 8px 18px; }
.segments { display: inline-flex; flex-wrap: wrap; border: 1px solid var(--line); border-radius: 9px; padding: 3px; gap: 3px; background: var(--cell); margin: 0 0 16px; }
.segments label { position: relative; cursor: pointer; font-size: 13.5px; }
.segments input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.segments span { display: block; padding: 4px 13px; border-radius: 6px; color: var(--soft); }
.segments input:checked + span { background: var(--surface); color: var(--ink); font-weight: 600; box-shadow: 0 1px 3px rgba(0, 0, 0, .14); }
.segments input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 1px; }

.chart { min-width: 0; min-height: var(--height); }
.chart svg { --plot-background: var(--surface) !important; display: block; max-width: 100%; height: auto; overflow: visible; font-family: inherit; font-size: 12px; font-variant-numeric: tabular-nums; }
.chart svg [aria-label$="axis tick label"] { fill: var(--soft); }
.chart svg [aria-label$="grid"] { stroke: var(--line); stroke-opacity: 1; }
.chart svg [aria-label="tip"] { color: var(--ink); }
.beside { display: grid; grid-template-columns: minmax(0, 640px) minmax(190px, 1fr); gap: 24px 36px; align-items: start; }
.beside h3 { margin: 0 0 8px; }
.beside td, .beside tbody th { padding: 5px 0; min-width: 0; }
.beside td { padding-left: 12px; vertical-align: middle; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 28px 32px; }
.grid.three { grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr)); }
.grid h3 { margin-bottom: 6px; }

.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 275px), 1fr)); gap: 16px; margin: 12px 0 28px; }
.cards:last-child { margin-bottom: 0; }
.card { display: flex; flex-direction: column; margin: 0; border: 1px solid var(--line); border-radius: 11px; break-inside: avoid; min-width: 0; background: var(--surface); }
/* A tooltip may reach beyond its card. */
.card:hover { position: relative; z-index: 1; }
.card .inputs { overflow: hidden; border-radius: 10px 10px 0 0; display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 2px; background: var(--line); }
.card .inputs img, .pairs img { display: block; width: 100%; height: auto; aspect-ratio: 1; object-fit: cover; }
.card img.spectrogram { object-fit: fill; }
.card figcaption { padding: 13px 16px 4px; }
.card figcaption b { display: block; font-weight: 620; }
.card figcaption .chip { margin: 3px 0; }
.card figcaption small { display: block; color: var(--soft); font-size: 12.5px; overflow-wrap: anywhere; }
.card .chart { margin: auto 16px 14px; padding-top: 6px; flex: none; }
.pairs { display: grid; grid-template-columns: 44px repeat(var(--count), minmax(0, 132px)); gap: 5px; align-items: center; padding: 8px 16px 16px; }
.pairs img { border-radius: 5px; }
.pairs span { font-size: 12px; color: var(--soft); }

details { margin-top: 16px; }
section > details:first-of-type:last-child { margin-top: 8px; }
summary { cursor: pointer; font-weight: 550; font-size: 14px; color: var(--accent); }
pre { margin: 14px 0 0; padding: 16px 18px; background: var(--cell); border-radius: 10px; overflow: auto; max-height: 640px; font-size: 12.5px; line-height: 1.5; }
footer { color: var(--soft); font-size: 13px; grid-column: 2; }

@media (max-width: 1020px) {
  .frame { display: block; padding: 0 20px 56px; }
  nav { display: flex; gap: 2px; margin: 0 -20px; padding: 8px 16px; overflow-x: auto; scrollbar-width: none; z-index: 5; background: color-mix(in srgb, var(--page) 88%, transparent); backdrop-filter: blur(10px); border-bottom: 1px solid var(--line); }
  nav a { border: 0; border-radius: 99px; padding: 4px 12px; font-weight: 500; white-space: nowrap; }
  /* The weight stays: a bolder link would move those after it. */
  nav a[aria-current="true"] { font-weight: 500; background: color-mix(in srgb, var(--accent) 14%, transparent); color: var(--accent); }
  header { padding-top: 28px; }
  section { scroll-margin-top: 60px; }
}
@media (max-width: 800px) { .beside { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) {
  tbody th.text { min-width: 160px; }
  .chart.matrix { min-height: calc(100vw - 80px); }
  .frame { padding: 0 12px 40px; }
  nav { margin: 0 -12px; padding: 8px 8px; }
  header { padding: 24px 4px 20px; }
  h1 { font-size: 25px; }
  section { padding: 18px 16px 18px; border-radius: 12px; margin-bottom: 18px; }
  .scroll { margin: 0 -16px; padding: 0 16px; }
  .figures { grid-template-columns: 1fr 1fr; gap: 18px; }
  .figure:first-child { grid-column: 1 / -1; }
  .figure b { font-size: 34px; }
  .figure:first-child b { font-size: 54px; }
  .controls .apart { margin-left: 0; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print {
  :root { color-scheme: light; --page: #fff; --line: #d5d5d5; }
  body { font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav, .controls .apart { display: none; }
  .frame { display: block; padding: 0; max-width: none; }
  header { padding-top: 0; }
  section { border: 0; padding: 0; margin-bottom: 24px; }
  .scroll { margin: 0; padding: 0; overflow: visible; }
  .chart, .card, tr, .figures { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  pre { max-height: none; white-space: pre-wrap; overflow-wrap: anywhere; }
}
`;
