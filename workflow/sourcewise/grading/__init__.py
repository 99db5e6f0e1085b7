"""What verifiers are made of: answers, numbers, killable workers, the sandbox, judges."""
