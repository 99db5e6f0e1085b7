"""The pages of one query and of a benchmark's questions as Jinja templates."""

ARTICLE = """{% from "macros" import text %}
{% macro article(one, name, what, good, unfolded) %}
{% set place = name ~ "-" ~ one.response.attempt %}
{% set called = name ~ ", " ~ (what | lower) ~ " " ~ one.response.attempt %}
<article class="attempt" id="{{ place }}" aria-label="{{ called }}">
<h4><a href="#{{ place }}">{{ what }} {{ one.response.attempt }}</a>
<span class="state {{ 'yes' if one.accepted else 'no' }}">{% if not one.verdict %}not judged yet
{%- elif one.accepted %}<span aria-hidden="true">✓</span> {{ good }}{% else %}<span aria-hidden="true">✗</span>
{{ one.verdict.status | words if one.verdict.score is none else "not " ~ good }}{% endif %}</span></h4>
{% if one.verdict %}
<dl>
<dt>Verdict</dt><dd>{{ one.verdict.status | words }}{% if one.verdict.score is not none %},
 score {{ one.verdict.score | decimal }}{% endif %}</dd>
{% if one.verdict.detail %}<dt>Detail</dt><dd>{{ one.verdict.detail | cut | visible }}</dd>{% endif %}
{% if one.verdict.facts %}<dt>Facts</dt><dd>{{ one.verdict.facts | cut | visible }}</dd>{% endif %}
</dl>
{% endif %}
{% set parts = one.parts %}
{% if parts.reasoning %}
<details{% if unfolded %} open{% endif %}>
<summary>Reasoning, {{ parts.reasoning | characters }}
{%- if not parts.closed %}, never closed{% endif %}</summary>
{{ text(parts.reasoning, called ~ ", reasoning") }}</details>
{% endif %}
{% if parts.answer.strip() %}
{{ text(parts.answer.strip("\n"), called ~ ", answer") }}
{% else %}<p class="none">No answer.</p>{% endif %}
<dl>
<dt>Tokens</dt><dd>{{ one.response.n_tokens | count }}, prompt {{ one.response.n_prompt_tokens | count }},
 ended by {{ one.response.finish_reason }}</dd>
{% if one.verdict %}<dt>Verifier</dt>
<dd>{{ one.verdict.verifier }} {{ one.verdict.verifier_version }}</dd>{% endif %}
{% if one.perplexity %}<dt>Perplexity</dt><dd>{{ one.perplexity.perplexity | decimal }}
 ({{ one.perplexity.scorer }})</dd>{% endif %}
<dt>Engine</dt><dd>{{ one.response.engine }}, revision {{ one.response.revision }},
 seed {{ one.response.seed }}</dd>
</dl>
</article>
{% endmacro %}
"""

