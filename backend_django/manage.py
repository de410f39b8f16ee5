#!/usr/bin/env python
"""Django's command line for Trastienda."""

import os
import sys


def main() -> None:
    """Run the command given on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"{error}. Run `make setup` once, then use .venv/bin/python backend_django/manage.py"
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        from core.mistakes import sentence

        told = sentence(error)
        if told is None or "--traceback" in sys.argv:
            raise
        raise SystemExit(told) from error


if __name__ == "__main__":
    main()
