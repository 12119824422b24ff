// A page of a platform that imports the package, as `tsc --strict` reads it.
import connect, { open, type Message, type Outcome } from "jackfield-connect";

export async function begin(url: string): Promise<string> {
  const found: Outcome = await open(url, { mode: "window", title: "Connect", on: (message: Message) => console.log(message.status) });
  if (found.status === "saved" && found.proof) return found.proof;
  // @ts-expect-error: no such status
  if (found.status === "burnt") return "";
  // @ts-expect-error: no such mode
  void open(url, { mode: "tab" });
  if (found.status === "closed" && found.last === "declined") return "declined";
  return found.reason ?? found.status;
}

console.log(typeof open, connect.open === open);
