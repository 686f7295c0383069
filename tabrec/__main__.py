"""``python -m tabrec`` is the command line."""

from tabrec.cli import main

main()
