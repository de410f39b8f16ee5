"""Customers by hand or by API: each e-mail and number once, and never a person who was erased."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from authentication import suppression
from authentication.models import Role, User


class CustomerError(ValueError):
    """An e-mail or number that is taken, or that belongs to a person who was erased."""


@transaction.atomic
def store(customer: User) -> User:
    """Store a new or changed customer; a new one has no password that works. Raises CustomerError."""
    customer.role = Role.CUSTOMER
    customer.normalise()
    others = User.objects.exclude(pk=customer.pk)
    if customer.email and others.filter(email=customer.email).exists():
        raise CustomerError(_("The e-mail {email} belongs to another user.").format(email=customer.email))
    if customer.external_id and others.filter(source=customer.source, external_id=customer.external_id).exists():
        raise CustomerError(
            _("The number {number} of the source {source} belongs to another customer.").format(
                number=customer.external_id, source=customer.source
            )
        )
    if _erased(customer):
        raise CustomerError(_("This e-mail or number belongs to a person whose data were erased: it cannot come back."))
    if customer.pk is None:
        customer.set_unusable_password()
    customer.save()
    return customer


def _erased(customer: User) -> bool:
    emails = [customer.email] if customer.email else []
    numbers = [customer.external_id] if customer.external_id else []
    return bool(suppression.erased_emails(emails) or suppression.erased_numbers(customer.source, numbers))
