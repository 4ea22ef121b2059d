"""``python -m rtcsig`` is the ``rtcsig`` command."""

from rtcsig.cli import main

if __name__ == "__main__":
    main()
