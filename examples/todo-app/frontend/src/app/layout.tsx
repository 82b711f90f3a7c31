import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { bakedUrl } from "@/lib/env";
import "./globals.css";

export const metadata: Metadata = {
  metadataBase: new URL(bakedUrl),
  title: { default: "Todo Chatbot", template: "%s · Todo Chatbot" },
  description: "A to-do list that you can talk to.",
};

export const viewport: Viewport = {
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#f6f5f1" },
    { media: "(prefers-color-scheme: dark)", color: "#14161b" },
  ],
};

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
