"""From rows of files to clean queries."""
