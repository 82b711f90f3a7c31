"""Verification of the tokens that Better Auth signs, through the frontend's JWKS."""

import asyncio
import logging
import time
from typing import Any

import httpx
import jwt

from todo_core.settings import get_settings

log = logging.getLogger("todo.auth")

ALGORITHMS = ["EdDSA", "ES256", "ES512", "PS256", "RS256"]
REFETCH_SECONDS = 10
FETCH_TIMEOUT = 5.0


class InvalidToken(Exception):
    """The token is missing, malformed, expired or not signed by our frontend."""


class KeysUnavailable(Exception):
    """The frontend's key set cannot be read, so no token can be judged."""


class TokenVerifier:
    """Keys are kept until a token names an unknown one; an unknown name alone cannot cause more than one fetch in ten seconds."""

    def __init__(self) -> None:
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._lock = asyncio.Lock()

    async def _fetch(self) -> None:
        url = get_settings().better_auth_url.rstrip("/") + "/api/auth/jwks"
        try:
            async with httpx.AsyncClient(timeout=FETCH_TIMEOUT) as client:
                response = await client.get(url)
                response.raise_for_status()
                key_set = jwt.PyJWKSet.from_dict(response.json())
        except (httpx.HTTPError, ValueError, AttributeError, jwt.PyJWTError) as error:
            log.error("cannot read the sign-in keys from %s: %s", url, error or type(error).__name__)
            raise KeysUnavailable(f"cannot read the sign-in keys from {url}: {error or type(error).__name__}") from None
        self._keys = {key.key_id: key for key in key_set.keys if key.key_id}
        self._fetched_at = time.monotonic()

    async def _key(self, key_id: str) -> jwt.PyJWK:
        async with self._lock:
            if key_id not in self._keys and time.monotonic() - self._fetched_at > REFETCH_SECONDS:
                await self._fetch()
        if key_id not in self._keys:
            raise InvalidToken("the token is signed with an unknown key")
        return self._keys[key_id]

    async def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid token; `sub` is the user's id."""
        settings = get_settings()
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise InvalidToken("the token is malformed") from None
        if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
            raise InvalidToken("the token is not signed as expected")
        key = await self._key(header["kid"])
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=settings.jwt_issuer,
                audience=settings.jwt_audience,
                leeway=30,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise InvalidToken(str(error)) from None

    async def user_id(self, authorization: str | None) -> str:
        """The user's id from an Authorization header."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InvalidToken("sign in first")
        return str((await self.verify(token.strip()))["sub"])


verifier = TokenVerifier()
