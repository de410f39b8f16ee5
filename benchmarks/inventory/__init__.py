"""Levels and quantities of the inventory service against textbooks, rules of thumb and stockpyl, on real demand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backend_django"))
