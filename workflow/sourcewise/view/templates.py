"""The pages as Jinja templates: plain HTML without scripts, each state of it in its address."""

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{% if policy %}<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
{% endif %}
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{{ title }} · Sourcewise traces</title>
<style>{{ css }}</style>
</head>
<body{% if broad %} class="broad"{% endif %}>
<a class="skip" href="#main">Skip to the content</a>
<header><div class="in"><nav aria-label="Traces">
<a href="{{ links.home() }}">Queries</a>
{% if links.live %}
<a href="{{ links.away() }}">Turned away</a>
{% endif %}
<span>{{ copy }}</span>
</nav></div></header>
<main id="main">
{% block main %}{% endblock %}
</main>
<footer><div class="in">{% block footer %}Texts stand here as they came, as text only. This page runs nothing
and asks for nothing else.{% endblock %}</div></footer>
</body>
</html>
"""

MACROS = """
{% macro choice(name, label, options, chosen) %}
<label>{{ label }}
<select name="{{ name }}"><option value="">any</option>
{% for value, shown in options %}
<option value="{{ value }}"{% if value == chosen %} selected{% endif %}>{{ shown }}</option>
{% endfor %}
</select></label>
{% endmacro %}
{% macro snippet(text) %}
{% if text is none %}a row that could not be read{% elif not text.strip() %}(empty){% else -%}
{{ text[:240] | visible }}{% if text | length > 240 %} …{% endif %}{% endif %}
{% endmacro %}
{% macro text(content, label) %}
<pre tabindex="0" role="region" aria-label="{{ label }}" dir="auto">{{ content | cut | visible }}</pre>
{% endmacro %}
"""

RESULTS = """{% extends "frame" %}
{% from "macros" import choice, snippet %}
{% block main %}
<h1>Queries, and what the teachers made of them</h1>
{% if links.live %}
<form action="/" role="search">
<label class="wide">Words, &quot;phrases&quot; or the first 8 digits of a query_id
<input type="search" name="text" value="{{ search.text }}" maxlength="1000" accesskey="s"></label>
{{ choice("category", "Category", choices.category, search.category) }}
{{ choice("source", "Source", choices.source, search.source) }}
{{ choice("teacher", "Teacher", choices.teacher, search.teacher) }}
{{ choice("status", "Status of an attempt", choices.status, search.status) }}
{{ choice("accepted", "Accepted", choices.accepted, search.accepted) }}
{{ choice("dataset", "Dataset", choices.dataset, search.dataset) }}
<button>Search</button>
{% if search.conditions() %}<a href="/">Clear</a>{% endif %}
</form>
{% endif %}
<p class="see" role="status">{{ summary }}</p>
<ol class="results">
{% for one in page %}
<li>
<a href="{{ links.query(one.query_id) }}">{{ snippet(one.text) }}</a>
<p class="meta">{{ one.category }} · {{ one.source }} · <code>{{ one.query_id[:8] }}</code></p>
<ul class="marks">
{% for mark in one.marks %}
<li class="{{ 'yes' if mark.accepted else 'no' }}"><b class="name">{{ mark.teacher }}</b>
{% if mark.accepted %}
<span aria-hidden="true">✓</span> accepted at attempt {{ mark.accepted }}
{% elif mark.status is none %}
<span aria-hidden="true">…</span> {{ mark.n_attempts | attempts }}, not judged yet
{% else %}
<span aria-hidden="true">✗</span> {{ mark.n_attempts | attempts }}, last {{ mark | last }}
{% endif %}
</li>
{% else %}
<li class="none">no attempt yet</li>
{% endfor %}
</ul>
</li>
{% endfor %}
</ol>
{% if onward %}
<nav class="pages" aria-label="Pages"><a href="{{ onward }}" rel="next" accesskey="n">More →</a></nav>
{% endif %}
{% endblock %}
"""

REJECTED = """{% extends "frame" %}
{% from "macros" import choice, snippet %}
{% block main %}
<h1>Turned away before any teacher saw them</h1>
<form action="/rejected" role="search">
<label class="wide">Words or &quot;phrases&quot;
<input type="search" name="text" value="{{ search.text }}" maxlength="1000" accesskey="s"></label>
{{ choice("source", "Source", choices.source, search.source) }}
{{ choice("by", "By", choices.by, search.by) }}
{{ choice("reason", "Reason", choices.reason, search.reason) }}
<button>Search</button>
{% if search.conditions() %}<a href="{{ links.away() }}">Clear</a>{% endif %}
</form>
{% if counts %}
<div class="scroll" tabindex="0" role="region" aria-label="Reasons"><table>
<thead><tr><th scope="col">By</th><th scope="col">Reason</th>
<th scope="col" class="n">Queries</th></tr></thead>
<tbody>
{% for one in counts %}
<tr><td>{{ one.by }}</td>
<td><a href="{{ links.away(by=one.by, reason=one.reason) }}">{{ one.reason | words }}</a></td>
<td class="n">{{ one.n | count }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
<p class="see" role="status">{{ summary }}</p>
<ol class="results">
{% for one in page %}
<li>
{% if one.text is none %}{{ snippet(one.text) }}
{%- else %}<a href="{{ links.query(one.query_id) }}">{{ snippet(one.text) }}</a>{% endif %}
<p class="meta">{{ one.source }} · {{ one.by }}: {{ one.reason | words }}
{%- if one.value %} ({{ one.value[:240] | visible }}){% endif %}</p>
</li>
{% endfor %}
</ol>
{% if onward %}
<nav class="pages" aria-label="Pages"><a href="{{ onward }}" rel="next" accesskey="n">More →</a></nav>
{% endif %}
{% endblock %}
"""

TRACE = """{% extends "frame" %}
{% from "macros" import text %}
{% block main %}
<nav class="pages" aria-label="Results">
<a href="{{ links.back() if trace.shard else links.away() }}" accesskey="b">← Results</a>
{% if onward %}<a href="{{ onward }}" rel="next" accesskey="n">Next query →</a>{% endif %}
</nav>
<h1>{{ trace.query.category | capitalize }} query from {{ trace.query.source }}</h1>
<p class="meta"><code>{{ trace.query.query_id }}</code> · licence {{ trace.query.licence or "unknown" }} ·
{% if trace.shard %}shard {{ trace.shard }}{% else %}<b>not in the corpus</b>{% endif %}</p>
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
{% set place = name ~ "-" ~ one.response.attempt %}
{% set called = name ~ ", attempt " ~ one.response.attempt %}
<article class="attempt" id="{{ place }}" aria-label="{{ called }}">
<h4><a href="#{{ place }}">Attempt {{ one.response.attempt }}</a>
<span class="state {{ 'yes' if one.accepted else 'no' }}">{% if not one.verdict %}not judged yet
{%- elif one.accepted %}<span aria-hidden="true">✓</span> accepted{% else %}<span aria-hidden="true">✗</span>
{{ one.verdict.status | words if one.verdict.score is none else "not accepted" }}{% endif %}</span></h4>
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
{% else %}<p class="none">No attempt.</p>
{% endfor %}
</section>
{% else %}<p class="none">No teacher has been asked yet.</p>
{% endfor %}
</div>
</section>
{% endif %}
{% endblock %}
"""

PROBLEM = """{% extends "frame" %}
{% block main %}
<h1>{{ title }}</h1>
<p role="alert">{{ said | visible }}</p>
<p><a href="/">All queries</a></p>
{% endblock %}
"""

ALL = {
    "frame": FRAME,
    "macros": MACROS,
    "results": RESULTS,
    "rejected": REJECTED,
    "trace": TRACE,
    "problem": PROBLEM,
}
