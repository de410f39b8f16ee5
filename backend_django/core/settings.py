"""Settings of Trastienda. The environment decides what differs between machines (`core.environment`)."""

from __future__ import annotations

from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured

from core.environment import RELEASE, ROOT, VAR, env, private_file

BASE_DIR = ROOT / "backend_django"

# --- this machine ---------------------------------------------------------------------------------

PRODUCTION = env.bool("PRODUCTION", default=False)
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="")
if not SECRET_KEY:
    if PRODUCTION:
        raise ImproperlyConfigured(
            "DJANGO_SECRET_KEY is not set, and PRODUCTION is on. Set it to 50 or more random characters, "
            "for example: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    SECRET_KEY = private_file("secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)

if PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^health/"]  # asked from inside the machine, without TLS
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# --- the apps -------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "core",
    "api_base",
    "authentication",
    "products",
    "purchasing",
    "orders",
    "ingest",
    "ml_predictions",
    "dashboard",
    "django_htmx",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
]
MIDDLEWARE = [
    "core.logs.RequestLog",
    "core.security.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
if CORS_ALLOWED_ORIGINS:  # else nothing of it is loaded
    INSTALLED_APPS.append("corsheaders")
    MIDDLEWARE.insert(1, "corsheaders.middleware.CorsMiddleware")  # before whatever answers by itself
    CORS_URLS_REGEX = r"^/api/"
    CORS_ALLOW_HEADERS = ["accept", "accept-language", "authorization", "content-type", "prefer", "x-request-id"]
    CORS_EXPOSE_HEADERS = ["Content-Disposition", "Location", "Preference-Applied", "Retry-After", "X-Request-ID"]
ROOT_URLCONF = "core.urls"
WSGI_APPLICATION = "core.wsgi.application"
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

# --- the database ---------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR / 'trastienda.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: two writers queue at the start of a transaction instead of failing in its middle. Reads go through the
    # map, which all connections share; the cache of each holds little beside what it writes.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; "
        "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=2147418112;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Opening a connection and reading the schema anew is a quarter of a short answer.
DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people ---------------------------------------------------------------------------------------

AUTH_USER_MODEL = "authentication.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "authentication.backends.EmailBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
# Keys of the list that keeps erased persons from coming back with an import: the first makes hashes, all find them.
ERASURE_KEYS = env.list("ERASURE_KEY", default=[]) or [private_file("erasure_key")]
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "authentication.lockout.username"
AXES_LOCKOUT_CALLABLE = "authentication.lockout.response"
AXES_RESET_ON_SUCCESS = True
# Trying while locked out does not lengthen it: `Retry-After` says the truth.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_HTTP_RESPONSE_CODE = 429
AXES_VERBOSE = False

# --- language, time, files ------------------------------------------------------------------------

LANGUAGES = [("es", "Español"), ("en", "English")]
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="es")
LOCALE_PATHS = [BASE_DIR / "core" / "locale"]
USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", default="Europe/Madrid")
"""The shop's own time zone: it decides where a business day begins and ends."""
STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "dashboard.finders.PlotlyFinder",
]
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns at every start when it is not there
WHITENOISE_USE_FINDERS = not PRODUCTION  # no collectstatic needed to look at it
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR / "media"
DATA_FOLDER = VAR
"""Everything that is written on this machine; erasing a person looks through all of it."""

