"""The HTML of the report's second half: where rows went, evidence to read, training, methods."""

EXPERIMENTS = """{% from "macros" import cards, chip, scroll %}{% if experiments %}
<section id="experiments"><h2>Experiments</h2>
<p class="see">Each asks one question with students that differ from a baseline in what is asked for; what
differs is read off the parameters. Verdicts are corrected for the pairs of that experiment alone (Holm).</p>
{% for e, drawn in experiments %}<h3 id="experiment-{{ e.name }}">{{ e.of.question }}
<small>{{ e.name | words }}</small></h3>
{{ scroll("Arms of " ~ e.name) }}<table><tr><th>arm<th>differs in<th class="n">examples<th
class="n">tokens</tr>
{% for a in e.arms %}<tr><td class="w">{{ chip(colours.students[a.name]) }}{{ a.name }}
<td>{% if a.name == e.of.baseline %}the baseline{% else %}
{{- a.differs | join("; ") or "nothing but its name" }}{% endif %}
<td class="n">{{ a.examples | value }}<td class="n">{{ a.tokens | value }}</tr>{% endfor %}</table></div>
{% if drawn %}{{ cards(drawn) }}
{{ scroll("Results of " ~ e.name) }}<table><tr><th>benchmark<th>arm<th class="n">above {{ e.of.baseline }}
<th class="n">{{ level }} interval<th class="n">p<th class="n">p, Holm<th>verdict<th class="n">questions</tr>
{% for o in e.effects %}<tr><td>{{ o.benchmark }}
<td class="w">{{ chip(colours.students[o.arm]) }}{{ o.arm }}<td class="n">{{ o.value | points }}
<td class="n">{{ span(*o.ends) }}<td class="n">{{ o.pair.difference.p | p_value }}
<td class="n">{{ o.pair.corrected | p_value }}<td{% if o.pair.better %} class="yes"{% endif %}>
{%- if o.pair.better %}{{ o.word }}{% else %}{{ o.pair | word }}{% endif %}
<td class="n">{{ o.pair.difference.n | count }}</tr>{% endfor %}</table></div>{% endif %}
{% if e.missing %}<p class="none">Not compared, as they share no judged question with
{{ e.of.baseline }}: {{ e.missing | listed }}.</p>{% endif %}
{% endfor %}</section>{% endif %}
"""

PUBLISHED = """{% from "macros" import chip, nothing, scroll, words %}{% if g.agreements %}
<section id="published"><h2>Published verdicts</h2>
<p class="see">These teachers' responses came with somebody else's verdict. Ours counts as correct with
the full
score. Every response on which the two differ is listed, to be judged by reading.</p>
{{ scroll("Published verdicts") }}<table><tr><th>teacher<th class="n">agree<th class="n">{{ level }} interval
<th class="n">compared<th class="n">differ<th class="n">not judged by us<th class="n">not verified by us
<th class="n">published</tr>
{% for a in agreements %}<tr><td class="w">{{ chip(colours.teachers[a.of.teacher]) }}{{ a.of.teacher }}
{% if a.share %}<td class="n">{{ "%.2f" | format(100 * a.share.value) }} %
<td class="n">{{ "%.2f to %.2f" | format(100 * a.share.low, 100 * a.share.high) }}
{% else %}<td class="n none" colspan="2">no data{% endif %}
<td class="n">{{ a.of.compared | count }}<td class="n">{{ a.of.differing | length | count }}
<td class="n">{{ a.of.unjudged | count }}<td class="n">{{ a.of.absent | count }}
<td class="n">{{ a.of.n_published | count }}</tr>{% endfor %}</table></div>
<p class="see">“Not verified by us” are responses to queries that cleaning or decontamination removed.</p>
{% for a in agreements if a.of.differing %}
<details{% if a.of.differing | length <= 5 %} open{% endif %}><summary>{{ a.of.teacher }}:
{{ a.of.differing | length | count }} disagreement{{ "s" if a.of.differing | length != 1 }}
{%- if a.of.differing | length > a.of.disagreements | length %}, the first
{{ a.of.disagreements | length }} listed{% endif %}</summary>
{% for d in a.of.disagreements %}<div class="pair">
<div class="meta">published: <b>{{ "correct" if d.published else "wrong" }}</b> · ours:
<b>{{ "correct" if not d.published else "wrong" }}</b> ({{ d.verdict.status | words }}
{%- if d.verdict.score is not none %}, score {{ "%.3g" | format(d.verdict.score) }}{% endif %}) ·
{{ d.verdict.verifier }} {{ d.verdict.verifier_version }}: {{ d.verdict.detail }} ·
<code>{{ d.verdict.query_id }}</code>, attempt {{ d.verdict.attempt }}</div>
<div><p class="label">query</p>{{ words(d.query, "Query") }}
<p class="label">reference</p>{{ words(d.reference, "Reference") }}</div>
<div><p class="label">response</p>{{ words(d.response, "Response") }}</div></div>{% endfor %}</details>
{% endfor %}</section>{% endif %}
"""

