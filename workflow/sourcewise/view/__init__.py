"""The trace browser: pages over the tables of a working copy, read where they lie and never written."""
