"""The style sheet: one column of text, colours for ten sources, light and dark by the reader's system."""

CSS = """
:root { color-scheme: light dark;
  --paper: #fcfcfa; --card: #ffffff; --ink: #1c2126; --soft: #5a646e; --rule: #e2e4e1; --wash: #f1f3f1;
  --accent: #0b5a7a; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #c2599a; --c4: #d99500;
  --c5: #3fa3d9; --c6: #7b4fa3; --c7: #8a6d3b; --c8: #a83246; --c9: #5f7a1f; --plain: #7d8590;
  --s0: #2f7f6d; --s1: #c3c9ce; --s2: #96a0a9; --s3: #dba741; --s4: #b0523f; --s5: #9585c4; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14181b; --card: #1b2024; --ink: #e7eaec; --soft: #a2abb3; --rule: #30373d; --wash: #242a2f;
  --accent: #7cc4e4; --c0: #4ba3dd; --c1: #f08a4b; --c2: #35c79d; --c3: #e08cc0; --c4: #edb84a;
  --c5: #8fd0f5; --c6: #b592db; --c7: #c2a26c; --c8: #e07a8a; --c9: #a3c05a; --plain: #9aa3ac;
  --s0: #3f9d88; --s1: #59636b; --s2: #7c8791; --s3: #c9983b; --s4: #c06a57; --s5: #a395d0; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans",
sans-serif; }
main, header .in { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
header { border-bottom: 1px solid var(--rule); background: var(--card); padding: 40px 0 28px; }
header .kicker { color: var(--soft); font-size: 14px; letter-spacing: .02em; margin: 0 0 12px; }
h1 { font-size: 28px; line-height: 1.35; font-weight: 500; margin: 0 0 22px; max-width: 34em;
  text-wrap: pretty; }
h1 b { font-weight: 700; color: var(--accent); }
header ul { margin: 0 0 8px; padding-left: 1.1em; max-width: 62em; }
header li { margin: 5px 0; }
nav { margin-top: 22px; font-size: 14px; display: flex; flex-wrap: wrap; gap: 4px 18px; }
a { color: var(--accent); }
nav a { text-decoration: none; }
nav a:hover, nav a:focus { text-decoration: underline; }
section { padding: 34px 0 6px; }
h2 { font-size: 22px; margin: 0 0 6px; letter-spacing: -.005em; }
h3 { font-size: 16px; margin: 22px 0 6px; }
h3 small { font-weight: 400; color: var(--soft); margin-left: 8px; font-size: 14px; }
p { max-width: 50em; margin: 6px 0 12px; }
.see { color: var(--soft); font-size: 15px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr));
  gap: 18px; margin: 10px 0 18px; align-items: start; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 14px 16px 10px; min-width: 0; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.card h3 { margin: 0 0 8px; font-size: 15px; }
figure { margin: 0; }
figcaption { color: var(--soft); font-size: 13.5px; margin-top: 8px; }
.drawing { overflow-x: auto; }
.drawing svg { display: block; max-width: 100%; height: auto; }
.wide { max-width: 800px; }
.scroll { overflow-x: auto; margin: 8px 0 18px; }
table { border-collapse: collapse; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; vertical-align: bottom; }
th, td { padding: 6px 16px 6px 0; border-bottom: 1px solid var(--rule); }
td.n, th.n { text-align: right; } td.n { white-space: nowrap; }
td.w { white-space: nowrap; }
td.v { min-width: 13em; }
tr.lead td { font-weight: 600; }
tr.head th { padding-top: 16px; color: var(--ink); font-size: 14.5px; }
.none { color: var(--soft); font-style: italic; }
.chip { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px;
  background: var(--c, var(--plain)); }
.legend { font-size: 13.5px; color: var(--soft); display: flex; flex-wrap: wrap; gap: 2px 16px;
  margin: 0 0 8px; }
.yes { font-weight: 600; color: var(--accent); }
details { margin: 8px 0 14px; }
summary { cursor: pointer; color: var(--accent); font-size: 15px; padding: 3px 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 6px
22px;
  border-top: 1px solid var(--rule); padding: 10px 0; font-size: 14px; }
.pair .meta { grid-column: 1 / -1; color: var(--soft); font-size: 13.5px; }
.pair .label { color: var(--soft); font-size: 12.5px; margin: 4px 0 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--wash); border-radius: 6px;
  padding: 8px 10px; margin: 2px 0 6px; font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", monospace;
  max-height: 22em; overflow-y: auto; }
code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; }
dl { display: grid; grid-template-columns: minmax(9em, 15em) 1fr; gap: 6px 18px; font-size: 15px;
max-width: 62em; }
dt { color: var(--soft); } dd { margin: 0; }
footer { color: var(--soft); font-size: 13.5px; padding: 20px 0 50px; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
.c8 { --c: var(--c8); } .c9 { --c: var(--c9); } .plain { --c: var(--plain); }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); }
svg text { fill: var(--ink); font-size: 13px; font-family: inherit; }
svg .tick { fill: var(--soft); font-size: 12px; }
svg .note { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .why { fill: var(--soft); }
svg .name { font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .zero { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 3 3; }
svg .whisker { stroke: var(--c); stroke-width: 3; stroke-linecap: round; opacity: .55; }
svg .dot { fill: var(--c); stroke: var(--card); stroke-width: 1.5; }
svg .dot.hollow { fill: var(--card); stroke: var(--c); stroke-width: 2.2; }
svg .ridge { fill: var(--c); fill-opacity: .28; stroke: var(--c); stroke-width: 1.2; }
svg .line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
svg .end { fill: var(--c); font-weight: 600; }
svg .part { fill: var(--c); }
svg .inside { fill: #fff; font-size: 12px; font-weight: 600; }
svg .inside.s1 { fill: var(--ink); font-weight: 400; }
svg .mark { stroke: var(--ink); stroke-width: 2; }
svg .mark.thin { stroke-width: 1; }
svg .kept { fill: var(--accent); opacity: .75; }
svg .removed { fill: var(--s4); opacity: .8; }
@media (max-width: 620px) { h1 { font-size: 21px; } main, header .in { padding: 0 14px; }
  .card { padding: 12px 10px 8px; } .drawing svg { max-width: none; width: 430px; }
  .wide .drawing svg { width: 600px; } }
@media print { nav { display: none; } .card { break-inside: avoid; } }
"""
