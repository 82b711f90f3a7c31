// What the browser calls: its own origin only. /api/backend passes the request on with the user's token.

export interface Task {
  id: number;
  title: string;
  notes: string;
  completed: boolean;
  created_at: string;
}

export interface ChatAction {
  tool: string;
  arguments: Record<string, unknown>;
  ok: boolean;
}

export interface ChatMessage {
  id: number;
  role: "user" | "assistant";
  content: string;
  actions: ChatAction[];
}

export interface Conversation {
  enabled: boolean;
  reason: string | null;
  messages: ChatMessage[];
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const body = await response.json();
    if (typeof body.detail === "string") return body.detail;
    if (Array.isArray(body.detail) && body.detail[0]?.msg) return body.detail[0].msg;
    if (body.code === "INVALID_ORIGIN") return `${window.location.origin} is not among the addresses that this deployment allows.`;
    if (typeof body.message === "string") return body.message;
  } catch {
    // no JSON: the status has to do
  }
  return `The server answered ${response.status}.`;
}

async function request(path: string, method: string, body?: unknown): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? undefined : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The server cannot be reached. Is the deployment still running?");
  }
  if (response.status === 401 && path.startsWith("/api/backend/")) window.location.assign("/sign-in");
  if (!response.ok) throw new Error(await reasonOf(response));
  return response;
}

async function json<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  return (await request(path, method, body)).json() as Promise<T>;
}

export const api = {
  tasks: () => json<Task[]>("/api/backend/tasks"),
  addTask: (title: string) => json<Task>("/api/backend/tasks", "POST", { title }),
  updateTask: (id: number, fields: Partial<Pick<Task, "title" | "completed">>) =>
    json<Task>(`/api/backend/tasks/${id}`, "PATCH", fields),
  deleteTask: async (id: number) => void (await request(`/api/backend/tasks/${id}`, "DELETE")),
  conversation: () => json<Conversation>("/api/backend/chat"),
  ask: (message: string) => json<{ messages: ChatMessage[] }>("/api/backend/chat", "POST", { message }),
  clearConversation: async () => void (await request("/api/backend/chat", "DELETE")),
  signUp: async (name: string, email: string, password: string) =>
    void (await request("/api/auth/sign-up/email", "POST", { name, email, password })),
  signIn: async (email: string, password: string) =>
    void (await request("/api/auth/sign-in/email", "POST", { email, password })),
  signOut: async () => void (await request("/api/auth/sign-out", "POST", {})),
};

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
