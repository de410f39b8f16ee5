"""What the sign-in calls take and answer."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from api_base.fields import AsTyped, Email, Text, Whole
from api_base.serializers import Record, Strict
from authentication import customers, lockout, service_keys
from authentication.models import ServiceKey, User


class PasswordField(AsTyped):
    """A password: taken as typed (blanks count), never answered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, max_length=256, style={"input_type": "password"}, **kwargs)


class UserSerializer(serializers.ModelSerializer[User]):
    """Who is signed in."""

    class Meta:
        model = User
        fields = ["id", "email", "first_name", "last_name", "full_name", "role", "is_superuser"]
        read_only_fields = fields


class LoginSerializer(Strict):
    """E-mail and password."""

    email = Email(max_length=254)
    password = PasswordField()


class TokenPairSerializer(serializers.Serializer[Any]):
    """A pair of tokens."""

    access = serializers.CharField(read_only=True, help_text="Send it as `Authorization: Bearer …`; 30 minutes.")
    refresh = serializers.CharField(read_only=True, help_text="Gives one new pair, once; 7 days.")


class LoginAnswerSerializer(TokenPairSerializer):
    """A pair of tokens and whose they are."""

    user = UserSerializer(read_only=True)


class RefreshSerializer(Strict):
    """A refresh token."""

    refresh = Text(max_length=4_000)


class ChangePasswordSerializer(Strict):
    """The present password and the new one; the context holds the request."""

    current_password = PasswordField()
    new_password = PasswordField()

    def validate_current_password(self, value: str) -> str:
        """It must be the user's; a wrong one counts towards the lock-out. Raises Throttled."""
        request = self.context["request"]
        if lockout.authenticated(request, request.user.email, value) is None:
            raise serializers.ValidationError(_("This is not your present password."), code="wrong_password")
        return value

    def validate_new_password(self, value: str) -> str:
        """It must pass Django's validators."""
        try:
            validate_password(value, self.context["request"].user)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return value


class CustomerRecord(Record):
    """A customer."""

    email = Email(max_length=254, required=False, allow_null=True)
    external_id = Text(
        max_length=120, required=False, allow_null=True, help_text=gettext_lazy("The number in that source.")
    )
    source = Text(max_length=40, required=False)  # type: ignore[assignment]  # a name that DRF's fields have as well

    class Meta:
        model = User
        fields = [
            "id", "email", "first_name", "last_name", "full_name", "phone", "country", "source", "external_id",
            "is_active", "date_joined",
        ]  # fmt: skip
        read_only_fields = ["full_name", "date_joined"]
        validators: list[Any] = []  # what is taken is asked when it is stored, e-mails whatever their case

    def create(self, validated_data: dict[str, Any]) -> User:
        """A customer nobody can sign in as. Raises customers.CustomerError."""
        return customers.store(User(**validated_data))

    def update(self, instance: User, validated_data: dict[str, Any]) -> User:
        """The changed customer. Raises customers.CustomerError."""
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return customers.store(instance)


class ServiceKeyRecord(Record):
    """A key of a shop's server, without the key itself."""

    owner = serializers.CharField(source="owner.email", read_only=True)
    days = Whole(min_value=1, max_value=service_keys.MOST_DAYS, default=365, write_only=True)

    class Meta:
        model = ServiceKey
        fields = ["id", "name", "owner", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at", "days"]
        read_only_fields = ["prefix", "created_at", "expires_at", "last_used_at", "revoked_at"]


class NewServiceKey(ServiceKeyRecord):
    """A new key with its text, which is shown once."""

    key = serializers.CharField(read_only=True, help_text="Send it as `Authorization: Api-Key …`. It is shown once.")

    class Meta(ServiceKeyRecord.Meta):
        fields = [*ServiceKeyRecord.Meta.fields, "key"]

    def create(self, validated_data: dict[str, Any]) -> ServiceKey:
        """The key of the user who asks; its text only lives in this answer."""
        row, text = service_keys.issue(
            self.context["request"].user, validated_data["name"], days=validated_data["days"]
        )
        row.key = text  # type: ignore[attr-defined]
        return row
