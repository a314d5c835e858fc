// The history of a run: where it is open, it follows the run.

import htmx from "htmx.org";
import { byId, parsed } from "./page";
import { tab } from "./tab";

const heard = new Map<string, number>(); // Run -> the newest version of it that this page was told of.
let isAsking = false;

/** Hear that a run has another version. */
export function heardOf(run: string, version: number): void {
  heard.set(run, Math.max(version, heard.get(run) ?? 0));
  void follow();
}

/** The newest version of a run that this page knows of: what it was told may be behind what it was answered. */
function newestOf(run: string): number {
  const shown = byId("run") ?? byId("explicit");
  const version = shown?.dataset["run"] === run && shown.dataset["past"] === undefined ? shown.dataset["version"] : "";
  return Math.max(Number(version || 0), heard.get(run) ?? 0);
}

async function follow(): Promise<void> {
  const open = document.querySelector<HTMLElement>("[data-history]");
  const run = open?.dataset["history"] ?? "";
  const wanted = newestOf(run);
  if (!open || isAsking || wanted <= Number(open.dataset["version"])) return;
  isAsking = true;
  const headers = { "HX-Request": "true", "X-Pipulate-Tab": tab() };
  const text = await fetch(`/-/runs/${run}/history`, { headers })
    .then((answer) => (answer.ok ? answer.text() : ""))
    .catch(() => ""); // It did not come, or broke off; the next news asks again.
  isAsking = false;
  const next = parsed(text).querySelector<HTMLElement>("[data-history]");
  if (!next) return;
  open.dataset["version"] = String(Math.max(wanted, Number(next.dataset["version"])));
  add(open, next);
  void follow();
}

/** Put the lines that are new above those that are shown, which stay where they are with what was opened below. */
function add(open: HTMLElement, next: HTMLElement): void {
  const list = open.querySelector("ol");
  if (!list) return;
  const last = list.querySelector("a")?.getAttribute("href");
  const lines = [...next.querySelectorAll("li")];
  const known = lines.findIndex((line) => last && line.querySelector("a")?.getAttribute("href") === last);
  const fresh = known < 0 ? lines : lines.slice(0, known);
  if (known < 0) list.replaceChildren(...fresh);
  else list.prepend(...fresh);
  for (const line of fresh) htmx.process(line);
}

export function startHistory(): void {
  for (const type of ["htmx:afterSettle", "pipulate:morphed"]) document.addEventListener(type, () => void follow());
}
