"""Forgetting a customer: what a user is known by, and the end of the account with all that hangs on it."""

from __future__ import annotations

from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from authentication import suppression
from authentication.models import Role, User

SHORTEST_SURNAME = 4
"""Characters; a shorter last name alone is too often a part of something else."""


def is_customer(user: User) -> bool:
    """Is this a customer and nothing else? Staff are not erased as customers."""
    return user.role == Role.CUSTOMER and not (user.is_staff or user.is_superuser)


def known_by(user: User) -> dict[str, tuple[str, ...]]:
    """`emails`, `phones`, `numbers` and `names` by which texts and files may name this user."""
    number = user.external_id or ""
    emails = {text.lower() for text in (user.email or "", number) if "@" in text}
    first, last = user.first_name, user.last_name
    names = [user.full_name] if " " in user.full_name else []
    if first and last:
        names += [f"{last} {first}", f"{last}, {first}"]
    if _is_of_one(user, "last_name"):
        names.append(user.last_name)
    return {
        "emails": tuple(sorted(emails)),
        "phones": (user.phone,) if user.phone else (),
        "numbers": (number,) if number else (),
        "names": tuple(names),
    }


def forget(user: User) -> dict[str, int]:
    """Remove a user and every token, in the caller's transaction; hashes keep an import from bringing them back."""
    suppressed = suppression.forget(user)
    tokens = OutstandingToken.objects.filter(user_id=user.pk)
    count = tokens.count()
    tokens.delete()  # the blacklist's rows go with them
    user.delete()
    return {"account": 1, "tokens": count, "suppressed": suppressed}


def _is_of_one(user: User, field: str) -> bool:
    """Does this name tell the user from everybody else in the shop?"""
    name = getattr(user, field)
    others = User.objects.filter(**{f"{field}__iexact": name}).exclude(pk=user.pk)
    return len(name) >= SHORTEST_SURNAME and not others.exists()