TRACE = """{% extends "frame" %}
{% from "article" import article %}
{% from "macros" import text %}
{% block main %}
<nav class="pages" aria-label="Results">
<a href="{{ back }}" accesskey="b">← Results</a>
{% if onward %}<a href="{{ onward }}" rel="next" accesskey="n">Next query →</a>{% endif %}
</nav>
<h1>{{ trace.query.category | capitalize }} query from {{ trace.query.source }}</h1>
<p class="meta"><code>{{ trace.query.query_id }}</code> · licence {{ trace.query.licence or "unknown" }} ·
{% if trace.shard %}shard {{ trace.shard }}{% else %}<b>not in the corpus</b>{% endif %}
{%- for one in trace.samples %} · question of {{ one.benchmark }}{% endfor %}</p>
{% for turn in trace.query.messages %}
{% if trace.query.messages | length > 1 or turn.role != "user" %}<p class="label">{{ turn.role }}</p>{% endif %}
{{ text(turn.content, "Query, " ~ turn.role) }}
{% endfor %}
{% if trace.query.reference %}
<details><summary>Reference</summary>{{ text(trace.query.reference, "Reference") }}</details>
{% endif %}

{% if trace.rejects or trace.evidence %}
<section aria-labelledby="away">
<h2 id="away">{% if trace.shard %}Copies that were turned away{% else %}Why it was turned away{% endif %}</h2>
<ul>
{% for one in trace.rejects %}
<li><b>{{ one.by }}</b>: {{ one.reason | words }}
{%- if one.value %} ({{ one.value | cut | visible }}){% endif %},
source {{ one.source }}</li>
{% endfor %}
</ul>
{% for one in trace.evidence %}
<h3>Like an item of {{ one.benchmark }}</h3>
<p class="meta">layer {{ one.layer | words }}, {{ "%.3f" | format(one.score) }} · item {{ one.item_id }}</p>
<div class="pair"><div><p class="label">the query</p>{{ text(one.query_text, "The query") }}</div>
<div><p class="label">the item</p>{{ text(one.item_text, "The item of the benchmark") }}</div></div>
{% endfor %}
</section>
{% endif %}

{% if trace.shard %}
<section aria-labelledby="datasets">
<h2 id="datasets">What became of it</h2>
{% if trace.outcomes %}
<div class="scroll" tabindex="0" role="region" aria-label="Datasets"><table class="fates">
<thead><tr><th scope="col">Dataset</th><th scope="col">Outcome</th><th scope="col">Attempt, or why not</th>
<th scope="col">Students trained on it</th></tr></thead>
<tbody>
{% for one in trace.outcomes %}
<tr><th scope="row">{{ one.dataset }}</th><td class="w fate {{ one.fate }}">{{ fates[one.fate] }}</td>
<td>{{ one.said | cut | visible }}</td><td>{{ one.students | join(", ") or "–" }}</td></tr>
{% endfor %}
</tbody></table></div>
{% else %}<p class="none">No dataset has been selected yet.</p>{% endif %}
</section>

<section aria-labelledby="attempts">
<h2 id="attempts">Attempts</h2>
{% if links.live %}
<p class="see"><a href="{{ links.query(trace.query.query_id, open='' if unfolded else 'reasoning') }}"
 >{{ "Fold" if unfolded else "Unfold" }} all reasoning</a></p>
{% endif %}
<div class="teachers">
{% for name, attempts in trace.attempts %}
<section class="teacher {{ colours[name] }}" aria-labelledby="t{{ loop.index }}">
<h3 id="t{{ loop.index }}"><span class="chip" aria-hidden="true"></span>{{ name }}</h3>
{% for one in attempts %}
{{ article(one, name, "Attempt", "accepted", unfolded) }}
{% else %}<p class="none">No attempt.</p>
{% endfor %}
</section>
{% else %}<p class="none">No teacher has been asked yet.</p>
{% endfor %}
</div>
</section>
{% endif %}

{% for of in trace.samples if of.students %}
{% set number = loop.index %}
<section aria-labelledby="samples{{ number }}">
<h2 id="samples{{ number }}">What the students answered at {{ of.benchmark }}</h2>
{% if links.live %}
<p class="see"><a href="{{ links.query(trace.query.query_id, open='' if unfolded else 'reasoning',
samples=shown) }}">{{ "Fold" if unfolded else "Unfold" }} all reasoning</a>
{%- if of.students | map(attribute="n") | max > most %} ·
<a href="{{ links.query(trace.query.query_id, samples='' if shown else 'all') }}"
 >{{ "Show the first " ~ most if shown else "Show all samples" }}</a>{% endif %}</p>
{% endif %}
<div class="teachers">
{% for student in of.students %}
<section class="teacher {{ student_colours[student.student] }}"
 aria-labelledby="s{{ number }}-{{ loop.index }}">
<h3 id="s{{ number }}-{{ loop.index }}"><span class="chip" aria-hidden="true"></span>{{ student.student }}
<small>{{ student.correct }} of {{ student.n }} correct</small></h3>
{% for one in student.first %}
{{ article(one, student.student ~ "-" ~ of.benchmark, "Sample", "correct", unfolded) }}
{% else %}<p class="none">No sample.</p>
{% endfor %}
</section>
{% endfor %}
</div>
</section>
{% endfor %}
{% endblock %}
"""

BENCHMARKS = """{% extends "frame" %}
{% from "macros" import snippet %}
{% block main %}
<h1>Benchmarks, and what the students made of them</h1>
<nav class="choices" aria-label="Benchmarks">
{% for one in benchmarks %}
<a href="{{ links.benchmarks(name=one.name) }}"{% if one.name == chosen %} aria-current="page"{% endif %}
 >{{ one.name }}</a>
{% else %}<span class="none">No benchmark has been read yet.</span>
{% endfor %}
</nav>
{% if page %}
<p class="see" role="status">{{ summary }} Questions that students differ about most stand first.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Questions of {{ chosen }}"><table>
<thead><tr><th scope="col">Question</th>
{% for student in students %}<th scope="col" class="n">{{ student }}</th>{% endfor %}</tr></thead>
<tbody>
{% for one in page %}
<tr><td><a href="{{ links.query(one.query_id) }}">{{ snippet(one.text) }}</a></td>
{% for share in one.shares %}<td class="n">{% if share %}{{ share[0] }} of {{ share[1] }}{% else %}–{% endif %}
</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% elif chosen %}<p class="none">No further question.</p>
{% endif %}
{% if onward %}
<nav class="pages" aria-label="Pages"><a href="{{ onward }}" rel="next" accesskey="n">More →</a></nav>
{% endif %}
{% endblock %}
"""
