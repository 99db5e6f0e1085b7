"""From attempts to a dataset: what a recipe selects, keeps and says about it."""
