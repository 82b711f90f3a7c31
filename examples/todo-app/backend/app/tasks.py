"""/api/tasks"""

from fastapi import APIRouter

from app.deps import CurrentUser, Session
from todo_core import tasks
from todo_core.models import Task, TaskCreate, TaskRead, TaskUpdate

router = APIRouter(prefix="/api/tasks", tags=["tasks"])


@router.get("", response_model=list[TaskRead])
async def list_all(user: CurrentUser, session: Session, completed: bool | None = None) -> list[Task]:
    return await tasks.list_tasks(session, user.id, completed)


@router.post("", response_model=TaskRead, status_code=201)
async def create(fields: TaskCreate, user: CurrentUser, session: Session) -> Task:
    return await tasks.add_task(session, user.id, fields)


@router.get("/{task_id}", response_model=TaskRead)
async def read(task_id: int, user: CurrentUser, session: Session) -> Task:
    return await tasks.get_task(session, user.id, task_id)


@router.patch("/{task_id}", response_model=TaskRead)
async def update(task_id: int, fields: TaskUpdate, user: CurrentUser, session: Session) -> Task:
    return await tasks.update_task(session, user.id, task_id, fields)


@router.delete("/{task_id}", status_code=204)
async def delete(task_id: int, user: CurrentUser, session: Session) -> None:
    await tasks.delete_task(session, user.id, task_id)
