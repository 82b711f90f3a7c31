"""/api/chat: the conversation is kept in the database, so that every replica and every reload sees the same one."""

import json
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.assistant import AssistantError, answer, why_off
from app.deps import CurrentUser, Session
from todo_core.models import ChatMessage

router = APIRouter(prefix="/api/chat", tags=["chat"])

SHOWN = 200
REMEMBERED = 20


class Ask(BaseModel):
    message: str = Field(min_length=1, max_length=4000)


def _shown(message: ChatMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "role": message.role,
        "content": message.content,
        "actions": json.loads(message.actions),
        "created_at": message.created_at,
    }


async def _latest(session: AsyncSession, user_id: str, count: int) -> list[ChatMessage]:
    query = select(ChatMessage).where(ChatMessage.user_id == user_id).order_by(col(ChatMessage.id).desc()).limit(count)
    return list(reversed((await session.exec(query)).all()))


@router.get("")
async def read(user: CurrentUser, session: Session) -> dict[str, Any]:
    reason = why_off()
    messages = [_shown(message) for message in await _latest(session, user.id, SHOWN)]
    return {"enabled": reason is None, "reason": reason, "messages": messages}


@router.post("")
async def ask(body: Ask, user: CurrentUser, session: Session) -> dict[str, Any]:
    history = [{"role": m.role, "content": m.content} for m in await _latest(session, user.id, REMEMBERED)]
    history.append({"role": "user", "content": body.message})
    # The model may take a minute; the connection goes back to the pool meanwhile.
    await session.commit()
    try:
        reply, actions = await answer(history, user.authorization)
    except AssistantError as error:
        raise HTTPException(error.status, str(error)) from None
    question = ChatMessage(user_id=user.id, role="user", content=body.message)
    response = ChatMessage(user_id=user.id, role="assistant", content=reply, actions=json.dumps(actions))
    session.add(question)
    await session.flush()
    session.add(response)
    await session.commit()
    return {"messages": [_shown(question), _shown(response)]}


@router.delete("", status_code=204)
async def clear(user: CurrentUser, session: Session) -> None:
    await session.exec(delete(ChatMessage).where(col(ChatMessage.user_id) == user.id))
    await session.commit()
