"""Stage report: the comparison of the sources."""
