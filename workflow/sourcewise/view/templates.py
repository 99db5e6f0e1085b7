"""The pages as Jinja templates: plain HTML without scripts, each state of it in its address."""

from sourcewise.view.query_templates import ARTICLE, BENCHMARKS, TRACE

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
<a href="{{ links.benchmarks() }}">Benchmarks</a>
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
    "article": ARTICLE,
    "results": RESULTS,
    "rejected": REJECTED,
    "trace": TRACE,
    "benchmarks": BENCHMARKS,
    "problem": PROBLEM,
}
