"""Supervised fine-tuning: the processes that the train stage starts."""
