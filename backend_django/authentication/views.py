"""Signing in and out over the API."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api_base.lists import FilterSet, TimeFilter
from api_base.serializers import Nothing
from api_base.views import Editable, Records
from authentication import lockout, service_keys, tokens
from authentication import schema as schema  # noqa: PLC0414  # imported for its effect: it registers the scheme
from authentication.customers import CustomerError
from authentication.models import Role, ServiceKey, User
from authentication.serializers import (
    ChangePasswordSerializer,
    CustomerRecord,
    LoginAnswerSerializer,
    LoginSerializer,
    NewServiceKey,
    RefreshSerializer,
    ServiceKeyRecord,
    TokenPairSerializer,
    UserSerializer,
)


class OpenView(APIView):
    """A call that needs no token: one that is sent is not even looked at, so that an old one does no harm."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        """Makes a refusal 401 rather than 403."""
        return 'Bearer realm="api"'


class SignedInView(APIView):
    """A call for everyone who is signed in, whatever the role."""

    permission_classes = (IsAuthenticated,)


class LoginView(OpenView):
    """Sign in."""

    @extend_schema(
        summary="Sign in", tags=["auth"], request=LoginSerializer, responses={200: LoginAnswerSerializer}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Sign in with e-mail (in any case) and password."""
        data = _checked(LoginSerializer, request)
        user = lockout.authenticated(request, data["email"], data["password"])
        if not isinstance(user, User):
            raise AuthenticationFailed(_("E-mail or password is wrong."), code="wrong_credentials")
        user_logged_in.send(sender=User, request=request, user=user)  # last sign-in, and the count starts anew
        return Response({**tokens.issue(user), "user": UserSerializer(user).data})


class RefreshView(OpenView):
    """New tokens."""

    @extend_schema(
        summary="A new pair of tokens",
        tags=["auth"],
        request=RefreshSerializer,
        responses={200: TokenPairSerializer},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """A new pair for a refresh token. The old one is used up; used again, it revokes every sign-in of the user."""
        return Response(tokens.rotate(_checked(RefreshSerializer, request)["refresh"]))


class LogoutView(SignedInView):
    """Sign out."""

    @extend_schema(
        summary="Sign out",
        tags=["auth"],
        request=RefreshSerializer,
        responses={205: OpenApiResponse(description="Signed out.")},
    )
    def post(self, request: Request) -> Response:
        """Use up the refresh token."""
        tokens.end(_checked(RefreshSerializer, request)["refresh"], _user(request))
        return Response(status=205)


class MeView(SignedInView):
    """Who is signed in."""

    @extend_schema(summary="Who am I", tags=["auth"], responses={200: UserSerializer})
    def get(self, request: Request) -> Response:
        """The signed-in user."""
        return Response(UserSerializer(_user(request)).data)


class ChangePasswordView(SignedInView):
    """A new password."""

    @extend_schema(
        summary="Change the password",
        tags=["auth"],
        request=ChangePasswordSerializer,
        responses={204: OpenApiResponse(description="Changed. Every token is revoked: sign in again.")},
    )
    def post(self, request: Request) -> Response:
        """Change the password; every outstanding token of the user is revoked, this one too."""
        user = _user(request)
        user.set_password(_checked(ChangePasswordSerializer, request)["new_password"])
        with transaction.atomic():
            user.save(update_fields=["password"])
            tokens.revoke_all(user)
        return Response(status=204)


class CustomerFilter(FilterSet):
    """Filters of `customers/`."""

    joined_from = TimeFilter(field_name="date_joined", lookup_expr="gte")
    joined_to = TimeFilter(field_name="date_joined", lookup_expr="lte")

    class Meta:
        model = User
        fields = ["email", "external_id", "source", "country", "is_active"]


@extend_schema_view(
    list=extend_schema(summary="Customers"),
    retrieve=extend_schema(summary="One customer"),
    create=extend_schema(summary="Enter a customer"),
    update=extend_schema(summary="Replace a customer"),
    partial_update=extend_schema(summary="Change a customer"),
)
class Customers(Editable):
    """The shop's customers. Staff never appear here; erasing a person is `ml/customers/{id}/personal-data/`."""

    queryset = User.objects.filter(role=Role.CUSTOMER).order_by("-id")
    serializer_class = CustomerRecord
    filterset_class = CustomerFilter
    search_fields: ClassVar[list[str]] = ["email", "first_name", "last_name", "external_id"]
    ordering_fields: ClassVar[list[str]] = ["id", "email", "last_name", "external_id", "date_joined"]
    refusals: ClassVar[dict[type[Exception], str]] = {CustomerError: "customer_refused"}
    needs: ClassVar[dict[str, tuple[str, ...]]] = {
        **dict.fromkeys(("list", "retrieve", "metadata"), ("authentication.view_customer",)),
        "create": ("authentication.add_customer",),
        **dict.fromkeys(("update", "partial_update"), ("authentication.change_customer",)),
    }


class ServiceKeyFilter(FilterSet):
    """Filters of `service-keys/`."""

    revoked = django_filters.BooleanFilter(field_name="revoked_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = ServiceKey
        fields = ["prefix"]


@extend_schema_view(
    list=extend_schema(summary="Service keys"),
    retrieve=extend_schema(summary="One service key"),
)
class ServiceKeys(Records):
    """Read-only, expiring keys for a shop's own server."""

    queryset = ServiceKey.objects.select_related("owner").order_by("-id")
    serializer_class = ServiceKeyRecord
    filterset_class = ServiceKeyFilter
    needs: ClassVar[dict[str, tuple[str, ...]]] = {"revoke": ("authentication.delete_servicekey",)}
    search_fields: ClassVar[list[str]] = ["name"]
    ordering_fields: ClassVar[list[str]] = ["id", "name", "expires_at", "last_used_at"]

    @extend_schema(summary="Make a service key", request=ServiceKeyRecord, responses={201: NewServiceKey})
    def create(self, request: Request) -> Response:
        """A key that reads what you may read, until its day; this answer alone shows it."""
        serializer = NewServiceKey(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(summary="Revoke a service key", request=Nothing, responses=ServiceKeyRecord)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: int) -> Response:
        """Ends it at once; the row stays, to show that there was one."""
        self.checked(Nothing)
        service_keys.revoke(self.get_object(), user=request.user)
        return Response(ServiceKeyRecord(self.get_object()).data)


def _checked(serializer_class: type, request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data, context={"request": request})
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def _user(request: Request) -> User:
    assert isinstance(request.user, User)  # IsAuthenticated has seen to it
    return request.user
