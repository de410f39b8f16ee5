"""Every address of the project."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy as _
from django.views.static import serve
from drf_spectacular.views import SpectacularAPIView

from core import api, health, metrics
from core.docs import RedocPage, SwaggerPage

admin.site.site_header = admin.site.site_title = "Trastienda"
admin.site.index_title = _("The back room of the shop")

urlpatterns = [
    path("", include("dashboard.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("health/live/", health.live, name="health-live"),
    path("health/ready/", health.ready, name="health-ready"),
    path("metrics/", metrics.metrics, name="metrics"),
    path("api/", include("authentication.urls")),
    path("api/", include("products.urls")),
    path("api/", include("orders.urls")),
    path("api/", include("purchasing.urls")),
    path("api/ml/", include("ml_predictions.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SwaggerPage.as_view(), name="docs"),
    path("api/redoc/", RedocPage.as_view(), name="redoc"),
    # Pictures uploaded in the admin; Pillow has seen that they are pictures.
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}),
    re_path(r"^api/(?P<rest>.*)$", api.unknown_address),
]

handler400 = api.bad_request
handler403 = api.forbidden
handler404 = api.not_found
handler500 = api.server_error
