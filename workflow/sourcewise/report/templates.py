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
{% if g.report.experiments %}<a href="#experiments">Experiments</a>{% endif %}
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
{%- macro drawing(figure) %}<div class="drawing" tabindex="0" role="group"
aria-label="{{ figure.title }}">{{ figure.drawing }}</div>{% endmacro -%}
{%- macro words(text, label) %}<pre tabindex="0" role="region" aria-label="{{ label }}">
{{- text | cut }}</pre>{% endmacro -%}
{%- macro scroll(label) %}<div class="scroll" tabindex="0" role="region" aria-label="{{ label }}">
{%- endmacro -%}
{%- macro caption(figure) %}<figcaption>{{ figure.see }} <a href="figures/{{ figure.sheet }}.csv"
aria-label="CSV of {{ figure.title }}">CSV</a></figcaption>{% endmacro -%}
{%- macro card(figure, more="", heading=true) %}<figure class="card{{ more }}">{% if heading %}
<h3>{{ figure.title }}</h3>{% endif %}{{ drawing(figure) }}{{ caption(figure) }}</figure>{% endmacro -%}
{%- macro cards(figures, more="") %}<div class="grid">{% for figure in figures %}
{{- card(figure, more) }}{% endfor %}</div>{% endmacro -%}
{%- macro share(of) %}{% if of %}{{ "%.2f" | format(100 * of.value) }} %{% else %}–{% endif %}{% endmacro -%}
{%- macro hours(of) %}{% if of is none %}–{% elif not of %}0{% elif of < 10 %}{{ "%.3f" | format(of) }}
{%- else %}{{ ("{:,.1f}" if of < 1000 else "{:,.0f}").format(of) }}{% endif %}{% endmacro -%}
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

SCORES = """{% from "macros" import cards, chip, nothing, scroll %}
<section id="scores"><h2>Scores</h2>
<p class="see">A score is the share of samples with a fully correct answer. A lead is taken on the questions
that both students answered: a filled dot is a difference that the data decide after correction for all
{{ g.comparisons | length }} pairs, a hollow one is not.</p>
{% for panel in figures.benchmarks %}<h3>{{ panel.name }}<small>{{ panel.note }}</small></h3>
{% if panel.figures %}{{ cards(panel.figures) }}{% endif %}
{% else %}{{ nothing() }}{% endfor %}
{% if g.scores %}{{ scroll("Scores") }}<table>
<tr><th>benchmark<th>student<th class="n">score<th class="n">{{ level }} interval
{% if reference %}<th class="n">above {{ reference }}{% endif %}
<th class="n">pass@k<th class="n">{{ level }} interval<th class="n">questions<th class="n">samples
<th class="n">mean tokens<th class="n">cut at limit<th class="n">loops<th class="n">not judged</tr>
{% for name, ranked in ranking.items() %}{% for s in ranked %}
<tr{% if s.student in leaders[name] %} class="lead"{% endif %}><td>{{ name if loop.first }}<td
class="w">{{ chip(colours.students[s.student]) }}{{ s.student }}
{% if s.interval %}<td class="n">{{ s.interval.value | percent }}
<td class="n">{{ span(s.interval.low, s.interval.high) }}
{% if reference %}<td class="n">{{ gains.get((s.benchmark, s.student), "–") }}{% endif %}
{% if s.best_of %}<td class="n">{{ s.best_of.value | percent }} (k {{ s.fewest }})
<td class="n">{{ span(s.best_of.low, s.best_of.high) }}{% else %}<td class="n">–<td class="n">–{% endif %}
<td class="n">{{ s.means | length | count }}
<td class="n">{{ s.n_samples | count }}
{% else %}<td class="n none" colspan="{{ 7 if reference else 6 }}">no data{% endif %}
<td class="n">{{ s.tokens | decimal }}
<td class="n">{{ s.truncated | percent }}
<td class="n">{{ s.looping | percent }}
<td class="n">{{ s.unjudged | count }}</tr>{% endfor %}{% endfor %}
</table></div>
<p class="see">A sample that repeats a phrase more than 20 times loops; it may be cut at the limit as
well.</p>{% endif %}{% include "apart" %}</section>
"""

