"""What routes ask for: the signed-in user and a database session."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, HTTPException
from sqlmodel.ext.asyncio.session import AsyncSession

from todo_core.auth import InvalidToken, KeysUnavailable, verifier
from todo_core.db import database


@dataclass(frozen=True)
class User:
    id: str
    # Passed on to the MCP server, which verifies it again: no service believes another's word about who the user is.
    authorization: str


async def current_user(authorization: Annotated[str | None, Header()] = None) -> User:
    try:
        return User(id=await verifier.user_id(authorization), authorization=authorization or "")
    except InvalidToken as error:
        raise HTTPException(401, str(error), headers={"WWW-Authenticate": "Bearer"}) from None
    except KeysUnavailable as error:
        raise HTTPException(503, str(error)) from None


async def db_session() -> AsyncIterator[AsyncSession]:
    async with database.session() as session:
        yield session


CurrentUser = Annotated[User, Depends(current_user)]
Session = Annotated[AsyncSession, Depends(db_session)]
