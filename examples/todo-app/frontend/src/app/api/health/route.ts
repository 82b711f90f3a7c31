import { deployment } from "@/lib/env";

export const dynamic = "force-dynamic";

export function GET(): Response {
  return Response.json({ status: "ok", kubernetes: deployment() });
}
