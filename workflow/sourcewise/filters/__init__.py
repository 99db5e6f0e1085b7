"""Filters of a dataset, one file each; `sourcewise.recipes.candidates` says what a filter takes and gives."""
