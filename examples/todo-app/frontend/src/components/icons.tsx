import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      {children}
    </svg>
  );
}

export const CheckIcon = () => <Icon><path d="M5 12.5l4.5 4.5L19 7.5" /></Icon>;
export const PlusIcon = () => <Icon><path d="M12 5v14M5 12h14" /></Icon>;
export const TrashIcon = () => <Icon><path d="M4 7h16M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10 11v5M14 11v5" /></Icon>;
export const PencilIcon = () => <Icon><path d="M4 20l1-4.5L16.5 4 20 7.5 8.5 19 4 20zM14 6.5l3.5 3.5" /></Icon>;
export const ListIcon = () => <Icon><path d="M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01" /></Icon>;
export const ChatIcon = () => <Icon><path d="M20 15a3 3 0 0 1-3 3H10l-5 3.5V18a2 2 0 0 1-1-2V7a3 3 0 0 1 3-3h10a3 3 0 0 1 3 3z" /></Icon>;
export const SendIcon = () => <Icon><path d="M5 12h13M12.5 6l6 6-6 6" /></Icon>;
export const AlertIcon = () => <Icon><path d="M12 4l9 16H3zM12 10v4M12 17.2h.01" /></Icon>;

export function Logo() {
  return (
    <span className="logo">
      <span className="logo-mark"><CheckIcon /></span>
      Todo Chatbot
    </span>
  );
}
