// A small OpenAI-compatible server for the tests: POST /v1/chat/completions. Like a model it sees only the conversation and
// the tools on offer: it answers a user's request with one tool call, and a tool's result with a closing sentence.
//
// usage: node openai-server.mjs [HOST:PORT]     default 127.0.0.1:0; prints the address that it listens on
import { createServer } from "node:http";

const MAX_BODY = 4 * 1024 * 1024;

const RULES = [
  [/^(?:please\s+)?add (?:a )?task (?:to )?(?<title>.+)$/i, (groups) => ["add_task", { title: capitalised(groups.title) }]],
  [/complete task (?<id>\d+)/i, (groups) => ["complete_task", { task_id: Number(groups.id) }]],
  [/delete task (?<id>\d+)/i, (groups) => ["delete_task", { task_id: Number(groups.id) }]],
  [/what|list|open/i, () => ["list_tasks", { completed: false }]],
];

function capitalised(text) {
  const title = text.trim().replace(/[.!]$/, "");
  return title.charAt(0).toUpperCase() + title.slice(1);
}

function textOf(message) {
  if (typeof message.content === "string") return message.content;
  return (message.content ?? []).map((part) => part.text ?? "").join("");
}

function chooseCall(text, tools) {
  const offered = new Set((tools ?? []).map((tool) => tool.function?.name));
  for (const [pattern, call] of RULES) {
    const match = pattern.exec(text);
    if (!match) continue;
    const [name, args] = call(match.groups ?? {});
    if (offered.has(name)) return { name, arguments: JSON.stringify(args) };
  }
  return undefined;
}

function closing(text) {
  try {
    const result = JSON.parse(text);
    if (Array.isArray(result.tasks)) {
      const titles = result.tasks.map((task) => `• ${task.title}`).join("\n");
      return titles ? `Still open:\n${titles}` : "Nothing is open.";
    }
    if (result.deleted) return `“${result.deleted.title}” is gone.`;
    return result.completed ? `“${result.title}” is done. Well done!` : `“${result.title}” is on your list now.`;
  } catch {
    return `That did not work: ${text}`;
  }
}

function reply({ messages, tools }) {
  const last = messages.at(-1);
  if (last.role === "tool") return { role: "assistant", content: closing(textOf(last)) };
  const call = chooseCall(textOf(last), tools);
  if (!call) return { role: "assistant", content: "I look after your tasks. Ask me to add one." };
  const id = `call_${messages.length}`;
  return { role: "assistant", content: null, tool_calls: [{ id, type: "function", function: call }] };
}

async function readJson(request) {
  let body = "";
  for await (const chunk of request) {
    body += chunk;
    if (body.length > MAX_BODY) throw new Error("the request is too large");
  }
  return JSON.parse(body);
}

function send(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

async function serve(request, response) {
  if (request.method !== "POST" || !request.url.startsWith("/v1/chat/completions")) {
    return send(response, 404, { error: { message: `nothing at ${request.method} ${request.url}` } });
  }
  if (!/^Bearer .+/.test(request.headers.authorization ?? "")) {
    return send(response, 401, { error: { message: "no API key" } });
  }
  try {
    const body = await readJson(request);
    if (!Array.isArray(body.messages) || body.messages.length === 0) throw new Error("messages is missing");
    const message = reply(body);
    const finish = message.tool_calls ? "tool_calls" : "stop";
    console.log(message.tool_calls ? `call ${message.tool_calls[0].function.name}` : "answer");
    return send(response, 200, {
      id: "chatcmpl-test",
      object: "chat.completion",
      created: Math.floor(Date.now() / 1000),
      model: body.model,
      choices: [{ index: 0, message, finish_reason: finish }],
      usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    });
  } catch (error) {
    return send(response, 400, { error: { message: error.message } });
  }
}

const [, host = "127.0.0.1", port = "0"] = /^(.*):(\d+)$/.exec(process.argv[2] ?? "127.0.0.1:0") ?? [];
const server = createServer(serve);
server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}/v1`));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
