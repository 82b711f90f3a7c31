"use client";

import { useCallback, useEffect, useState, type FormEvent } from "react";
import { api, messageOf, type Task } from "@/lib/api";
import { PlusIcon } from "./icons";
import { Notice } from "./notice";
import { TaskRow } from "./task-row";

const FILTERS = ["all", "open", "done"] as const;
type Filter = (typeof FILTERS)[number];

const EMPTY: Record<Filter, string> = {
  all: "Nothing to do yet. Add your first task above, or ask the chat to do it.",
  open: "All done. Enjoy the quiet.",
  done: "Nothing finished yet. You will get there.",
};

function sorted(tasks: Task[]): Task[] {
  return [...tasks].sort((a, b) => Number(a.completed) - Number(b.completed) || b.id - a.id);
}

function Progress({ done, total }: { done: number; total: number }) {
  const percent = total === 0 ? 0 : Math.round((done / total) * 100);
  return (
    <div className="progress">
      <div className="progress-track" role="progressbar" aria-label="Finished tasks" aria-valuenow={percent} aria-valuemin={0} aria-valuemax={100}>
        <div className="progress-fill" style={{ width: `${percent}%` }} />
      </div>
      <span className="muted">
        {done} of {total} done
      </span>
    </div>
  );
}

export function TaskBoard() {
  const [tasks, setTasks] = useState<Task[]>();
  const [error, setError] = useState<string>();
  const [filter, setFilter] = useState<Filter>("all");
  const [title, setTitle] = useState("");

  const attempt = useCallback(async (action: () => Promise<void>) => {
    try {
      await action();
      setError(undefined);
    } catch (failure) {
      setError(messageOf(failure));
    }
  }, []);

  useEffect(() => {
    const load = () => attempt(async () => setTasks(await api.tasks()));
    void load();
    // The chat may have changed the list in another tab.
    window.addEventListener("focus", load);
    return () => window.removeEventListener("focus", load);
  }, [attempt]);

  const replace = (changed: Task) => setTasks((old) => (old ?? []).map((task) => (task.id === changed.id ? changed : task)));

  function add(event: FormEvent) {
    event.preventDefault();
    const wanted = title.trim();
    if (!wanted) return;
    void attempt(async () => {
      const task = await api.addTask(wanted);
      setTasks((old) => [task, ...(old ?? [])]);
      setTitle("");
      setFilter((old) => (old === "done" ? "all" : old));
    });
  }

  const all = tasks ?? [];
  const done = all.filter((task) => task.completed).length;
  const shown = sorted(all).filter((task) => filter === "all" || task.completed === (filter === "done"));

  return (
    <main className="page">
      <div className="page-head">
        <h1>Your tasks</h1>
        {tasks && all.length > 0 && <Progress done={done} total={all.length} />}
      </div>
      <form className="composer" onSubmit={add}>
        <input value={title} onChange={(event) => setTitle(event.target.value)} maxLength={200} placeholder="What needs doing?" aria-label="New task" autoFocus />
        <button className="button" disabled={!title.trim()}>
          <PlusIcon />
          Add
        </button>
      </form>
      {error && <Notice>{error}</Notice>}
      <div className="filters" role="group" aria-label="Show">
        {FILTERS.map((name) => (
          <button key={name} aria-pressed={filter === name} onClick={() => setFilter(name)}>
            {name[0]?.toUpperCase() + name.slice(1)}
            <span className="count">{name === "all" ? all.length : name === "done" ? done : all.length - done}</span>
          </button>
        ))}
      </div>
      {!tasks && !error && <div className="skeleton" aria-label="Loading"><i /><i /><i /></div>}
      {tasks && shown.length === 0 && <p className="empty">{EMPTY[filter]}</p>}
      <ul className="tasks" aria-label="Tasks">
        {shown.map((task) => (
          <TaskRow
            key={task.id}
            task={task}
            onChange={(fields) => attempt(async () => replace(await api.updateTask(task.id, fields)))}
            onDelete={() =>
              attempt(async () => {
                await api.deleteTask(task.id);
                setTasks((old) => (old ?? []).filter(({ id }) => id !== task.id));
              })
            }
          />
        ))}
      </ul>
    </main>
  );
}
