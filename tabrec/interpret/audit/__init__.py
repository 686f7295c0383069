"""Whether the data can be trusted: leaks from the target, codes for missing."""
