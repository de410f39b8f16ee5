"""The user: signs in with an e-mail, has one of four roles. A customer is a user who seldom signs in."""

from __future__ import annotations

from collections.abc import Iterable
from secrets import token_urlsafe
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a user may do: `admin` sees everything, a customer only what is theirs."""

    ADMIN = "admin", _("Administrator")
    MANAGER = "manager", _("Manager")
    EMPLOYEE = "employee", _("Employee")
    CUSTOMER = "customer", _("Customer")


def unusable_password() -> str:
    """As Django's `make_password(None)`, which takes a hundred times as long."""
    return UNUSABLE_PASSWORD_PREFIX + token_urlsafe(30)


class UserManager(BaseUserManager["User"]):
    """Makes users; an e-mail is kept in lower case, so that signing in does not depend on case."""

    def create_user(self, email: str | None = None, password: str | None = None, **extra: Any) -> User:
        """One user; without a password nobody can sign in as them."""
        user = self.model(email=email, **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:
        """One administrator who may do everything."""
        extra.setdefault("role", Role.ADMIN)
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)

    def bulk_create_customers(self, customers: Iterable[User], *, batch_size: int = 2_000) -> list[User]:
        """Many customers at once, with no usable password and without hashing one each."""
        rows = list(customers)
        for user in rows:
            user.role = Role.CUSTOMER
            user.password = unusable_password()
            user.normalise()
        return self.bulk_create(rows, batch_size=batch_size)

    def get_by_natural_key(self, username: str | None) -> User:
        """The user with this e-mail, in whatever case it was typed."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person: staff who sign in, or a customer known by e-mail or by the shop's number."""

    email = models.EmailField(_("e-mail"), unique=True, null=True, blank=True)
    first_name = models.CharField(_("first name"), max_length=150, blank=True)
    last_name = models.CharField(_("last name"), max_length=150, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    country = models.CharField(_("country"), max_length=80, blank=True)
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.CUSTOMER)
    source = models.CharField(
        _("source"),
        max_length=40,
        default="shop",
        help_text=_("Where this customer came from: an import's name."),
    )
    external_id = models.CharField(
        _("external number"), max_length=120, null=True, blank=True,
        help_text=_("The customer's number in that source."),
    )  # fmt: skip
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may open the admin"), default=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    session_number = models.PositiveIntegerField(
        _("session number"), default=0, editable=False,
        help_text=_("Raising it ends every session and every token of this user."),
    )  # fmt: skip

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["-id"]
        # For the API, which shows customers and never the staff: seeing users in the admin is more than that.
        permissions = [
            ("view_customer", _("May look at customers over the API")),
            ("add_customer", _("May enter customers over the API")),
            ("change_customer", _("May change customers over the API")),
        ]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_case_insensitive"),
            models.UniqueConstraint(fields=["source", "external_id"], name="user_external_id_in_source"),
        ]
        indexes = [
            models.Index(fields=["role", "id"], name="user_role"),
            models.Index(fields=["external_id"], name="user_external_id"),
            models.Index(fields=["last_name"], name="user_last_name"),
        ]

    def __str__(self) -> str:
        return self.email or self.full_name or f"{self.source} {self.external_id or self.pk}"

    @property
    def full_name(self) -> str:
        """First and last name, or whatever there is of them."""
        return f"{self.first_name} {self.last_name}".strip()

    def get_full_name(self) -> str:
        """Django's name for `full_name`."""
        return self.full_name

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's session hash, which ends with the password, made to end with `session_number` too."""
        value = f"{self.password}|{self.session_number}"
        return salted_hmac("authentication.User.session", value, secret=secret, algorithm="sha256").hexdigest()

    def normalise(self) -> None:
        """Lower the e-mail, turn empty keys into none; the role `admin` implies staff, a customer is never staff."""
        self.email = (self.email or "").strip().lower() or None
        self.external_id = (self.external_id or "").strip() or None
        if self.role == Role.ADMIN or self.is_superuser:
            self.is_staff = True
        elif self.role == Role.CUSTOMER:
            self.is_staff = False

    def clean(self) -> None:
        """Normalise before the form checks uniqueness."""
        super().clean()
        self.normalise()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, normalised."""
        self.normalise()
        super().save(*args, **kwargs)


class ErasedPerson(models.Model):
    """A keyed hash of an e-mail or number of somebody who was erased: an import must not bring them back.

    Written and looked up by `authentication.suppression`; the hash says nothing to whom the key is unknown.
    """

    digest = models.CharField(_("keyed hash"), max_length=64, unique=True)
    created_at = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        verbose_name = _("erased person")
        verbose_name_plural = _("erased persons")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.digest[:12]}…"


class ServiceKey(models.Model):
    """A read-only key of a shop's server; written, found and ended by `authentication.service_keys`."""

    name = models.CharField(_("name"), max_length=80, help_text=_("What it is for, such as “shop front”."))
    owner = models.ForeignKey(
        User, models.CASCADE, related_name="service_keys", verbose_name=_("owner of the key"), editable=False,
        help_text=_("The key reads what this user may read."),
    )  # fmt: skip
    prefix = models.CharField(_("begins with"), max_length=8, unique=True, editable=False)
    digest = models.CharField(_("hash"), max_length=64, editable=False)
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("service key")
        verbose_name_plural = _("service keys")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
