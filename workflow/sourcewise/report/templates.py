"""The HTML of the report. Kept in a module so that its import closure, which decides what makes the
report stale, holds the templates too."""

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ g.report.title }}</title>
<style>{{ css }}</style>
</head>
<body>
<header><div class="in">
<p class="kicker">{{ g.report.title }}</p>
<h1>{{ answer.headline }}</h1>
<ul>{% for sentence in answer.sentences %}<li>{{ sentence }}</li>{% endfor %}</ul>
<p class="see">Intervals are {{ level }}.{% for caveat in caveats %} {{ caveat }}{% endfor %}</p>
{% include "compared" %}
<nav aria-label="Sections"><a href="#scores">Scores</a><a href="#pairs">Pairs</a>
<a href="#teachers">Teachers</a>{% if g.agreements %}<a href="#published">Published verdicts</a>{% endif %}
{% if g.forecast %}<a href="#forecast">Forecast</a>{% endif %}
{% if costs %}<a href="#cost">Cost</a>{% endif %}
{% if g.audit %}<a href="#errors">Verifier error</a>{% endif %}
<a href="#rows">Where rows went</a><a href="#contamination">Contamination</a>
<a href="#datasets">Datasets</a><a href="#training">Training</a><a href="#methods">Methods</a>
<a href="#parameters">Parameters</a></nav>
</div></header>
<main>
{% for name in sections %}{% include name %}{% endfor %}
<footer>Made by Sourcewise from the tables under <code>data/</code>; numbers also in
<code>summary.json</code>.</footer>
</main>
</body>
</html>
"""

MACROS = """
{%- macro chip(cls) %}<span class="chip {{ cls }}"></span>{% endmacro -%}
{%- macro nothing() %}<p class="none">no data</p>{% endmacro -%}
{%- macro cards(figures) %}<div class="grid">{% for figure in figures %}<div class="card">
<h3>{{ figure.title }}</h3>{{ figure.drawing }}</div>{% endfor %}</div>{% endmacro -%}
{%- macro share(of) %}{% if of %}{{ "%.2f" | format(100 * of.value) }} %{% else %}–{% endif %}{% endmacro -%}
{%- macro hours(of) %}{% if of is none %}–{% elif of < 10 %}{{ "%.3f" | format(of) }}{% else %}
{{- "{:,.1f}".format(of) }}{% endif %}{% endmacro -%}
{%- macro rate(of) %}<td class="n">{{ share(of) }}<td class="n">
{%- if of %}{{ "%.2f to %.2f" | format(100 * of.low, 100 * of.high) }}{% else %}–{% endif %}{% endmacro -%}
"""

COMPARED = """{% from "macros" import chip %}
<details><summary>What was compared</summary>
<p>Models of the same base{{ base }}, trained with identical settings:</p>
<ul>{% for name, student in g.students.items() %}
<li>{{ chip(colours.students[name]) }}<b>{{ name }}</b>:
{% if student.dataset is none %}the base model as it is, untrained{% else %}
dataset {{ student.dataset }}, {{ sizes[student.dataset].examples | count }} examples
({{ sizes[student.dataset].tokens | count }} tokens)
from {{ g.datasets[student.dataset].teachers | listed }}
{%- if g.datasets[student.dataset].min_score is none %}, first attempts, unverified
{%- else %}, verified with score ≥ {{ g.datasets[student.dataset].min_score }}{% endif %}
{%- endif %}</li>{% endfor %}</ul></details>
"""

SCORES = """{% from "macros" import cards, chip, nothing %}
<section id="scores"><h2>Scores</h2>
<p class="see">A score is the share of samples with a fully correct answer. A lead is taken on the questions
that both students answered: a filled dot is a difference that the data decide after correction for all
{{ g.comparisons | length }} pairs, a hollow one is not.</p>
{% for panel in figures.benchmarks %}<h3>{{ panel.name }}<small>{{ panel.note }}</small></h3>
{% if panel.figures %}{{ cards(panel.figures) }}{% endif %}
{% else %}{{ nothing() }}{% endfor %}
{% if g.scores %}<div class="scroll"><table>
<tr><th>benchmark<th>student<th class="n">score<th class="n">{{ level }} interval
{% if reference %}<th class="n">above {{ reference }}{% endif %}
<th class="n">pass@k<th class="n">questions<th class="n">samples<th class="n">mean tokens
<th class="n">cut at limit<th class="n">not judged</tr>
{% for name, ranked in ranking.items() %}{% for s in ranked %}
<tr{% if s.student in leaders[name] %} class="lead"{% endif %}><td>{{ name if loop.first }}<td
class="w">{{ chip(colours.students[s.student]) }}{{ s.student }}
{% if s.interval %}<td class="n">{{ s.interval.value | percent }}
<td class="n">{{ span(s.interval.low, s.interval.high) }}
{% if reference %}<td class="n">{{ gains.get((s.benchmark, s.student), "–") }}{% endif %}
<td class="n">{{ s.best_of | percent }} (k {{ s.fewest }})<td class="n">{{ s.means | length | count }}
<td class="n">{{ s.n_samples | count }}
{% else %}<td class="n none" colspan="{{ 6 if reference else 5 }}">no data{% endif %}
<td class="n">{{ s.tokens | decimal }}
<td class="n">{{ s.truncated | percent }}
<td class="n">{{ s.unjudged | count }}</tr>{% endfor %}{% endfor %}
</table></div>{% endif %}</section>
"""

PAIRS = """{% from "macros" import chip, nothing %}
<section id="pairs"><h2>Every pair of students</h2>
<p class="see">Mean difference over shared questions, in percentage points. The verdict is “better” where
the
Holm-corrected p-value is below {{ "%g" | format(1 - g.report.confidence) }}; otherwise the students are not
distinguishable, and the table says how many more questions would show a difference of the size seen.
The last column is the smallest difference that these questions can show.</p>
{% if g.comparisons %}<details{% if g.comparisons | length <= 30 %} open{% endif %}>
<summary>{{ g.comparisons | length }} pairs</summary><div class="scroll"><table>
<tr><th>benchmark<th>higher<th>lower<th class="n">difference<th class="n">{{ level }} interval
<th class="n">p<th class="n">p, Holm<th>verdict<th class="n">questions<th class="n">can show</tr>
{% for c in g.comparisons %}<tr><td>{{ c.benchmark }}
<td class="w">{{ chip(colours.students[c.first]) }}{{ c.first }}
<td class="w">{{ chip(colours.students[c.second]) }}{{ c.second }}
<td class="n">{{ c.difference.value | points }}<td class="n">{{ span(c.difference.low, c.difference.high) }}
<td class="n">{{ c.difference.p | p_value }}<td class="n">{{ c.corrected | p_value }}
<td{% if c.better %} class="yes"{% endif %}>{{ c | word }}<td class="n">{{ c.difference.n | count }}
<td class="n">{{ "%.1f" | format(100 * c.detectable) if c.detectable else "–" }}</tr>
{% endfor %}</table></div></details>{% else %}{{ nothing() }}{% endif %}</section>
"""

TEACHERS = """{% from "macros" import cards, chip, nothing %}
<section id="teachers"><h2>Teachers</h2>
<p class="see">A response is accepted with a score of at least {{ g.distill.stop_score }}; each teacher
had up to
{{ g.distill.max_attempts }} attempt{{ "s" if g.distill.max_attempts != 1 }} at a query. Queries whose
answer the
verifier could not judge are left out of the shares and counted in the last column.</p>
{% if teachers %}<div class="scroll"><table>
<tr><th>teacher<th class="n">queries<th class="n">accepted at attempt 1<th class="n">{{ level }} interval
<th class="n">accepted at last<th class="n">attempts per success<th class="n">responses
<th class="n">cut at limit<th class="n">tokens per accepted<th class="n">not judged</tr>
{% for t in teachers %}<tr><td class="w">{{ chip(colours.teachers[t.name]) }}{{ t.name }}
<td class="n">{{ t.numbers.judged | length | count }}
{% if t.first %}<td class="n">{{ t.first.value | percent }}
<td class="n">{{ span(t.first.low, t.first.high) }}<td class="n">{{ t.last.value | percent }}
{% else %}<td class="n none" colspan="3">no data{% endif %}
<td class="n">{{ t.numbers.mean_attempts | decimal }}
<td class="n">{{ t.numbers.n_responses | count }}
<td class="n">{{ t.numbers.truncated | percent }}
<td class="n">{{ t.numbers.tokens_per_accepted | decimal }}
<td class="n">{{ t.numbers.n_unjudged | count }}</tr>{% endfor %}</table></div>
{% else %}{{ nothing() }}{% endif %}
<div class="grid"><div class="card"><h3>Accepted within so many attempts</h3>
{{ figures.acceptance or nothing() }}</div>
<div class="card"><h3>How first attempts ended</h3>
<div class="legend">{% for key in figures.legend %}
<span>{{ chip(key.cls) }}{{ key.label }}</span>{% endfor %}</div>
{{ figures.outcomes or nothing() }}</div></div>
{% if by_category %}<details><summary>Acceptance at attempt 1 by category</summary><div
class="scroll"><table>
<tr><th>category<th>teacher<th class="n">queries<th class="n">accepted<th class="n">{{ level }}
interval</tr>
{% for category, teacher, interval in by_category %}<tr><td>{{ category }}
<td class="w">{{ chip(colours.teachers[teacher]) }}{{ teacher }}<td class="n">{{ interval.n | count }}
<td class="n">{{ interval.value | percent }}<td class="n">{{ span(interval.low, interval.high) }}</tr>
{% endfor %}</table></div></details>{% endif %}
<h3>Length of accepted responses, in tokens</h3>
<p class="see">One panel per category, so that like is compared with like. The bar below each shape spans
the
middle half, the dot is the median; the axis is logarithmic.</p>
{% if figures.lengths %}{{ cards(figures.lengths) }}{% else %}{{ nothing() }}{% endif %}
<h3>Perplexity of accepted responses</h3>
<p class="see">How surprising a response is to the scorer, given its query. Lower reads as easier to
learn, or as
closer to what the scorer already knows.</p>
{% if figures.perplexities %}{{ cards(figures.perplexities) }}{% else %}{{ nothing() }}{% endif %}
</section>
"""
