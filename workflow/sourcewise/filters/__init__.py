"""Filters of a dataset, one file each; `sourcewise.candidates` says what a filter takes and gives."""
