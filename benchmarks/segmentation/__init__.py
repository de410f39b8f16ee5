"""Customers' values and segments against published values, lifetimes, naive methods and an unconstrained K-Means."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "backend_django"))
