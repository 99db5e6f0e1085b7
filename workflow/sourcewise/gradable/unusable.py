"""The error of a reference that nothing could be judged against."""


class UnusableReferenceError(ValueError):
    """A reference that no answer could be judged against; the message says why."""
