import { redirect } from "next/navigation";
import { getVisitor } from "@/lib/session";

export const dynamic = "force-dynamic";

export default async function Home() {
  redirect((await getVisitor()).state === "signed-in" ? "/tasks" : "/sign-in");
}
