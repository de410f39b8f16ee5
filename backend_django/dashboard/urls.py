"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path

from dashboard.views import customers, morning, recommendations, sales, sign_in

app_name = "dashboard"

urlpatterns = [
    path("", morning.Morning.as_view(), name="morning"),
    path("sales/", sales.Sales.as_view(), name="sales"),
    path("sales/products/", sales.FindProducts.as_view(), name="sales-products"),
    path("sales/export/", sales.Export.as_view(), name="sales-export"),
    path("customers/", customers.Customers.as_view(), name="customers"),
    path("customers/export/", customers.CustomersExport.as_view(), name="customers-export"),
    path("customers/<str:customer_id>/", customers.Customer.as_view(), name="customer"),
    path("recommendations/", recommendations.Recommendations.as_view(), name="recommendations"),
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    path("theme/", sign_in.theme, name="theme"),
]
