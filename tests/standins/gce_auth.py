"""Who may ask the stand-in for Compute Engine: the service account whose key file it hands out.

As with the real service there are two ways, and Google's client chooses: a token of the token endpoint, got by a signed
JWT (RFC 7523), or such a JWT itself as bearer token. Signatures and times are verified. Anything else gets 401.
"""

import json
import secrets
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import exceptions, jwt
from standins.gce_messages import ApiError

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Accounts:
    """One service account, its key, and the tokens that it was given."""

    def __init__(self, project: str) -> None:
        self.email = f"lab@{project}.iam.gserviceaccount.com"
        self.project = project
        self._tokens: dict[str, float] = {}
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def write_key_file(self, path: Path, token_uri: str) -> None:
        """A service account's key file as the console hands it out, but with the stand-in's token endpoint."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "standin",
            "private_key": pem.decode(),
            "client_email": self.email,
            "client_id": "1",
            "token_uri": token_uri,
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """The token endpoint's answer to a signed JWT. Raises ApiError 400 as the real one does."""
        if form.get("grant_type") != GRANT:
            raise ApiError(400, "unsupported_grant_type", "Invalid grant_type")
        if not self._signed(form.get("assertion", "")):
            raise ApiError(400, "invalid_grant", "Invalid JWT Signature.")
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.time() + 3600
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def check(self, authorization: str) -> None:
        """Raises ApiError 401 unless a header's bearer token is one of ours."""
        scheme, _, token = authorization.partition(" ")
        if scheme == "Bearer" and (self._tokens.get(token, 0) > time.time() or self._signed(token)):
            return
        raise ApiError(401, "authError", "Request had invalid authentication credentials.")

    def _signed(self, token: str) -> bool:
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        try:
            return bool(jwt.decode(token, certs=public)["iss"] == self.email)
        except (ValueError, KeyError, exceptions.GoogleAuthError):
            return False
