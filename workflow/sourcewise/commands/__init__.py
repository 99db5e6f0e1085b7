"""Commands for people, above the stages: `sourcewise verify FILE` and `sourcewise audit`."""