FORECAST = """{% from "macros" import chip, hours, nothing, scroll %}{% if g.forecast %}
<section id="forecast"><h2>Forecast against actual</h2>
<p class="see">What a pilot foretold before the run, and what the run took. An interval is made to hold the
actual number in {{ "%g" | format(100 * g.forecast.level) }} of 100 forecasts, as long as the run is the one
that was forecast. Made {{ g.forecast.created[:10] }}, at most {{ g.forecast.pilot | count }} queries of a
category.</p>
{% if forecasts %}{{ scroll("Forecast against actual") }}<table><tr><th>teacher<th class="n">pilot<th>quantity
<th class="n">forecast<th class="n">{{ "%g" | format(100 * g.forecast.level) }} % interval
<th class="n">actual<th>actual is</tr>
{% for f in forecasts %}{% for o in f.outcomes %}<tr>
<td class="w">{% if loop.first %}{{ chip(colours.teachers[f.teacher]) }}{{ f.teacher }}{% endif %}
<td class="n">{% if loop.first %}{{ f.pilot | count }}{% endif %}<td>{{ o.name }}
<td class="n">{{ o.forecast.value | count }}
<td class="n">{{ o.forecast.low | count }} to {{ o.forecast.high | count }}
<td class="n">{{ o.actual | count }}
<td>{% if o.is_inside %}inside{% else %}<b>outside</b>{% endif %}</tr>{% endfor %}
{% if f.reasons %}<tr><td><td><td colspan="5">Not this run’s forecast:
{{ f.reasons | join("; ") }}.</tr>{% endif %}
{% endfor %}</table></div><p class="see"><a href="figures/forecast.csv">CSV of the forecast</a></p>
{% else %}{{ nothing() }}{% endif %}</section>{% endif %}
{% if costs %}<section id="cost"><h2>Cost</h2>
<p class="see">What the jobs of each stage took, by
{% if g.forecast.actual.source == "slurm" %}Slurm’s accounts, failed attempts included{% else %}the last
finished run of each job{% endif %}, collected {{ g.forecast.actual.created[:10] }}, beside the forecast. The
GPU-seconds of a row are those of one accepted response, over all teachers.</p>
{{ scroll("Cost of each stage") }}<table><tr><th>stage<th class="n">GPU-hours<th class="n">forecast
<th class="n">{{ "%g" | format(100 * g.forecast.level) }} % interval<th>actual is<th class="n">GPU-s a row
<th class="n">jobs<th class="n">failed<th class="n">hours<th class="n">core-hours</tr>
{% for c in costs %}<tr><td class="w">{{ c.stage }}<td class="n">{{ hours(c.actual.gpu_hours) }}
<td class="n">{% if c.forecast %}{% if c.at_most %}at most {% endif %}{{ hours(c.forecast.value) }}
<td class="n">{{ hours(c.forecast.low) }} to {{ hours(c.forecast.high) }}{% else %}–<td class="n">–{% endif %}
<td>{% if c.is_inside is none %}–{% elif c.is_inside %}inside{% else %}<b>outside</b>{% endif %}
<td class="n">{% if c.per_row is none %}–{% elif c.per_row < 100 %}{{ "%.3g" | format(c.per_row) }}
{%- else %}{{ "{:,.0f}".format(c.per_row) }}{% endif %}
<td class="n">{{ c.actual.jobs | count }}<td class="n">{{ c.actual.failed | count }}
<td class="n">{{ hours(c.actual.hours) }}<td class="n">{{ hours(c.actual.cpu_hours) }}</tr>{% endfor %}
</table></div></section>{% endif %}
"""

