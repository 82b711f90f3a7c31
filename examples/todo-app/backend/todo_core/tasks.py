"""Task operations. Every one takes the user's id, and none reaches another user's row."""

from datetime import UTC, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from todo_core.models import Task, TaskCreate, TaskUpdate


class TaskNotFound(Exception):
    def __init__(self, task_id: int) -> None:
        super().__init__(f"there is no task {task_id}")


async def list_tasks(session: AsyncSession, user_id: str, completed: bool | None = None) -> list[Task]:
    """Open tasks first, the newest of each on top."""
    query = select(Task).where(Task.user_id == user_id)
    if completed is not None:
        query = query.where(Task.completed == completed)
    query = query.order_by(col(Task.completed), col(Task.created_at).desc(), col(Task.id).desc())
    return list((await session.exec(query)).all())


async def get_task(session: AsyncSession, user_id: str, task_id: int) -> Task:
    task = (await session.exec(select(Task).where(Task.id == task_id, Task.user_id == user_id))).first()
    if task is None:
        raise TaskNotFound(task_id)
    return task


async def add_task(session: AsyncSession, user_id: str, fields: TaskCreate) -> Task:
    task = Task(user_id=user_id, title=fields.title.strip(), notes=fields.notes.strip())
    session.add(task)
    await session.commit()
    return task


async def update_task(session: AsyncSession, user_id: str, task_id: int, fields: TaskUpdate) -> Task:
    task = await get_task(session, user_id, task_id)
    for name, value in fields.model_dump(exclude_unset=True, exclude_none=True).items():
        setattr(task, name, value.strip() if isinstance(value, str) else value)
    task.updated_at = datetime.now(UTC)
    session.add(task)
    await session.commit()
    return task


async def delete_task(session: AsyncSession, user_id: str, task_id: int) -> Task:
    task = await get_task(session, user_id, task_id)
    await session.delete(task)
    await session.commit()
    return task
