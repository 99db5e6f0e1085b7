"""What `sourcewise doctor` looks at: each module a part of the machine, each check by doing what a run does."""
