"use client";

import { useState } from "react";
import type { Task } from "@/lib/api";
import { CheckIcon, PencilIcon, TrashIcon } from "./icons";

interface Props {
  task: Task;
  onChange: (fields: Partial<Pick<Task, "title" | "completed">>) => Promise<void>;
  onDelete: () => Promise<void>;
}

const DAY = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });

export function TaskRow({ task, onChange, onDelete }: Props) {
  const [draft, setDraft] = useState<string>();

  function save() {
    const title = draft?.trim();
    setDraft(undefined);
    if (title && title !== task.title) void onChange({ title });
  }

  return (
    <li className={task.completed ? "task task-done" : "task"}>
      <button
        className="check"
        role="checkbox"
        aria-checked={task.completed}
        aria-label={`Done: ${task.title}`}
        onClick={() => void onChange({ completed: !task.completed })}
      >
        <CheckIcon />
      </button>
      {draft === undefined ? (
        <div className="task-text" onDoubleClick={() => setDraft(task.title)}>
          <span className="task-title">{task.title}</span>
          {task.notes && <span className="task-notes">{task.notes}</span>}
          <time className="task-time" dateTime={task.created_at}>{DAY.format(new Date(task.created_at))}</time>
        </div>
      ) : (
        <input
          className="task-edit"
          value={draft}
          maxLength={200}
          autoFocus
          aria-label="Title"
          onChange={(event) => setDraft(event.target.value)}
          onBlur={save}
          onKeyDown={(event) => {
            if (event.key === "Enter") save();
            if (event.key === "Escape") setDraft(undefined);
          }}
        />
      )}
      <span className="task-buttons">
        <button className="icon-button" aria-label={`Edit: ${task.title}`} onClick={() => setDraft(task.title)}>
          <PencilIcon />
        </button>
        <button className="icon-button icon-danger" aria-label={`Delete: ${task.title}`} onClick={() => void onDelete()}>
          <TrashIcon />
        </button>
      </span>
    </li>
  );
}
