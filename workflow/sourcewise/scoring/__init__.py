"""Perplexity of responses under a causal model: `pieces` cuts and batches, an engine of this package scores.

An engine is `scores(batches, model, longest) -> iterator of each batch's scores`; a module is one by its name.
"""
