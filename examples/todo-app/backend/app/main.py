"""The Todo Chatbot's API."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from app import chat, tasks
from app.assistant import why_off
from todo_core.db import DatabaseUnavailable, database
from todo_core.logs import setup_logging
from todo_core.settings import get_settings
from todo_core.tasks import TaskNotFound

settings = get_settings()
setup_logging(settings.log_level, settings.debug)
log = logging.getLogger("todo.api")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # A database that is down must not stop the start: the pod stays alive, unready, and says why.
    with suppress(DatabaseUnavailable):
        await database.check()
        log.info("database ready")
    if reason := why_off():
        log.warning(reason)
    yield
    await database.close()


app = FastAPI(title="Todo Chatbot API", version="1.0.0", debug=settings.debug, lifespan=lifespan)
app.add_middleware(
    CORSMiddleware,
    allow_origins=settings.cors_origin_list,
    allow_credentials=True,
    allow_methods=["GET", "POST", "PATCH", "DELETE"],
    allow_headers=["Authorization", "Content-Type"],
)
app.include_router(tasks.router)
app.include_router(chat.router)


@app.exception_handler(TaskNotFound)
async def _not_found(_: Request, error: TaskNotFound) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=404)


@app.exception_handler(DatabaseUnavailable)
async def _unavailable(_: Request, error: DatabaseUnavailable) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)


@app.get("/health", tags=["health"])
async def health() -> dict[str, str]:
    """The process answers; for the liveness and startup probes."""
    return {"status": "ok"}


@app.get("/health/ready", tags=["health"])
async def ready() -> JSONResponse:
    """The database answers too; for the readiness probe."""
    try:
        await database.check()
    except DatabaseUnavailable as error:
        return JSONResponse({"status": "unavailable", "reason": str(error)}, status_code=503)
    return JSONResponse({"status": "ok"})
