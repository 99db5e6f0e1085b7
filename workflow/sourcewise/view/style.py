"""The style sheet: the report's colours and type, and what traces need beside."""

from sourcewise.report.style import CSS as REPORT

CSS = (
    REPORT
    + """
header { padding: 14px 0; }
header nav { margin: 0; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 14px; }
header nav span { margin-left: auto; overflow-wrap: anywhere; }
main { padding-top: 22px; padding-bottom: 30px; overflow-wrap: anywhere; }
.scroll { overflow-wrap: normal; }
footer .in { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
.broad main, .broad header .in, .broad footer .in { max-width: 1800px; }
.choices { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 8px; }
[aria-current] { font-weight: 700; }
h1 { font-size: 22px; margin: 10px 0 12px; }
h4 { font-size: 14.5px; margin: 0 0 6px; display: flex; flex-wrap: wrap; gap: 2px 10px; }
h4 a { color: inherit; text-decoration: none; }
h4 a:hover { text-decoration: underline; }
section { padding: 18px 0 6px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 12px; top: 8px; background: var(--card); padding: 6px 12px; z-index: 1; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
article:target { outline: 2px solid var(--accent); outline-offset: 6px; border-radius: 2px; }
form { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px 14px;
  align-items: end; margin: 0 0 14px; }
form .wide { grid-column: 1 / -1; max-width: none; }
label { font-size: 13.5px; color: var(--soft); display: block; }
input, select, button { display: block; width: 100%; font: inherit; color: var(--ink); margin-top: 3px;
  background: var(--card); border: 1px solid var(--plain); border-radius: 6px; padding: 7px 10px; }
button { background: var(--accent); color: var(--card); border-color: var(--accent); cursor: pointer; }
.results { list-style: none; padding: 0; margin: 0; }
.results > li { border-top: 1px solid var(--rule); padding: 12px 0 10px; overflow-wrap: anywhere; }
.meta { color: var(--soft); font-size: 13.5px; margin: 3px 0; max-width: none; overflow-wrap: anywhere; }
.marks { list-style: none; padding: 0; margin: 4px 0 0; display: flex; flex-wrap: wrap; gap: 3px 18px;
  font-size: 13.5px; }
.marks .name { font-weight: 600; }
.marks .yes { font-weight: 400; }
.yes, .fate.example { color: var(--good); }
.no, .fate.dropped, .fate.not_selected { color: var(--bad); }
.marks .name, .marks .none { color: var(--ink); }
.pages { display: flex; justify-content: space-between; font-size: 15px; margin: 0 0 4px; }
.label { color: var(--soft); font-size: 13px; margin: 6px 0 0; }
pre { unicode-bidi: isolate; max-height: 32em; font-size: 13px; }
.teachers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 18px;
  align-items: start; }
.broad .teachers { grid-template-columns: repeat(auto-fit, minmax(min(100%, 270px), 1fr)); }
.teacher { background: var(--card); border: 1px solid var(--rule); border-top: 4px solid var(--c);
  padding: 12px 16px; border-radius: 8px; min-width: 0; }
.teacher h3 { margin: 0 0 8px; }
.attempt { border-top: 1px solid var(--rule); padding: 12px 0 6px; scroll-margin-top: 12px; }
.state { font-weight: 600; }
.attempt dl { grid-template-columns: 6.2em minmax(0, 1fr); gap: 2px 10px; font-size: 13.5px; margin: 0 0 6px; }
.attempt dd { overflow-wrap: anywhere; }
.attempt .said { margin-top: 4px; }
td, tbody th { vertical-align: top; }
:root { --good: #1d6b53; --bad: #a8402c; }
@media (prefers-color-scheme: dark) { :root { --good: #5fd0b0; --bad: #f09a84; } }
@media (max-width: 620px) { .fates { min-width: 44em; }
  form { grid-template-columns: 1fr 1fr; } h1 { font-size: 20px; }
  footer .in { padding: 0 14px; } header nav span { margin-left: 0; } }
"""
)
