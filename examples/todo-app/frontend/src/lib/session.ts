import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { cache } from "react";
import { DatabaseUnavailable, getAuth } from "./auth";

export type Visitor =
  | { state: "signed-in"; user: { id: string; name: string; email: string } }
  | { state: "signed-out" }
  | { state: "unavailable"; reason: string };

/** Who is asking for this page, looked up once per request. */
export const getVisitor = cache(async (): Promise<Visitor> => {
  const requestHeaders = new Headers(await headers());
  try {
    const auth = await getAuth(requestHeaders);
    const session = await auth.api.getSession({ headers: requestHeaders });
    if (!session) return { state: "signed-out" };
    const { id, name, email } = session.user;
    return { state: "signed-in", user: { id, name, email } };
  } catch (error) {
    console.error(`session lookup failed: ${error instanceof Error ? error.message : String(error)}`);
    const reason = error instanceof DatabaseUnavailable ? `The database does not answer: ${error.message}` : "Sign-in does not work at the moment.";
    return { state: "unavailable", reason };
  }
});

/** Sends a signed-in visitor on to their tasks. */
export async function redirectSignedIn(): Promise<void> {
  if ((await getVisitor()).state === "signed-in") redirect("/tasks");
}
