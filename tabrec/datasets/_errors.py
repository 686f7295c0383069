"""What is raised when data cannot be had."""


class FetchError(OSError):
    """Data that could not be downloaded, sent, or put in their place; the message says why and what to do about it."""
