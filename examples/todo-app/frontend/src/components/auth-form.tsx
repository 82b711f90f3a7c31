"use client";

import Link from "next/link";
import { useState, type FormEvent } from "react";
import { api, messageOf } from "@/lib/api";
import { Logo } from "./icons";
import { Notice } from "./notice";

const TEXT = {
  "sign-in": {
    title: "Welcome back",
    lead: "Sign in to see your tasks.",
    button: "Sign in",
    question: "New here?",
    otherText: "Create an account",
    otherLink: "/sign-up",
  },
  "sign-up": {
    title: "Create your account",
    lead: "A to-do list that you can talk to.",
    button: "Sign up",
    question: "Already have an account?",
    otherText: "Sign in",
    otherLink: "/sign-in",
  },
} as const;

export function AuthForm({ mode, unavailable }: { mode: keyof typeof TEXT; unavailable?: string }) {
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const text = TEXT[mode];

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const value = (name: string) => String(fields.get(name) ?? "");
    setBusy(true);
    setError(undefined);
    try {
      if (mode === "sign-up") await api.signUp(value("name").trim(), value("email"), value("password"));
      else await api.signIn(value("email"), value("password"));
      // A full load, so that every server component is rendered for the new visitor.
      window.location.assign("/tasks");
    } catch (failure) {
      setError(messageOf(failure));
      setBusy(false);
    }
  }

  return (
    <main className="auth">
      <div className="auth-card">
        <Logo />
        <h1>{text.title}</h1>
        <p className="muted">{text.lead}</p>
        {unavailable && !error && <Notice>{unavailable}</Notice>}
        {error && <Notice>{error}</Notice>}
        <form onSubmit={submit}>
          {mode === "sign-up" && (
            <label>
              Name
              <input name="name" autoComplete="name" required maxLength={80} placeholder="Ada Lovelace" />
            </label>
          )}
          <label>
            E-mail
            <input name="email" type="email" autoComplete="email" required placeholder="you@example.com" />
          </label>
          <label>
            Password
            <input
              name="password"
              type="password"
              required
              minLength={8}
              maxLength={128}
              autoComplete={mode === "sign-up" ? "new-password" : "current-password"}
              placeholder="At least 8 characters"
            />
          </label>
          <button className="button button-wide" disabled={busy}>
            {busy ? "One moment…" : text.button}
          </button>
        </form>
        <p className="auth-other">
          {text.question} <Link href={text.otherLink}>{text.otherText}</Link>
        </p>
      </div>
    </main>
  );
}
