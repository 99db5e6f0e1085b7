"""Programs as answers: what a reference asks, what of an answer is the program, how it is tested."""
