const RETRY_MS = 5000;

/** Runs once when the server starts: makes the tables early, and goes on trying while the database is down. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { ensureSchema } = await import("./lib/auth");
  let reason = "";
  const attempt = async (): Promise<void> => {
    try {
      await ensureSchema();
      console.info("database ready");
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== reason) console.error(`database refused: ${message}`);
      reason = message;
      setTimeout(attempt, RETRY_MS).unref();
    }
  };
  void attempt();
}
