import type { Metadata } from "next";
import { AuthForm } from "@/components/auth-form";
import { getVisitor, redirectSignedIn } from "@/lib/session";

export const dynamic = "force-dynamic";
export const metadata: Metadata = { title: "Sign up" };

export default async function Page() {
  await redirectSignedIn();
  const visitor = await getVisitor();
  return <AuthForm mode="sign-up" unavailable={visitor.state === "unavailable" ? visitor.reason : undefined} />;
}
