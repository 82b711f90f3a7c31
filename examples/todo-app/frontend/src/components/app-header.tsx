"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import { useState } from "react";
import { api } from "@/lib/api";
import { ChatIcon, ListIcon, Logo } from "./icons";

const PAGES = [
  { href: "/tasks", label: "Tasks", icon: <ListIcon /> },
  { href: "/chat", label: "Chat", icon: <ChatIcon /> },
];

export function AppHeader({ name, email }: { name: string; email: string }) {
  const path = usePathname();
  const [leaving, setLeaving] = useState(false);

  async function signOut() {
    setLeaving(true);
    await api.signOut().catch(() => undefined);
    window.location.assign("/sign-in");
  }

  return (
    <header className="header">
      <div className="header-inner">
        <Link href="/tasks" className="logo-link" aria-label="Todo Chatbot, your tasks">
          <Logo />
        </Link>
        <nav aria-label="Pages">
          {PAGES.map(({ href, label, icon }) => (
            <Link key={href} href={href} aria-current={path === href ? "page" : undefined}>
              {icon}
              {label}
            </Link>
          ))}
        </nav>
        <div className="account">
          <span className="avatar" title={email} aria-hidden="true">
            {(name || email).slice(0, 1).toUpperCase()}
          </span>
          <span className="account-name">{name || email}</span>
          <button className="button-quiet" onClick={signOut} disabled={leaving}>
            Sign out
          </button>
        </div>
      </div>
    </header>
  );
}
