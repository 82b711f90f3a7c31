"use client";

import { useEffect, useRef, useState, type FormEvent } from "react";
import { api, messageOf, type ChatAction, type ChatMessage, type Conversation } from "@/lib/api";
import { AlertIcon, CheckIcon, SendIcon } from "./icons";
import { Notice } from "./notice";

const SUGGESTIONS = ["Add a task to buy oat milk", "What is still open?", "Mark the milk as done"];

const DONE: Record<string, string> = {
  add_task: "Added",
  list_tasks: "Read the list",
  update_task: "Changed",
  complete_task: "Completed",
  delete_task: "Deleted",
};

function ActionChip({ action }: { action: ChatAction }) {
  const title = typeof action.arguments.title === "string" ? ` “${action.arguments.title}”` : "";
  const number = !title && typeof action.arguments.task_id === "number" ? ` task ${action.arguments.task_id}` : "";
  return (
    <span className={action.ok ? "chip" : "chip chip-failed"}>
      {action.ok ? <CheckIcon /> : <AlertIcon />}
      {action.ok ? (DONE[action.tool] ?? action.tool) : `${action.tool} failed`}
      {title || number}
    </span>
  );
}

function Bubble({ message }: { message: Pick<ChatMessage, "role" | "content"> & { actions?: ChatAction[] } }) {
  return (
    <li className={`bubble bubble-${message.role}`}>
      {message.actions && message.actions.length > 0 && (
        <div className="chips">
          {message.actions.map((action, index) => (
            <ActionChip key={index} action={action} />
          ))}
        </div>
      )}
      <p>{message.content}</p>
    </li>
  );
}

export function ChatRoom() {
  const [conversation, setConversation] = useState<Conversation>();
  const [pending, setPending] = useState<string>();
  const [text, setText] = useState("");
  const [error, setError] = useState<string>();
  const end = useRef<HTMLDivElement>(null);

  useEffect(() => {
    api.conversation().then(setConversation, (failure) => setError(messageOf(failure)));
  }, []);

  const messages = conversation?.messages ?? [];
  useEffect(() => {
    end.current?.scrollIntoView({ block: "end" });
  }, [messages.length, pending, error]);

  async function ask(question: string) {
    const wanted = question.trim();
    if (!wanted || pending !== undefined) return;
    setPending(wanted);
    setText("");
    setError(undefined);
    try {
      const answer = await api.ask(wanted);
      setConversation((old) => old && { ...old, messages: [...old.messages, ...answer.messages] });
    } catch (failure) {
      setError(messageOf(failure));
      setText(wanted);
    }
    setPending(undefined);
  }

  async function clear() {
    try {
      await api.clearConversation();
      setConversation((old) => old && { ...old, messages: [] });
    } catch (failure) {
      setError(messageOf(failure));
    }
  }

  const off = conversation !== undefined && !conversation.enabled;
  const empty = conversation !== undefined && messages.length === 0 && pending === undefined;

  return (
    <main className="page chat">
      <div className="page-head">
        <h1>Chat</h1>
        {messages.length > 0 && (
          <button className="button-quiet" onClick={() => void clear()}>
            Clear
          </button>
        )}
      </div>
      <div className="chat-log">
        {empty && !off && (
          <div className="chat-welcome">
            <p>Tell me what to do with your list.</p>
            <div className="suggestions">
              {SUGGESTIONS.map((suggestion) => (
                <button key={suggestion} onClick={() => void ask(suggestion)}>
                  {suggestion}
                </button>
              ))}
            </div>
          </div>
        )}
        <ul className="bubbles" aria-label="Conversation" aria-live="polite">
          {messages.map((message) => (
            <Bubble key={message.id} message={message} />
          ))}
          {pending !== undefined && (
            <>
              <Bubble message={{ role: "user", content: pending }} />
              <li className="bubble bubble-assistant typing" aria-label="Thinking">
                <i /><i /><i />
              </li>
            </>
          )}
        </ul>
        {off && <Notice kind="info">{conversation.reason}</Notice>}
        {error && <Notice>{error}</Notice>}
        <div ref={end} />
      </div>
      <form
        className="composer chat-composer"
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          void ask(text);
        }}
      >
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          maxLength={4000}
          placeholder={off ? "Chat is off" : "Ask for something…"}
          aria-label="Message"
          disabled={off}
          autoFocus
        />
        <button className="button" aria-label="Send" disabled={off || !text.trim() || pending !== undefined}>
          <SendIcon />
        </button>
      </form>
    </main>
  );
}
