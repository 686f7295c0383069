"""``python -m tabrec`` is the command line."""

from tabrec.cli import main

if __name__ == "__main__":
    main()
