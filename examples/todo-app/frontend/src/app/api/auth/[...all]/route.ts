import { checkDatabase, DatabaseUnavailable, getAuth } from "@/lib/auth";

export const dynamic = "force-dynamic";

async function handle(request: Request): Promise<Response> {
  try {
    const answer = await (await getAuth(request.headers)).handler(request);
    // Better Auth answers a lost database with a bare 500.
    if (answer.status === 500) await checkDatabase();
    return answer;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(`sign-in failed: ${message}`);
    if (error instanceof DatabaseUnavailable) {
      return Response.json({ message: `The database does not answer: ${message}` }, { status: 503 });
    }
    return Response.json({ message: "Sign-in does not work at the moment; the front's log says why." }, { status: 500 });
  }
}

export { handle as GET, handle as POST };
