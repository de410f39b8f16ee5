"""The certificate of an erasure: what was removed where, what stays and why, signed. It names nobody."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from ml_predictions import conf
from ml_predictions.messages import TEXTS, message
from ml_predictions.models_erasure import PersonalDataErasure


def draw_up(row: PersonalDataErasure) -> dict[str, Any]:
    """The certificate of a row whose steps are done, its sentences as messages."""
    done: dict[str, Any] = row.done
    return {
        "id": row.pk,
        "requested_by": row.requested_by,
        "requested_at": row.requested_at.isoformat(),
        "account_removed_at": row.forgotten_at.isoformat() if row.forgotten_at else None,
        "training_log_id": row.training_log_id,
        "removed": [
            {"place": name, "what": _named(name), "count": count}
            for name, count in {**done["shop"], **done["places"]}.items()
            if name != "suppressed"
        ],
        "versions": [_version(entry) for entry in done.get("versions", [])],
        "versions_without": message("erasure.versions_without"),
        "stays": [
            message("erasure.stays_orders", orders=done["shop"].get("orders", 0)),
            message("erasure.stays_sums"),
            message("erasure.stays_hashes", hashes=done["shop"].get("suppressed", 0)),
        ],
        "backups": _backups(row),
    }


def sign(row: PersonalDataErasure) -> None:
    """Checksum and signature of the certificate as it is stored."""
    content = _canonical(row.certificate)
    row.sha256 = hashlib.sha256(content).hexdigest()
    row.signature = _signature(conf.get("ARTIFACT_KEYS")[0], content)


def is_genuine(row: PersonalDataErasure) -> bool:
    """Is the stored certificate the one that was signed with a key of ours?"""
    content = _canonical(row.certificate)
    if hashlib.sha256(content).hexdigest() != row.sha256:
        return False
    return any(hmac.compare_digest(_signature(key, content), row.signature) for key in conf.get("ARTIFACT_KEYS"))


def _named(place: str) -> dict[str, Any]:
    code = f"erasure.place_{place}"
    return message(code) if code in TEXTS else message("erasure.place_other", place=place)


def _version(entry: dict[str, Any]) -> dict[str, Any]:
    found = {"why": None, "new_version": None, **entry}
    return {**found, "text": message(f"erasure.version_{entry['what']}")}


def _backups(row: PersonalDataErasure) -> dict[str, Any]:
    days = conf.get("BACKUP_RETENTION_DAYS")
    if days is None or row.forgotten_at is None:
        return {"retention_days": None, "gone_by": None, "text": message("erasure.backups_unknown")}
    gone = (row.forgotten_at + timedelta(days=days)).date().isoformat()
    return {"retention_days": days, "gone_by": gone, "text": message("erasure.backups", days=days, date=gone)}


def _canonical(certificate: Any) -> bytes:
    return json.dumps(certificate, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _signature(key: str, content: bytes) -> str:
    return hmac.new(f"erasure:{key}".encode(), content, hashlib.sha256).hexdigest()