ERRORS = """{% from "macros" import rate, scroll, share %}{% if g.audit %}
<section id="errors"><h2>Verifier error</h2>
<p class="see">How often each verifier takes a wrong answer for right, and a right one for wrong, counted on
answers whose truth is known; right is a score of at least {{ g.audit.min_score }}
{%- if g.audit.min_score != g.distill.stop_score %}, while the loop here stops at
{{ g.distill.stop_score }}{% endif %}. Retrying amplifies the first: a query that a teacher never solves is
accepted within {{ g.distill.max_attempts }} attempt{{ "s" if g.distill.max_attempts != 1 }} with the chance
under “unsolved, accepted”. “Wrong rows, at most” is the largest share of wrong rows among accepted ones that
fits what was accepted here at attempt 1. Intervals are exact.</p>
{{ scroll("Verifier error") }}<table><tr><th>verifier<th>labelled set<th class="n">wrong answers
<th class="n">falsely accepted<th class="n">{{ level }} interval<th class="n">right answers
<th class="n">falsely rejected<th class="n">not judged<th class="n">unsolved, accepted
<th class="n">wrong rows, at most<th class="n">{{ level }} interval</tr>
{% for e in errors %}<tr><td class="w">{{ e.of.verifier }} {{ e.of.version }}<td>{{ e.of.set }}
<td class="n">{{ e.of.wrong | count }}{{ rate(e.accept) }}
<td class="n">{{ e.of.right | count }}<td class="n">{{ share(e.reject) }}
<td class="n">{{ e.of.unjudged | count }}<td class="n">{{ share(e.unsolved) }}{{ rate(e.share) }}</tr>
{% endfor %}</table></div>
{% if corrected %}<h3>Scores without these errors</h3>
<p class="see">What the scores would be if the verifier erred at benchmarks as in its labelled sets, all sets of
it together (Rogan and Gladen 1978); the interval holds the doubt in both rates. A verdict survives if the
leader would still lead though the verifier erred in its favour, and against the other, as far as the
intervals of both rates allow.</p>
{{ scroll("Scores without verifier errors") }}
<table><tr><th>benchmark<th>student<th class="n">score<th class="n">without errors
<th class="n">{{ level }} interval</tr>
{% for c in corrected %}<tr><td>{{ c.score.benchmark }}
<td class="w">{{ c.score.student }}<td class="n">{{ share(c.score.interval) }}{{ rate(c.corrected) }}</tr>
{% endfor %}</table></div>
{% if corrected_pairs %}{{ scroll("Verdicts without verifier errors") }}
<table><tr><th>benchmark<th>higher<th>lower
<th class="n">difference<th class="n">without errors<th class="n">least<th>verdict<th>survives</tr>
{% for c in corrected_pairs %}<tr><td>{{ c.pair.benchmark }}<td class="w">{{ c.pair.first }}
<td class="w">{{ c.pair.second }}<td class="n">{{ c.pair.difference.value | points }}
<td class="n">{{ c.alike | points }}<td class="n">{{ c.least | points }}<td>{{ c.pair.verdict.word }}
<td>{{ c.survives | value }}</tr>{% endfor %}</table></div>{% endif %}{% endif %}</section>{% endif %}
"""

ROWS = """{% from "macros" import cards %}
<section id="rows"><h2>Where rows went</h2>
<p class="see">Every row that went no further, by the step and reason that stopped it. Blue bars are rows
that
are left, red ones rows removed; nothing is dropped without a reason.</p>
{{ cards(figures.waterfalls) }}</section>
"""

CONTAMINATION = """{% from "macros" import nothing, scroll, words %}
<section id="contamination"><h2>Decontamination</h2>
<p class="see">Training queries that match an item of a benchmark were removed before any teacher was
asked.</p>
{% if g.evidence.layers %}
{{ scroll("Contaminated queries") }}<table><tr><th>source<th>benchmark<th>layer
<th class="n">queries removed<th class="n">highest score</tr>
{% for l in g.evidence.layers %}<tr><td>{{ l.source }}<td>{{ l.benchmark }}<td>{{ l.layer }}<td
class="n">{{ l.n | count }}
<td class="n">{{ "%.3f" | format(l.closest) }}</tr>{% endfor %}</table></div>
<details><summary>Read the pairs
{%- if g.evidence.n_pairs > g.evidence.closest | length %}:
{{ g.evidence.closest | length }} of {{ g.evidence.n_pairs | count }},
lowest scores first{% endif %}</summary>
{% for e in g.evidence.closest %}<div class="pair">
<div class="meta">{{ e.source }} · {{ e.layer }} · score {{ "%.3f" | format(e.score) }}</div>
<div><p class="label">training query</p>{{ words(e.query_text, "Training query") }}</div>
<div><p class="label">{{ e.benchmark }}</p>{{ words(e.item_text, "Item of " ~ e.benchmark) }}</div></div>
{% endfor %}</details>
{% else %}<p class="none">no query matched a benchmark item</p>{% endif %}</section>
"""

