"""The Todo Chatbot's MCP server: streamable HTTP at /mcp, one tool for each thing that can be done with a task."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from todo_core import tasks
from todo_core.auth import InvalidToken, KeysUnavailable, verifier
from todo_core.db import DatabaseUnavailable, database
from todo_core.logs import setup_logging
from todo_core.models import Task, TaskCreate, TaskRead, TaskUpdate
from todo_core.settings import get_settings

setup_logging(get_settings().log_level, get_settings().debug)
log = logging.getLogger("todo.mcp")

mcp = FastMCP(
    "todo",
    instructions="Tools for the signed-in user's to-do list.",
    stateless_http=True,
    json_response=True,
    # The SDK's check of Host and Origin protects servers without authentication from a browser on the same machine. Here
    # every request must carry a token, and the Service's name differs from one release to the next.
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)


class RequireUser:
    """Answers 401 unless the request carries a valid token, and notes its user for the tools.

    The user's id comes from the token alone: no tool has a parameter for it, so no model can choose it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != "/mcp":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            scope.setdefault("state", {})["user_id"] = await verifier.user_id(request.headers.get("authorization"))
        except InvalidToken as error:
            refusal: Response = JSONResponse({"error": str(error)}, 401, {"WWW-Authenticate": "Bearer"})
        except KeysUnavailable as error:
            refusal = JSONResponse({"error": str(error)}, 503)
        else:
            await self.app(scope, receive, send)
            return
        await refusal(scope, receive, send)


def _user_id(context: Context) -> str:
    request = context.request_context.request
    if request is None:
        raise ToolError("no user")
    return str(request.state.user_id)


def _shown(task: Task) -> dict[str, Any]:
    return TaskRead.model_validate(task, from_attributes=True).model_dump(mode="json")


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    try:
        yield
    except (tasks.TaskNotFound, DatabaseUnavailable) as error:
        raise ToolError(str(error)) from None
    except ValidationError as error:
        raise ToolError("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from None


TaskId = Annotated[int, Field(description="The task's id, as list_tasks gives it")]
Title = Annotated[str, Field(description="Short title, at most 200 characters")]
Notes = Annotated[str, Field(description="Longer notes")]


@mcp.tool()
async def add_task(context: Context, title: Title, notes: Notes = "") -> dict[str, Any]:
    """Add a task to the user's list."""
    async with _explained(), database.session() as session:
        return _shown(await tasks.add_task(session, _user_id(context), TaskCreate(title=title, notes=notes)))


@mcp.tool()
async def list_tasks(
    context: Context,
    completed: Annotated[bool | None, Field(description="true: only done tasks, false: only open ones")] = None,
) -> dict[str, Any]:
    """List the user's tasks with their ids, open ones first."""
    async with _explained(), database.session() as session:
        return {"tasks": [_shown(task) for task in await tasks.list_tasks(session, _user_id(context), completed)]}


@mcp.tool()
async def update_task(
    context: Context, task_id: TaskId, title: Title | None = None, notes: Notes | None = None
) -> dict[str, Any]:
    """Change a task's title or notes."""
    async with _explained(), database.session() as session:
        return _shown(await tasks.update_task(session, _user_id(context), task_id, TaskUpdate(title=title, notes=notes)))


@mcp.tool()
async def complete_task(
    context: Context,
    task_id: TaskId,
    completed: Annotated[bool, Field(description="false opens the task again")] = True,
) -> dict[str, Any]:
    """Mark a task as done, or open it again."""
    async with _explained(), database.session() as session:
        return _shown(await tasks.update_task(session, _user_id(context), task_id, TaskUpdate(completed=completed)))


@mcp.tool()
async def delete_task(context: Context, task_id: TaskId) -> dict[str, Any]:
    """Delete a task for good."""
    async with _explained(), database.session() as session:
        return {"deleted": _shown(await tasks.delete_task(session, _user_id(context), task_id))}


@mcp.custom_route("/health", methods=["GET"])
async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


@mcp.custom_route("/health/ready", methods=["GET"])
async def ready(_: Request) -> Response:
    try:
        await database.check()
    except DatabaseUnavailable as error:
        return JSONResponse({"status": "unavailable", "reason": str(error)}, status_code=503)
    return JSONResponse({"status": "ok"})


def _build() -> Starlette:
    application = mcp.streamable_http_app()
    run_sessions = application.router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: Starlette) -> AsyncIterator[Any]:
        with suppress(DatabaseUnavailable):
            await database.check()
            log.info("database ready")
        async with run_sessions(started) as state:
            yield state
        await database.close()

    application.router.lifespan_context = lifespan
    application.add_middleware(RequireUser)
    return application


app = _build()
