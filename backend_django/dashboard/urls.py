"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path

from dashboard.views import (
    brief,
    customers,
    data,
    inventory,
    morning,
    orders,
    recommendations,
    sales,
    settings,
    sign_in,
    training,
)

app_name = "dashboard"

urlpatterns = [
    path("", morning.Morning.as_view(), name="morning"),
    path("sales/", sales.Sales.as_view(), name="sales"),
    path("sales/products/", sales.FindProducts.as_view(), name="sales-products"),
    path("sales/look-back/", sales.LookBack.as_view(), name="look-back"),
    path("sales/export/", sales.Export.as_view(), name="sales-export"),
    path("inventory/", inventory.Inventory.as_view(), name="inventory"),
    path("inventory/alerts/<int:alert_id>/", inventory.DecideAlert.as_view(), name="alert"),
    path("inventory/reorder/", inventory.Reorder.as_view(), name="reorder"),
    path("inventory/reorder/draft/", inventory.Draft.as_view(), name="draft"),
    path("inventory/orders/", orders.Orders.as_view(), name="orders"),
    path("inventory/orders/<int:order_id>/", orders.Order.as_view(), name="order"),
    path("inventory/orders/<int:order_id>/change/", orders.ChangeOrder.as_view(), name="change-order"),
    path("inventory/variants/<str:variant_id>/", inventory.Variant.as_view(), name="variant"),
    path("customers/", customers.Customers.as_view(), name="customers"),
    path("customers/export/", customers.CustomersExport.as_view(), name="customers-export"),
    path("customers/<str:customer_id>/", customers.Customer.as_view(), name="customer"),
    path("recommendations/", recommendations.Recommendations.as_view(), name="recommendations"),
    path("recommendations/decide/", recommendations.Decide.as_view(), name="decide-offer"),
    path("recommendations/rules/<int:rule_id>/", recommendations.TakeBack.as_view(), name="take-back-rule"),
    path("training/", training.Training.as_view(), name="training"),
    path("training/progress/", training.Progress.as_view(), name="progress"),
    path("training/start/", training.Start.as_view(), name="train"),
    path("training/schedule/", training.SaveSchedule.as_view(), name="schedule"),
    path("training/logs/<int:log_id>/cancel/", training.OfLog.as_view(), {"what": "cancel"}, name="cancel"),
    path("training/logs/<int:log_id>/retry/", training.OfLog.as_view(), {"what": "retry"}, name="retry"),
    path("training/versions/<int:model_id>/", training.Version.as_view(), name="version"),
    path("data/", data.Data.as_view(), name="data"),
    path("data/upload/", data.Upload.as_view(), name="upload"),
    path("data/quality/", data.Quality.as_view(), name="quality"),
    path("data/imports/<int:import_id>/", data.Import.as_view(), name="import"),
    path("data/imports/<int:import_id>/progress/", data.ImportProgress.as_view(), name="import-progress"),
    path("brief/", brief.Brief.as_view(), name="brief"),
    path("brief/send/", brief.SendNow.as_view(), name="send-brief"),
    path("settings/", settings.Settings.as_view(), name="settings"),
    path("settings/password/", settings.Password.as_view(), name="password"),
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    path("theme/", sign_in.theme, name="theme"),
]
