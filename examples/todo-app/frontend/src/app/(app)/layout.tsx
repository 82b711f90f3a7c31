import { redirect } from "next/navigation";
import type { ReactNode } from "react";
import { AppHeader } from "@/components/app-header";
import { Logo } from "@/components/icons";
import { Notice } from "@/components/notice";
import { getVisitor } from "@/lib/session";

export const dynamic = "force-dynamic";

export default async function AppLayout({ children }: { children: ReactNode }) {
  const visitor = await getVisitor();
  if (visitor.state === "signed-out") redirect("/sign-in");
  if (visitor.state === "unavailable") {
    return (
      <main className="auth">
        <div className="auth-card">
          <Logo />
          <h1>Out of order</h1>
          <Notice>{visitor.reason}</Notice>
        </div>
      </main>
    );
  }
  return (
    <>
      <AppHeader name={visitor.user.name} email={visitor.user.email} />
      {children}
    </>
  );
}
