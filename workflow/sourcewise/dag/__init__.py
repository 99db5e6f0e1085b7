"""The seam between Snakemake and DVC: what is stale, and provenance that travels with the data."""
