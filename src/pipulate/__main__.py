"""`python -m pipulate` is `pipulate`."""

from pipulate.cli import main

if __name__ == "__main__":
    main()
