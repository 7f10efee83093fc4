"""``python -m gatewright.compiler.cli``: the same as the command ``gatewright``."""

from gatewright.compiler.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
