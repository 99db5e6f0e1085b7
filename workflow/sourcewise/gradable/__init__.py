"""Whether a reference can be graded at all, before anybody is asked: one module per kind of reference."""
