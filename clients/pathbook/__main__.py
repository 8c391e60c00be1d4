"""``python -m pathbook`` is the command line, where the folder of scripts is not on the path."""

from pathbook.cli.main import main

if __name__ == "__main__":
    main()