DATA_UPLOAD_MAX_MEMORY_SIZE = 8_000_000
"""Bytes of a body that is no file: a thousand orders. Most calls take less: `ml_predictions.views.errors`."""
IMPORT_MAX_MB = env.int("IMPORT_MAX_MB", default=50)
"""Of a file that is uploaded, also in memory or on its way: the first handler stops it."""
FILE_UPLOAD_HANDLERS = [
    "ingest.uploads.Limit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- the API --------------------------------------------------------------------------------------

API_RATES = {
    "account": env.int("API_RATE_ACCOUNT", default=600),
    "address": env.int("API_RATE_ADDRESS", default=60),
}
"""Requests a minute: of an account or service key, and of an address that is not signed in. 0: no limit."""
API_RATES_FILE = VAR / "api_rates.sqlite3"
"""Where the processes of the web server count the requests of the last minute."""
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "authentication.tokens.TokenAuthentication",
        "authentication.service_keys.ServiceKeyAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": [
        "authentication.throttles.AccountThrottle",
        "authentication.throttles.AddressThrottle",
    ],
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "DEFAULT_PERMISSION_CLASSES": ["authentication.permissions.IsSuperuserOrAdmin"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["ml_predictions.views.errors.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "core.schema.Schema",
    "DEFAULT_FILTER_BACKENDS": [
        "api_base.lists.Filters",
        "rest_framework.filters.SearchFilter",
        "api_base.lists.Ordering",
    ],
    "DEFAULT_PAGINATION_CLASS": "api_base.lists.Page",
    "EXCEPTION_HANDLER": "ml_predictions.views.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": True,
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "USER_ID_CLAIM": "user_id",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Trastienda",
    "VERSION": RELEASE,
    "DESCRIPTION": "What will sell, what to offer to whom, who the customers are, what to reorder.",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    # The docs pages load from this server: no request leaves the machine.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None, "persistAuthorization": False},
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {
        "TrainingStatus": "ml_predictions.models.MLTrainingLog.Status",
        "TrainingCause": "ml_predictions.models.MLTrainingLog.Cause",
        "SegmentName": "ml_predictions.models_segments.Segment",
        "SegmentChangeDriver": "ml_predictions.models_segments.Driver",
        "PurchaseChance": "ml_predictions.models_segments.ChanceBand",
        "AlertStatus": "ml_predictions.models_inventory.InventoryAlert.Status",
        "HealthStatus": ["healthy", "warning", "critical"],
        "OrderStatus": "orders.models.Order.Status",
        "NewOrderStatus": "orders.serializers.MADE_AS",
        "ProductStatus": "products.models.Product.Status",
        "PurchaseOrderStatus": "purchasing.models.PurchaseOrder.Status",
        "MovementKind": "products.models.StockMovement.Kind",
        "NewMovementKind": "products.serializers.BY_HAND",
        "Role": "authentication.models.Role",
        "EventKind": "ml_predictions.models_calendar.CalendarEvent.Kind",
        "EventLevel": "ml_predictions.models_calendar.CalendarEvent.Level",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "core.schema.document_errors"],
}

# --- the machine learning (defaults and meaning: ml_predictions/conf.py) --------------------------

FRAMES_FOLDER = env.str("FRAMES_FOLDER", default="")
"""Parquet files that are read in the place of this project's own tables."""
DASK_SCHEDULER = env.str("DASK_SCHEDULER", default="")
"""The cluster that computes the parts of trainings."""
ML_PREDICTIONS = {
    "ENGINE": "ml_predictions.engines.dask.DaskEngine" if DASK_SCHEDULER else "retail_ml.engine.InProcess",
    "ENGINE_OPTIONS": {"address": DASK_SCHEDULER} if DASK_SCHEDULER else {},
    "REQUEST_ID": "core.logs.current_id",
    "PERMISSION": "authentication.permissions.IsSuperuserOrAdmin",
    "SOURCE": f"ml_predictions.sources.{'files.FileShop' if FRAMES_FOLDER else 'django_shop.DjangoShop'}",
    "SOURCE_OPTIONS": {"folder": FRAMES_FOLDER} if FRAMES_FOLDER else {},
    "ARTIFACT_ROOT": VAR / "models",
    "ARTIFACT_KEYS": env.list("ML_ARTIFACT_KEY", default=[]) or [private_file("artifact_key")],
    "CURRENCY": env.str("CURRENCY", default=""),
    "TIME_ZONE": TIME_ZONE,
    "COUNTRY": env.str("COUNTRY", default="").strip(),
    "REGION": env.str("REGION", default="").strip(),
    "LIVE": env.str("LIVE", default="auto"),
    "ALERTS_A_DAY": env.int("ALERTS_A_DAY", default=20),
    "KINDS": {
        "erase": "ml_predictions.jobs.erasure.erase",
        "refresh": "ml_predictions.jobs.nightly.refresh",
        "import": "ingest.tasks.import_files",
        "pull": "ingest.pull.pull",
    },
    "NIGHTLY_FIRST": {"pull": "ingest.pull.nightly"},
    "NIGHTLY": {
        "drop_expired_sign_ins": "authentication.housekeeping.drop_expired",
        "drop_old_uploads": "ingest.uploads.drop_old",
        "drop_old_import_entries": "ingest.runs.drop_old",
        "weekly_brief": "dashboard.tasks.weekly_brief",
        "critical_stock_outs": "dashboard.tasks.critical_stock_outs",
    },
    "PERSONAL_DATA": "core.personal_data.PLACES",
    "BACKUP_RETENTION_DAYS": env.int("BACKUP_RETENTION_DAYS", default=None),
}

# --- imports ---------------------------------------------------------------------------------------

IMPORT_UNDO_DAYS = env.int("IMPORT_UNDO_DAYS", default=90)
IMPORT_CURRENCY = "core.shop.currency"
"""What says the shop's currency to imports."""
WOOCOMMERCE_URL = env.str("WOOCOMMERCE_URL", default="")
WOOCOMMERCE_KEY = env.str("WOOCOMMERCE_KEY", default="")
WOOCOMMERCE_SECRET = env.str("WOOCOMMERCE_SECRET", default="")

# --- e-mail: nobody is written to until the owner names somebody ----------------------------------

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="Trastienda <trastienda@localhost>")

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- what the logs say ----------------------------------------------------------------------------

LOG_FORMAT = env.str("LOG_FORMAT", default="json" if PRODUCTION else "line")
if LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured(f"LOG_FORMAT must be line or json; it is {LOG_FORMAT!r}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "core.logs.WithRequestId"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "core.logs.JSONLines"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "axes": {"level": "WARNING"},
        # One line for every request is for logs that a program reads.
        "core.requests": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
    },
}
