"""What all of the API shares: one error shape and one page shape."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination


class Page(PageNumberPagination):
    """Lists as `{count, next, previous, results}`; `page_size` up to 200."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
