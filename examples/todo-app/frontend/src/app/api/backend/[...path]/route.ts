import { backendToken, DatabaseUnavailable } from "@/lib/auth";
import { backendUrl } from "@/lib/env";

export const dynamic = "force-dynamic";

const TIMEOUT_MS = 120_000;
const SERVED = new Set(["tasks", "chat"]);

function refuse(status: number, detail: string): Response {
  return Response.json({ detail }, { status });
}

// The session cookie travels from every port of this host, so a page of another port must be told apart by its origin.
function fromOtherOrigin(request: Request): boolean {
  const origin = request.headers.get("origin");
  if (request.method === "GET" || !origin) return false;
  try {
    return new URL(origin).host !== request.headers.get("host");
  } catch {
    return true;
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  if (cause instanceof AggregateError && cause.errors.length > 0) return causeOf(cause.errors[0]);
  return cause instanceof Error ? cause.message || cause.name : error.message;
}

async function forward(request: Request, path: string[], token: string): Promise<Response> {
  const url = `${backendUrl()}/api/${path.map(encodeURIComponent).join("/")}${new URL(request.url).search}`;
  const body = request.method === "GET" ? undefined : await request.text();
  try {
    const answer = await fetch(url, {
      method: request.method,
      headers: { Authorization: `Bearer ${token}`, ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body || undefined,
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const headers = { "Content-Type": answer.headers.get("content-type") ?? "application/json" };
    return new Response(answer.status === 204 ? null : await answer.arrayBuffer(), { status: answer.status, headers });
  } catch (error) {
    const cause = causeOf(error);
    console.error(`backend ${backendUrl()} cannot be reached: ${cause}`);
    return refuse(502, `The backend at ${backendUrl()} cannot be reached: ${cause}`);
  }
}

async function handle(request: Request, context: { params: Promise<{ path: string[] }> }): Promise<Response> {
  const { path } = await context.params;
  if (!SERVED.has(path[0] ?? "")) return refuse(404, "There is nothing here.");
  if (fromOtherOrigin(request)) return refuse(403, "This request comes from another origin.");
  let token: string | undefined;
  try {
    token = await backendToken(request.headers);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`token for the backend failed: ${message}`);
    return refuse(503, error instanceof DatabaseUnavailable ? `The database does not answer: ${message}` : "Your session cannot be checked now.");
  }
  if (!token) return refuse(401, "Please sign in.");
  return forward(request, path, token);
}

export { handle as DELETE, handle as GET, handle as PATCH, handle as POST };
