"""The admin pages: results to look at, with the few things one may do to them; calendar and rules to fill in."""

from __future__ import annotations

from ml_predictions.admin import accuracy as accuracy
from ml_predictions.admin import calendar_events as calendar_events
from ml_predictions.admin import customers as customers
from ml_predictions.admin import erasure as erasure
from ml_predictions.admin import inventory as inventory
from ml_predictions.admin import models as models  # imported for its effect: it registers the pages
from ml_predictions.admin import owner as owner
from ml_predictions.admin import recommendation_rules as recommendation_rules
from ml_predictions.admin import results as results
from ml_predictions.admin import schedule as schedule
from ml_predictions.admin import trainings as trainings
