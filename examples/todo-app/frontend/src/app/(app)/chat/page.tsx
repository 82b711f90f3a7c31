import type { Metadata } from "next";
import { ChatRoom } from "@/components/chat-room";

export const metadata: Metadata = { title: "Chat" };

export default function ChatPage() {
  return <ChatRoom />;
}
