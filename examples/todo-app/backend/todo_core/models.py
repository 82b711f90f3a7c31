"""Tables, and the shapes in which tasks travel."""

from datetime import UTC, datetime

from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel


def _now() -> datetime:
    return datetime.now(UTC)


class Task(SQLModel, table=True):
    __tablename__ = "task"

    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(index=True)
    title: str
    notes: str = ""
    completed: bool = False
    created_at: datetime = Field(default_factory=_now, sa_type=DateTime(timezone=True))  # type: ignore[call-overload]
    updated_at: datetime = Field(default_factory=_now, sa_type=DateTime(timezone=True))  # type: ignore[call-overload]


class ChatMessage(SQLModel, table=True):
    __tablename__ = "chat_message"

    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(index=True)
    role: str
    content: str
    actions: str = "[]"
    created_at: datetime = Field(default_factory=_now, sa_type=DateTime(timezone=True))  # type: ignore[call-overload]


class TaskCreate(SQLModel):
    title: str = Field(min_length=1, max_length=200)
    notes: str = Field(default="", max_length=4000)


class TaskUpdate(SQLModel):
    title: str | None = Field(default=None, min_length=1, max_length=200)
    notes: str | None = Field(default=None, max_length=4000)
    completed: bool | None = None


class TaskRead(SQLModel):
    id: int
    title: str
    notes: str
    completed: bool
    created_at: datetime
    updated_at: datetime
