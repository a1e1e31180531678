"""`python -m pandasite.cli`."""

from pandasite.cli.app import main

if __name__ == "__main__":
    main()
