"""The tokens of a sign-in: issued, rotated, revoked.

Every token carries the user's session hash (an HMAC of the password and a counter, the same that Django keeps in its
own sessions). A changed password or a raised counter therefore ends every token at once: refresh and access tokens, and
the admin's sessions. The blacklist beside it finds a refresh token that is used a second time.
"""

from __future__ import annotations

from typing import Any, cast

from django.db import transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken, Token

from authentication.models import User

SESSION_CLAIM = "session"


class SessionRefreshToken(RefreshToken):
    """A refresh token bound to the user's session hash; so is the access token made from it."""

    @classmethod
    def for_user(cls, user: Any) -> SessionRefreshToken:
        """A new token of this user.

        The copy that simplejwt stores is written before the session claim is added: reading the table of outstanding
        tokens therefore gives nobody a token that works.
        """
        token = cast("SessionRefreshToken", super().for_user(user))
        token[SESSION_CLAIM] = user.get_session_auth_hash()
        return token

    def check_blacklist(self) -> None:
        """Nothing here: a reused token must be recognised as such (see `rotate`), not merely be refused."""


class TokenAuthentication(JWTAuthentication):
    """`Authorization: Bearer …`; refused when the token's session has been revoked since."""

    def get_validated_token(self, raw_token: bytes) -> Token:
        """The token, read. Raises InvalidToken (401), which says what to do."""
        try:
            return super().get_validated_token(raw_token)
        except InvalidToken as error:
            told = _("The access token is over, or none of ours. Sign in again, or ask for a new pair ({call}).")
            raise InvalidToken(told.format(call="POST /api/auth/refresh/")) from error

    def get_user(self, validated_token: Token) -> Any:
        """The active user of this token."""
        user = cast("User", super().get_user(validated_token))
        if not _is_of_session(validated_token, user):
            raise AuthenticationFailed(_("This sign-in has been revoked. Sign in again."), code="session_revoked")
        return user


def issue(user: User) -> dict[str, str]:
    """A new pair of tokens: `{access, refresh}`."""
    refresh = SessionRefreshToken.for_user(user)
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def rotate(encoded: str) -> dict[str, str]:
    """A new pair for a refresh token, which is used up by it.

    A token that was used before revokes every token of its user: either the one who uses it now or the one who used it
    first has stolen it. Raises InvalidToken (401).
    """
    pair = None
    with transaction.atomic():
        refresh, user = _read(encoded)
        _row, first_use = cast("tuple[BlacklistedToken, bool]", refresh.blacklist())
        if first_use:
            pair = issue(user)
        else:
            revoke_all(user)
    if pair is None:  # raised outside the transaction: the revocation must stay
        raise InvalidToken(
            _("This refresh token was used before, so every sign-in of this user is ended. Sign in again.")
        )
    return pair


def end(encoded: str, user: User) -> None:
    """Use up one refresh token of this user: signing out. Raises InvalidToken when it is not this user's."""
    with transaction.atomic():
        refresh, owner = _read(encoded)
        if owner.pk != user.pk:
            raise InvalidToken(_("This refresh token belongs to another user."))
        refresh.blacklist()


def revoke_all(user: User) -> None:
    """End every token and every session of this user, at once."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(session_number=F("session_number") + 1)
        user.refresh_from_db(fields=["session_number"])
        left = OutstandingToken.objects.filter(user_id=user.pk, blacklistedtoken=None).values_list("pk", flat=True)
        BlacklistedToken.objects.bulk_create(
            [BlacklistedToken(token_id=pk) for pk in left], batch_size=500, ignore_conflicts=True
        )


def _read(encoded: str) -> tuple[SessionRefreshToken, User]:
    """The token and its user, whose row stays locked until the transaction ends."""
    try:
        token = SessionRefreshToken(encoded)  # type: ignore[arg-type]  # simplejwt declares Token and means text
    except TokenError as error:
        raise InvalidToken(error.args[0]) from error
    user = User.objects.select_for_update().filter(pk=token.get(api_settings.USER_ID_CLAIM)).first()
    if user is None or not user.is_active or not _is_of_session(token, user):
        raise InvalidToken(_("This sign-in has been revoked. Sign in again."))
    return token, user


def _is_of_session(token: Token, user: User) -> bool:
    return constant_time_compare(str(token.get(SESSION_CLAIM, "")), user.get_session_auth_hash())