APART = """{% from "macros" import chip, scroll %}{% if g.subsets %}
<h3>Without questions in doubt</h3>
<p class="see">Known errors are questions of the list of errata; suspected of contamination are those that a
training query matched or a teacher's response recited. Such queries and responses were taken out, but others
less alike may be left. All numbers are computed anew without these questions.</p>
{{ scroll("Scores without questions in doubt") }}
<table><tr><th>benchmark<th>without<th class="n">questions<th>student
<th class="n">score<th class="n">{{ level }} interval<th class="n">of all questions</tr>
{% for subset in g.subsets %}{% for s in subset.scores %}
<tr><td>{{ subset.benchmark if loop.first }}<td>{{ subset.why if loop.first }}
<td class="n">{{ subset.dropped | count if loop.first }}
<td class="w">{{ chip(colours.students[s.student]) }}{{ s.student }}
{% if s.interval %}<td class="n">{{ s.interval.value | percent }}
<td class="n">{{ span(s.interval.low, s.interval.high) }}
{% else %}<td class="n none" colspan="2">no data{% endif %}
<td class="n">{{ whole.get((subset.benchmark, s.student)) | percent }}</tr>{% endfor %}{% endfor %}
</table></div>
<ul>{% for subset in g.subsets %}{% for pair, now in changed(subset, g.comparisons) %}
<li>{{ subset.benchmark }} without {{ subset.why }}: {{ pair.first }} over {{ pair.second }} was
“{{ pair | word }}”; it is {% if now %}{{ now.first }} over {{ now.second }},
“{{ now | word }}”{% else %}no data{% endif %}.</li>
{% else %}<li>{{ subset.benchmark }} without {{ subset.why }}: no verdict changes.</li>
{% endfor %}{% endfor %}</ul>{% endif %}
"""

PAIRS = """{% from "macros" import chip, nothing, scroll %}
<section id="pairs"><h2>Every pair of students</h2>
<p class="see">Mean difference over shared questions, in percentage points. The verdict is “better” where
the
Holm-corrected p-value is below {{ "%g" | format(1 - g.report.confidence) }}; otherwise the students are not
distinguishable, and the table says how many more questions would show a difference of the size seen, and
whether more samples of the same questions would: these shrink chance within questions, not between them.
The last column is the smallest difference that these questions can show.</p>
{% if g.comparisons %}<details{% if g.comparisons | length <= 30 %} open{% endif %}>
<summary>{{ g.comparisons | length }} pairs</summary>{{ scroll("Pairs") }}<table>
<tr><th>benchmark<th>higher<th>lower<th class="n">difference<th class="n">{{ level }} interval
<th class="n">p<th class="n">p, Holm<th>verdict<th class="n">questions<th class="n">can show</tr>
{% for c in g.comparisons %}<tr><td>{{ c.benchmark }}
<td class="w">{{ chip(colours.students[c.first]) }}{{ c.first }}
<td class="w">{{ chip(colours.students[c.second]) }}{{ c.second }}
<td class="n">{{ c.difference.value | points }}<td class="n">{{ span(c.difference.low, c.difference.high) }}
<td class="n">{{ c.difference.p | p_value }}<td class="n">{{ c.corrected | p_value }}
<td class="v{% if c.better %} yes{% endif %}">{{ c | word }}<td class="n">{{ c.difference.n | count }}
<td class="n">{{ "%.1f" | format(100 * c.detectable) if c.detectable else "–" }}</tr>
{% endfor %}</table></div></details>{% else %}{{ nothing() }}{% endif %}
{% if power %}<h3>What these benchmarks can tell</h3>
<p class="see">The chance that a true lead is called better, and the smallest lead that is in 80&nbsp;% of
tries, at the strictest level of the correction and by the pair that differs most from question to
question.</p>
{{ scroll("Power") }}<table><tr><th>benchmark<th class="n">questions<th class="n">samples of each
{% for lead in leads %}<th class="n">{{ "%g" | format(100 * lead) }} points{% endfor %}
<th class="n">smallest lead<th class="n">with 4 times the samples<th class="n">with 4 times the questions</tr>
{% for p in power %}<tr><td>{{ p.benchmark }}<td class="n">{{ p.questions | count }}
<td class="n">{{ p.samples | count }}{% for chance in p.chances %}<td
class="n">{{ chance | percent }}{% endfor %}
<td class="n">{{ "%.1f" | format(100 * p.now) }}
<td class="n">{% if p.more_samples is none %}–{% else %}{{ "%.1f" | format(100 * p.more_samples) }}{% endif %}
<td class="n">{{ "%.1f" | format(100 * p.more_questions) }}</tr>{% endfor %}</table></div>{% endif %}</section>
"""

