import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { jwt } from "better-auth/plugins";
import { Pool } from "pg";
import { authSecret, bakedUrl, databaseUrl, trustedOrigins } from "./env";

// Fixed, because the front is reached under several addresses while the backend must accept a token from each of them.
const ISSUER = "todo-app";
const AUDIENCE = "todo-app-backend";
// The backend guards its tables with the next number of the same form ("todo" in ASCII, then a counter).
const SCHEMA_LOCK = "8390035058718670849";

/** The database cannot be used now; the message is fit for a user. */
export class DatabaseUnavailable extends Error {}

type Protocol = "http" | "https";

function createAuth(pool: Pool, protocol: Protocol) {
  return betterAuth({
    appName: "Todo Chatbot",
    database: pool,
    secret: authSecret(),
    baseURL: { allowedHosts: trustedOrigins(), fallback: bakedUrl, protocol },
    emailAndPassword: { enabled: true, autoSignIn: true },
    // Through a NodePort every visitor has the node's address, so the built-in three attempts in ten seconds would be shared.
    rateLimit: {
      window: 10,
      max: 200,
      customRules: { "/sign-in/*": { window: 10, max: 30 }, "/sign-up/*": { window: 10, max: 30 } },
    },
    session: { expiresIn: 60 * 60 * 24 * 30 },
    plugins: [
      jwt({
        jwt: {
          issuer: ISSUER,
          audience: AUDIENCE,
          expirationTime: "15m",
          definePayload: ({ user }) => ({ email: user.email, name: user.name }),
        },
        disableSettingJwtHeader: true,
      }),
    ],
    telemetry: { enabled: false },
  });
}

type Auth = ReturnType<typeof createAuth>;

// Better Auth settles once, by protocol, whether cookies are Secure; over plain HTTP a browser drops those. Hence one of each.
let opened: ({ pool: Pool } & Record<Protocol, Auth>) | undefined;
let schema: Promise<void> | undefined;

// Opened on first use: the build imports this module in an environment without settings.
function open() {
  if (opened) return opened;
  if (!databaseUrl()) throw new DatabaseUnavailable("FRONTEND_DATABASE_URL is not set");
  if (!authSecret()) throw new Error("BETTER_AUTH_SECRET is not set");
  const pool = new Pool({ connectionString: databaseUrl(), max: 5, connectionTimeoutMillis: 5000 });
  pool.on("error", (error) => console.error(`database connection lost: ${error.message}`));
  opened = { pool, http: createAuth(pool, "http"), https: createAuth(pool, "https") };
  return opened;
}

/** One line for a failed connection; Node groups the attempts over IPv4 and IPv6 under an error without a message. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}

async function migrate(): Promise<void> {
  const { pool, http } = open();
  const client = await pool.connect().catch((error: unknown) => {
    throw new DatabaseUnavailable(describe(error));
  });
  try {
    // The lock ends with the transaction, also when this process dies; the tables are made over other connections of the pool.
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1::bigint)", [SCHEMA_LOCK]);
    const { toBeCreated, toBeAdded, runMigrations } = await getMigrations(http.options);
    if (toBeCreated.length > 0 || toBeAdded.length > 0) {
      await runMigrations();
      console.info("database tables for sign-in are in place");
    }
    await client.query("COMMIT");
  } finally {
    client.release();
  }
}

/** Makes Better Auth's tables once per process; a failure is tried again by the next caller. */
export function ensureSchema(): Promise<void> {
  schema ??= migrate().catch((error: unknown) => {
    schema = undefined;
    throw error instanceof DatabaseUnavailable ? error : new DatabaseUnavailable(describe(error));
  });
  return schema;
}

/** Better Auth, ready to serve a request with these headers. */
export async function getAuth(headers: Headers): Promise<Auth> {
  await ensureSchema();
  return headers.get("x-forwarded-proto")?.split(",")[0]?.trim() === "https" ? open().https : open().http;
}

/** Throws DatabaseUnavailable unless the database answers now. */
export async function checkDatabase(): Promise<void> {
  try {
    await open().pool.query("SELECT 1");
  } catch (error) {
    throw new DatabaseUnavailable(describe(error));
  }
}

/** Keys encrypted under a secret that has since been replaced can never be used again. */
async function dropUnreadableKeys(): Promise<void> {
  console.warn("BETTER_AUTH_SECRET has changed: replacing the token signing keys");
  await open().pool.query('DELETE FROM "jwks"');
}

/** A fresh token for the backend, or undefined when nobody is signed in. */
export async function backendToken(headers: Headers): Promise<string | undefined> {
  const auth = await getAuth(headers);
  const session = await auth.api.getSession({ headers });
  if (!session) return undefined;
  try {
    return (await auth.api.getToken({ headers })).token;
  } catch (error) {
    if (!/decrypt/i.test(describe(error))) throw error;
    await dropUnreadableKeys();
    return (await auth.api.getToken({ headers })).token;
  }
}
