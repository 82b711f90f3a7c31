import { AlertIcon } from "./icons";

export function Notice({ children, kind = "error" }: { children: React.ReactNode; kind?: "error" | "info" }) {
  return (
    <div className={`notice notice-${kind}`} role={kind === "error" ? "alert" : "status"}>
      <AlertIcon />
      <span>{children}</span>
    </div>
  );
}
