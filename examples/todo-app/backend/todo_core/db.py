"""The PostgreSQL connection: URL forms, TLS settings, tables made once, and a check that says why it fails."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import certifi
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from todo_core import models  # noqa: F401  (registers the tables)
from todo_core.settings import get_settings

log = logging.getLogger("todo.db")

CONNECT_SECONDS = 5
CHECK_SECONDS = 4
# The frontend guards its own tables with another number of the same form ("todo" in ASCII, then a counter).
SCHEMA_LOCK = 0x746F646F_00000002


class DatabaseUnavailable(Exception):
    """The database cannot be used now; the message is fit for a user and holds no password."""


def _tls_argument(mode: str, root_cert: str | None) -> Any:
    """asyncpg's `ssl` argument for libpq's `sslmode`."""
    if mode in ("disable", "allow", "prefer", "require") and not root_cert:
        return mode
    context = ssl.create_default_context(cafile=root_cert if root_cert and root_cert != "system" else certifi.where())
    context.check_hostname = mode == "verify-full"
    return context


def engine_arguments(database_url: str) -> tuple[URL, dict[str, Any]]:
    """Turn any PostgreSQL URL (asyncpg, plain, with libpq's query parameters) into SQLAlchemy's URL and asyncpg's arguments."""
    if not database_url:
        raise DatabaseUnavailable("DATABASE_URL is not set")
    try:
        url = make_url(database_url)
    except (SQLAlchemyError, ValueError):
        raise DatabaseUnavailable("DATABASE_URL is not a URL: postgresql://user:password@host/database is expected") from None
    if url.drivername.split("+")[0] not in ("postgres", "postgresql"):
        raise DatabaseUnavailable(f"DATABASE_URL names {url.drivername}, only PostgreSQL is supported")

    query = {key: value if isinstance(value, str) else value[-1] for key, value in url.query.items()}
    arguments: dict[str, Any] = {"timeout": float(query.pop("connect_timeout", CONNECT_SECONDS))}
    mode = query.pop("sslmode", None) or query.pop("ssl", None)
    query.pop("ssl", None)
    root_cert = query.pop("sslrootcert", None)
    if mode:
        arguments["ssl"] = _tls_argument({"true": "require", "false": "disable"}.get(mode, mode), root_cert)
    # libpq's client-side settings mean nothing to asyncpg; what is left are settings of the server.
    for client_side in ("channel_binding", "sslcert", "sslkey", "sslcrl", "target_session_attrs", "gssencmode"):
        query.pop(client_side, None)
    if query:
        arguments["server_settings"] = query
    # A pooler hands each transaction to another server connection, where a prepared statement's name may be taken.
    if url.host and "-pooler." in url.host:
        arguments["statement_cache_size"] = 0
        arguments["prepared_statement_name_func"] = lambda: f"__todo_{uuid4()}__"
    return url.set(drivername="postgresql+asyncpg", query={}), arguments


def describe_failure(error: BaseException, url: URL | None) -> str:
    """One line with the address and the server's own words."""
    where = f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''} as {url.username or '?'}" if url else "database"
    if isinstance(error, TimeoutError):
        return f"database {where}: no answer within {CHECK_SECONDS} s"
    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
    words = " ".join(str(cause).split()) or type(cause).__name__
    return f"database {where}: {words}"


class Database:
    """One engine for the process. Tables are made on first use, under a lock that every replica honours."""

    def __init__(self) -> None:
        self._engine: AsyncEngine | None = None
        self._sessions: async_sessionmaker[AsyncSession] | None = None
        self._url: URL | None = None
        self._schema_ready = False
        self._schema_lock = asyncio.Lock()
        self._last_reason: str | None = None

    def _open(self) -> AsyncEngine:
        if self._engine is None:
            self._url, arguments = engine_arguments(get_settings().database_url)
            self._engine = create_async_engine(
                self._url, connect_args=arguments, pool_size=5, max_overflow=5, pool_pre_ping=True, pool_timeout=CHECK_SECONDS
            )
            self._sessions = async_sessionmaker(self._engine, class_=AsyncSession, expire_on_commit=False)
        return self._engine

    async def _make_tables(self, engine: AsyncEngine) -> None:
        async with self._schema_lock:
            if self._schema_ready:
                return
            async with engine.begin() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})
                await connection.run_sync(SQLModel.metadata.create_all)
            self._schema_ready = True

    def _failed(self, error: BaseException) -> DatabaseUnavailable:
        reason = str(error) if isinstance(error, DatabaseUnavailable) else describe_failure(error, self._url)
        if reason != self._last_reason:
            log.error("database refused: %s", reason)
        self._last_reason = reason
        return DatabaseUnavailable(reason)

    async def check(self) -> None:
        """Raise DatabaseUnavailable unless the database answers and has the tables. Logs each change of the answer once."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                engine = self._open()
                await self._make_tables(engine)
                async with engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError, TimeoutError, DatabaseUnavailable) as error:
            raise self._failed(error) from None
        except Exception as error:  # asyncpg raises errors of its own while it connects
            raise self._failed(error) from None
        if self._last_reason is not None:
            log.info("database answers again")
        self._last_reason = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for one request; what goes wrong between here and the server becomes DatabaseUnavailable."""
        try:
            engine = self._open()
            if not self._schema_ready:
                await self._make_tables(engine)
            assert self._sessions is not None
            async with self._sessions() as session:
                yield session
        except DatabaseUnavailable as error:
            raise self._failed(error) from None
        except (OSError, TimeoutError) as error:
            raise self._failed(error) from None
        except SQLAlchemyError as error:
            log.debug("statement failed", exc_info=True)
            raise self._failed(error) from None

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.dispose()


database = Database()
