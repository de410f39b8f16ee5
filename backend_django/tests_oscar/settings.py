"""A shop that is not ours: django-oscar as it comes, and our wheel beside it."""

import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from oscar import INSTALLED_APPS as OSCAR_APPS
from oscar.defaults import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent
DATA = Path(os.environ.get("OSCAR_DATA", BASE_DIR / "var"))
SECRET_KEY = "a key of the tests, and of nothing else"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    *OSCAR_APPS,
    "rest_framework",
    "django_filters",
    "ml_predictions.api_base",
    "ml_predictions",
    "corner_shop",
]
SITE_ID = 1
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
]
ROOT_URLCONF = "urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
if url := os.environ.get("DATABASE_URL"):  # a PostgreSQL; the folder of its socket may stand behind the question mark
    where = urlsplit(url)
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": where.path.lstrip("/"),
            "USER": unquote(where.username or ""),
            "PASSWORD": unquote(where.password or ""),
            "HOST": parse_qs(where.query).get("host", [where.hostname or ""])[0],
            "PORT": where.port or "",
        }
    }
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA / "oscar.sqlite3"}}
    DATABASES["default"]["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
USE_TZ = True
TIME_ZONE = "Europe/Madrid"
LANGUAGE_CODE = "en"
LANGUAGES = [("es", "Español"), ("en", "English")]
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA / "media"

OSCAR_DEFAULT_CURRENCY = "EUR"
OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Complete", "Cancelled"), "Complete": (), "Cancelled": ()}

ML_PREDICTIONS = {
    "SOURCE": "ml_predictions.sources.oscar.OscarShop",
    "SALE_STATUSES": ["Complete"],
    "TIME_ZONE": TIME_ZONE,
    "ARTIFACT_ROOT": DATA / "models",
    "ARTIFACT_KEYS": ["a key that signs the models of the tests alone"],
}
