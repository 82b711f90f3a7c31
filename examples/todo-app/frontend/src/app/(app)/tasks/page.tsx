import type { Metadata } from "next";
import { TaskBoard } from "@/components/task-board";

export const metadata: Metadata = { title: "Tasks" };

export default function TasksPage() {
  return <TaskBoard />;
}