TEACHERS = """{% from "macros" import caption, card, cards, chip, drawing, nothing, scroll %}
<section id="teachers"><h2>Teachers</h2>
<p class="see">A response is accepted with a score of at least {{ g.distill.stop_score }}; each teacher
had up to
{{ g.distill.max_attempts }} attempt{{ "s" if g.distill.max_attempts != 1 }} at a query. Queries whose
answer the
verifier could not judge are left out of the shares and counted in the last column.</p>
{% if teachers %}{{ scroll("Teachers") }}<table>
<tr><th>teacher<th class="n">queries<th class="n">accepted at attempt 1<th class="n">{{ level }} interval
<th class="n">accepted at last<th class="n">attempts per success<th class="n">responses
<th class="n">cut at limit<th class="n">tokens per accepted<th class="n">not judged</tr>
{% for t in teachers %}<tr><td class="w">{{ chip(colours.teachers[t.name]) }}{{ t.name }}
<td class="n">{{ t.numbers.n_judged | count }}
{% if t.first %}<td class="n">{{ t.first.value | percent }}
<td class="n">{{ span(t.first.low, t.first.high) }}<td class="n">{{ t.last.value | percent }}
{% else %}<td class="n none" colspan="3">no data{% endif %}
<td class="n">{{ t.numbers.mean_attempts | decimal }}
<td class="n">{{ t.numbers.n_responses | count }}
<td class="n">{{ t.numbers.truncated | percent }}
<td class="n">{{ t.numbers.tokens_per_accepted | decimal }}
<td class="n">{{ t.numbers.n_unjudged | count }}</tr>{% endfor %}</table></div>
{% else %}{{ nothing() }}{% endif %}
<div class="grid">
{% if figures.acceptance %}{{ card(figures.acceptance) }}{% else %}{{ nothing() }}{% endif %}
{% if figures.outcomes %}<figure class="card"><h3>{{ figures.outcomes.title }}</h3>
<div class="legend">{% for key in figures.legend %}
<span>{{ chip(key.cls) }}{{ key.label }}</span>{% endfor %}</div>
{{ drawing(figures.outcomes) }}{{ caption(figures.outcomes) }}</figure>
{% else %}{{ nothing() }}{% endif %}</div>
{% if by_category %}<details><summary>Acceptance at attempt 1 by category</summary>
{{ scroll("Acceptance by category") }}<table>
<tr><th>category<th>teacher<th class="n">queries<th class="n">accepted<th class="n">{{ level }}
interval</tr>
{% for category, teacher, interval in by_category %}<tr><td>{{ category }}
<td class="w">{{ chip(colours.teachers[teacher]) }}{{ teacher }}<td class="n">{{ interval.n | count }}
<td class="n">{{ interval.value | percent }}<td class="n">{{ span(interval.low, interval.high) }}</tr>
{% endfor %}</table></div></details>{% endif %}
{% if g.teacher_pairs %}<h3>Every pair of teachers, first attempts</h3>
<p class="see">The same queries, so paired: how much more often the first teacher’s answer is accepted, in
points. “Better” is more often accepted, decided as for students, with Holm’s correction over these
{{ g.teacher_pairs | length }} pair{{ "s" if g.teacher_pairs | length != 1 }}; it does not say that a student
learns more from it. <a href="figures/teacher_pairs.csv" aria-label="CSV of pairs of teachers">CSV</a></p>
{{ scroll("Pairs of teachers") }}<table><tr><th>higher<th>lower<th class="n">difference
<th class="n">{{ level }} interval<th class="n">only the higher<th class="n">only the lower<th class="n">queries
<th class="n">p, Holm<th>verdict</tr>
{% for p in g.teacher_pairs %}<tr><td class="w">{{ chip(colours.teachers[p.first]) }}{{ p.first }}
<td class="w">{{ chip(colours.teachers[p.second]) }}{{ p.second }}
<td class="n">{{ p.difference.value | points }}
<td class="n">{{ span(p.difference.low, p.difference.high) }}<td class="n">{{ p.only_first | count }}
<td class="n">{{ p.only_second | count }}<td class="n">{{ p.difference.n | count }}
<td class="n">{{ p.corrected | p_value }}
<td{% if p.better %} class="yes"{% endif %}>{{ p.word }}</tr>{% endfor %}</table></div>{% endif %}
<h3>Length of accepted responses, in tokens</h3>
<p class="see">One panel per category, so that like is compared with like. The bar below each shape spans
the
middle half, the dot is the median; the axis is logarithmic.</p>
{% if figures.lengths %}{{ cards(figures.lengths) }}{% else %}{{ nothing() }}{% endif %}
{% if figures.spans %}<h3>The same in the paper’s spans</h3>
<p class="see">Figure 3 of arXiv 2505.14464 is of mathematics only; other categories are drawn alike.</p>
{% for figure in figures.spans %}{{ card(figure, " wide") }}{% endfor %}{% endif %}
<h3>Perplexity of accepted responses</h3>
<p class="see">How surprising a response is to the scorer, given its query. Lower reads as easier to
learn, or as
closer to what the scorer already knows.</p>
{% if figures.perplexities %}{{ cards(figures.perplexities) }}{% else %}{{ nothing() }}{% endif %}
{% if figures.difficulty %}<h3>By difficulty</h3>
<p class="see">A query is as difficult for a teacher as the other teachers’ attempts at it say: the share
that failed, retries included. Its own attempts do not count, so no teacher is measured by its own failures.
{%- if g.teachers | length == 2 %} With two teachers each is the other’s measure.{% endif %}</p>
{{ cards(figures.difficulty) }}{% endif %}
{% if figures.diversity %}<h3>Diversity of words</h3>
<p class="see">Accepted responses to the same queries, in the same order, as many words of each teacher as the
tersest one wrote: both measures depend on the size of the text.</p>
{{ cards(figures.diversity) }}{% endif %}
</section>
"""