DATASETS = """{% from "macros" import chip, nothing, scroll %}
<section id="datasets"><h2>Datasets</h2>
{% if g.sizes %}{{ scroll("Datasets") }}<table><tr><th>dataset<th>teachers<th class="n">min score<th>filters
<th class="n">examples<th class="n">tokens<th class="n">mean tokens<th class="n">from attempt 1
<th class="n">mean perplexity<th>categories</tr>
{% for d in g.sizes %}{% set of = g.datasets[d.name] %}
<tr><td class="w">{{ chip(colours.datasets[d.name]) }}{{ d.name }}<td>{{ of.teachers | join(", ") }}
<td class="n">{% if of.min_score is none %}unverified{% else %}{{ of.min_score }}{% endif %}
<td>{{ of.filters | join(", ") or "none" }}<td class="n">{{ d.examples | count }}<td
class="n">{{ d.tokens | count }}
<td class="n">{{ d.mean_tokens | decimal }}
<td class="n">{{ d.first_attempt | percent }}
<td class="n">{{ d.perplexity | decimal }}
<td>{% for category, n in d.categories.items() %}{{ category }} {{ n | count }}{{ ", " if not loop.last }}
{%- else %}<span class="none">no data</span>{% endfor %}</tr>{% endfor %}</table></div>
{% else %}{{ nothing() }}{% endif %}</section>
"""

TRAINING = """{% from "macros" import card, chip, nothing, scroll %}
<section id="training"><h2>Training</h2>
<p class="see">Loss on each student's own dataset: lower says easier to predict, not better at the
benchmark.</p>
{% if figures.losses %}{{ card(figures.losses, " wide") }}{% else %}{{ nothing() }}{% endif %}
{% if training_keys %}{{ scroll("Training") }}<table><tr><th>student
{% for key in training_keys %}<th class="n">{{ key | words }}{% endfor %}</tr>
{% for name, numbers in g.trainings.items() %}<tr><td class="w">{{ chip(colours.students[name]) }}{{ name }}
{% for key in training_keys %}<td class="n">{{ numbers.get(key) | value }}{% endfor %}</tr>{% endfor %}
</table></div>{% endif %}</section>
"""

METHODS = """<section id="methods"><h2>Methods</h2><dl>
<dt>Correct</dt><dd>A sample with the verifier's full score (all tests, all constraints). No answer, a
cut-off
response, a timeout or a crash is wrong. What the verifier could not judge (no judge, a reference it
cannot read)
is counted apart and is neither right nor wrong.</dd>
<dt>Score</dt><dd>avg@k: the mean over questions of the share of correct samples. pass@k: the unbiased
estimate
that one of k samples is correct (Chen et al. 2021, arXiv 2107.03374), k the fewest samples of a
question; its interval is made as that of a score.</dd>
<dt>Interval of a score</dt><dd>{{ level }}, clustered by question: the variance of question means
(Miller 2024,
arXiv 2411.00640) in a Wilson interval with the effective sample size and Student's t (Korn and Graubard
1998).
In simulation with 30 to 500 questions it covers the true score in 93 to 97&nbsp;% of runs.</dd>
<dt>Difference</dt><dd>Only questions that both students answered, paired. Interval: Student's t over
questions, longer on the side of their skewness (Johnson 1978). p-value: sign-flip permutation
test on the differences of question means, exact where at most 14 questions differ, else of at least
{{ g.report.resamples | count }} sign patterns.</dd>
<dt>Verdict</dt><dd>“better” where the p-value, corrected by Holm's method over all
{{ g.comparisons | length }} pairs of
all benchmarks, is below {{ "%g" | format(1 - g.report.confidence) }}; else “not distinguishable”.
Intervals of
differences are not corrected, so one may exclude zero where the verdict does not.</dd>
<dt>More questions</dt><dd>How many in addition show a true difference of the size seen with power
80&nbsp;% at the
Bonferroni level. A forecast from a noisy difference: read its order of magnitude. More samples shrink the
variance within questions, which the samples show, and leave that between questions: where this alone hides
the difference, no number of samples settles it.</dd>
<dt>The luck of training</dt><dd>Where students differ in their training seed only, the variance between
them is in
every interval and p-value (Cochran and Cox 1957); where each student is one run, in none. Dataset size may
be the cause of
a difference as well as its source.</dd>
<dt>Acceptance</dt><dd>Queries with a response that scored at least {{ g.distill.stop_score }}, among
those judged;
Wilson interval.</dd>
{% for name, text in thresholds %}<dt>{{ name }}</dt><dd>{{ text }}</dd>{% endfor %}
<dt>Seeds</dt><dd>{{ g.seed }} for the resampling of this report; equal tables give an equal page.</dd>
</dl></section>
"""

PARAMETERS = """{% from "macros" import words %}
<section id="parameters"><h2>Parameters</h2>
<p class="see">The values that made these numbers, as in <code>params.yaml</code>.</p>
{% for name, text in parameters %}<details><summary>{{ name }}</summary>
{{ words(text, "Parameters, " ~ name) }}</details>
{% endfor %}</section>
"""
