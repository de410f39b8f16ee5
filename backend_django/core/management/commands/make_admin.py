"""`manage.py make_admin`: make the administrator, or give a new password."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.console import ADMIN_EMAIL, PASSWORD_FILE, ensure_admin


class Command(BaseCommand):
    """Make the administrator when there is none; `--reset` gives a new password."""

    help = "Make the administrator (ADMIN_PASSWORD sets the password, else one is generated)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--reset`."""
        parser.add_argument("--reset", action="store_true", help="give a new password to an administrator who exists")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make or reset, and say what the password is."""
        password, remark = ensure_admin(reset=options["reset"])
        if remark:
            self.stderr.write(self.style.WARNING(remark))
        if password is None:
            self.stdout.write(f"{ADMIN_EMAIL} exists; --reset gives a new password.")
        elif PASSWORD_FILE.exists():
            self.stdout.write(f"{ADMIN_EMAIL}  password: {password}  (kept in {PASSWORD_FILE})")
        else:
            self.stdout.write(f"{ADMIN_EMAIL} has the password of ADMIN_PASSWORD.")
