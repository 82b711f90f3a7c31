// Environment, read at run time. The computed name keeps the build from replacing NEXT_PUBLIC_API_URL with its own value here.
function read(name: string): string {
  return process.env[name]?.trim() ?? "";
}

/** PostgreSQL URL for Better Auth. A `+asyncpg` left over from the backend's form is dropped. */
export function databaseUrl(): string {
  return read("FRONTEND_DATABASE_URL").replace(/^(postgres(?:ql)?)\+\w+:/, "$1:");
}

export function authSecret(): string {
  return read("BETTER_AUTH_SECRET");
}

export function backendUrl(): string {
  return (read("BACKEND_URL") || "http://localhost:8000").replace(/\/+$/, "");
}

/** Whose pod this is, as the chart says it; undefined outside a cluster. */
export function deployment(): { release: string; namespace: string; pod: string } | undefined {
  const [release, namespace, pod] = ["RELEASE_NAME", "RELEASE_NAMESPACE", "POD_NAME"].map(read);
  return release && namespace && pod ? { release, namespace, pod } : undefined;
}

/** The address baked in at build time. */
export const bakedUrl = process.env.NEXT_PUBLIC_API_URL || "http://localhost:30080";

/**
 * Origins under which this front may be used: BETTER_AUTH_TRUSTED_ORIGINS (comma-separated, `*` allowed, as in
 * http://localhost:*) and the addresses of NEXT_PUBLIC_API_URL, that of the build and that of the environment.
 */
export function trustedOrigins(): string[] {
  const listed = read("BETTER_AUTH_TRUSTED_ORIGINS").split(",");
  const origins = [bakedUrl, read("NEXT_PUBLIC_API_URL"), ...listed].map((origin) => origin.trim().replace(/\/+$/, ""));
  return [...new Set(origins.filter(Boolean))];
}
