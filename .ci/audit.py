"""Known vulnerabilities of the packages that are installed for users (pip-audit, in an environment of its own).

Ends with 1 when there are any; says so and ends with 0 where the database of advisories cannot be reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "backend_django" / "requirements.txt"


def main() -> int:
    """Install pip-audit, ask, tell."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            venv.create(folder, with_pip=True)
        except (Exception, SystemExit) as error:  # a Python without ensurepip
            print(f"SKIPPED the audit of dependencies: no environment for it ({error}).")
            return 0
        python = str(Path(folder) / "bin" / "python")
        brought = subprocess.run(
            [python, "-m", "pip", "install", "-q", "pip-audit"], capture_output=True, text=True, check=False
        )
        if brought.returncode:
            print("SKIPPED the audit of dependencies: pip-audit could not be installed.")
            return 0
        asked = subprocess.run(
            [python, "-m", "pip_audit", "-r", str(REQUIREMENTS), "--disable-pip", "--no-deps", "-f", "json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"SKIPPED the audit of dependencies: {(asked.stderr.strip().splitlines() or ['no answer'])[-1][:200]}")
        return 0
    looked = [package for package in packages if "vulns" in package]
    faults = [(p["name"], p["version"], v["id"], v["fix_versions"]) for p in looked for v in p["vulns"]]
    for name, version, advisory, fixed in faults:
        print(f"{name} {version}: {advisory}, fixed in {', '.join(fixed) or 'no release yet'}")
    if not looked:
        print("SKIPPED the audit of dependencies: the database of advisories cannot be reached.")
    else:
        print(f"{len(looked)} of {len(packages)} packages audited, {len(faults)} advisories.")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
