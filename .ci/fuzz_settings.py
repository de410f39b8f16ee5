"""The project's settings for the fuzz run: no limits of requests, nobody locked out, no call that waits."""

from core.settings import *  # noqa: F403
from core.settings import ML_PREDICTIONS

API_RATES: dict[str, int] = {}
AXES_ENABLED = False
ML_PREDICTIONS = {**ML_PREDICTIONS, "WAIT_DEFAULT": 0, "WAIT_MAX": 0}
