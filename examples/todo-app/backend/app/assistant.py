"""One turn of the chat: the model decides, the MCP server acts, the model sums up."""

import json
import logging
from typing import Any

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent, Tool
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, AuthenticationError, OpenAIError

from todo_core.settings import get_settings

log = logging.getLogger("todo.chat")

MAX_ROUNDS = 6
MODEL_SECONDS = 60.0
MCP_SECONDS = 15.0

INSTRUCTIONS = (
    "You manage the user's to-do list through the tools you are given. Call list_tasks when you need a task's id. "
    "Do what is asked without asking back unless it is ambiguous, then confirm in one short, friendly sentence. "
    "Never invent tasks, and never claim a change that no tool has made."
)


class AssistantError(Exception):
    """The turn failed; `status` is for the HTTP answer and the message for the user."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def why_off() -> str | None:
    """The reason why chat cannot work at all, or None when it can."""
    if not get_settings().openai_api_key.strip():
        return "Chat is off because no OPENAI_API_KEY is set. Everything else works; deploy again with a key to turn chat on."
    return None


def _as_function(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description or "", "parameters": tool.inputSchema},
    }


def _result_text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent)) or "done"


async def _call_tool(session: ClientSession, name: str, raw_arguments: str) -> tuple[dict[str, Any], str, bool]:
    """Returns (arguments, text for the model, whether it worked)."""
    try:
        arguments = json.loads(raw_arguments or "{}")
    except ValueError:
        return {}, "the arguments are not valid JSON", False
    if not isinstance(arguments, dict):
        return {}, "the arguments must be an object", False
    result = await session.call_tool(name, arguments)
    return arguments, _result_text(result), not result.isError


async def _converse(session: ClientSession, client: AsyncOpenAI, messages: list[Any]) -> tuple[str, list[dict[str, Any]]]:
    tools = [_as_function(tool) for tool in (await session.list_tools()).tools]
    actions: list[dict[str, Any]] = []
    for _ in range(MAX_ROUNDS):
        completion = await client.chat.completions.create(model=get_settings().openai_model, messages=messages, tools=tools)
        if not completion.choices:
            raise AssistantError(502, "the language model sent an empty answer")
        message = completion.choices[0].message
        if not message.tool_calls:
            return message.content or "Done.", actions
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            arguments, text, worked = await _call_tool(session, call.function.name, call.function.arguments)
            log.info("tool %s %s", call.function.name, "done" if worked else f"failed: {text}")
            actions.append({"tool": call.function.name, "arguments": arguments, "ok": worked})
            messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
    return "I stopped after several steps without finishing; please ask for less at once.", actions


def _root_cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explain(error: BaseException) -> AssistantError:
    settings = get_settings()
    if isinstance(error, AssistantError):
        return error
    if isinstance(error, AuthenticationError):
        return AssistantError(502, f"The language model at {settings.openai_base_url} refused the OPENAI_API_KEY.")
    if isinstance(error, APIConnectionError):
        cause = error.__cause__ or error
        return AssistantError(502, f"The language model at {settings.openai_base_url} cannot be reached: {cause}")
    if isinstance(error, APIStatusError):
        return AssistantError(502, f"The language model at {settings.openai_base_url} answered {error.status_code}: {error.message}")
    if isinstance(error, OpenAIError):
        return AssistantError(502, f"The language model failed: {error}")
    return AssistantError(502, f"The task tools at {settings.mcp_server_url} cannot be used: {error or type(error).__name__}")


async def answer(history: list[dict[str, str]], authorization: str) -> tuple[str, list[dict[str, Any]]]:
    """`history` ends with the user's message. Returns the reply and the tool calls that were made."""
    if reason := why_off():
        raise AssistantError(503, reason)
    settings = get_settings()
    messages: list[Any] = [{"role": "system", "content": INSTRUCTIONS}, *history]
    client = AsyncOpenAI(
        api_key=settings.openai_api_key, base_url=settings.openai_base_url, timeout=MODEL_SECONDS, max_retries=1
    )
    try:
        async with (
            client,
            httpx.AsyncClient(headers={"Authorization": authorization}, timeout=MCP_SECONDS) as http_client,
            streamable_http_client(settings.mcp_server_url, http_client=http_client) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await _converse(session, client, messages)
    except Exception as error:
        explained = _explain(_root_cause(error))
        log.error("chat failed: %s", explained)
        raise explained from None
