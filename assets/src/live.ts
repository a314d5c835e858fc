// The socket of the page: messages as they come, and a quiet word when the run or the app changed elsewhere.

import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";
import { isDirty, restore } from "./drafts";
import { byId, currentRun, dismiss, notify } from "./page";
import { isWaiting } from "./requests";
import { tab } from "./tab";

interface Item {
  seq: number;
  role: string;
  html: string;
  summary?: string;
}

type Frame =
  | { type: "messages"; last: number; items: Item[] }
  | { type: "run"; run: string; version: number; tab: string | null }
  | { type: "apps"; modules: string[] };

const GONE = 4004;
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 10_000;
let failures = 0;

function address(): string {
  const run = currentRun();
  const query = new URLSearchParams({ after: byId("messages")?.dataset["last"] ?? "0", tab: tab() });
  const id = run?.dataset["run"] ?? byId("messages")?.dataset["run"];
  if (id) query.set("run", id);
  if (run) query.set("version", run.dataset["version"] ?? "0");
  return `ws://${location.host}/-/live?${query}`.replace(/^ws:/, location.protocol === "https:" ? "wss:" : "ws:");
}

function connect(): void {
  const socket = new WebSocket(address());
  socket.addEventListener("open", () => {
    failures = 0;
    dismiss("offline");
  });
  socket.addEventListener("message", (event) => take(JSON.parse(event.data as string) as Frame));
  socket.addEventListener("close", (event) => {
    if (event.code === GONE) {
      dismiss("offline");
      notify({ name: "gone", words: "This run was deleted.", action: { words: "Bin", run: () => location.assign("/-/bin") } });
      return;
    }
    failures += 1;
    if (failures === 3) notify({ name: "offline", words: "The server does not answer. Trying again …" });
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
    setTimeout(connect, wait * (0.5 + Math.random() / 2));
  });
}

function take(frame: Frame): void {
  if (frame.type === "messages") for (const item of frame.items) append(item);
  if (frame.type === "run") changed(frame.version, frame.tab);
  if (frame.type === "apps" && frame.modules.includes(location.pathname.split("/")[1] ?? "")) {
    notify({ name: "app", words: "This app was updated.", action: { words: "Reload", run: () => location.reload() } });
  }
}

function element(html: string): HTMLElement {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild as HTMLElement;
}

function append(item: Item): void {
  const list = byId("messages");
  if (!list || item.seq <= Number(list.dataset["last"])) return;
  const view = list.parentElement as HTMLElement;
  const atEnd = view.scrollHeight - view.scrollTop - view.clientHeight < 40;
  list.dataset["last"] = String(item.seq);
  const made = element(item.html);
  const last = list.lastElementChild;
  if (item.role !== "event") list.append(made);
  else if (last?.classList.contains("events")) join(last as HTMLElement, made, item.summary ?? "");
  else list.append(group(made, item.summary ?? ""));
  if (atEnd) view.scrollTop = view.scrollHeight;
}

function group(event: HTMLElement, summary: string): HTMLElement {
  const made = element(
    '<li class="events"><details><summary><span class="count">1 thing happened: </span>' +
      '<span class="last"></span></summary><ol></ol></details></li>',
  );
  join(made, event, summary);
  return made;
}

/** Put an event into the folded line of those that came just before it. */
function join(line: HTMLElement, event: HTMLElement, summary: string): void {
  const events = line.querySelector("ol");
  events?.append(event);
  const count = events?.children.length ?? 1;
  const words = line.querySelector(".count");
  if (words) words.textContent = count === 1 ? "1 thing happened: " : `${count} things happened: `;
  const last = line.querySelector(".last");
  if (last) last.innerHTML = summary;
}

function changed(version: number, by: string | null): void {
  const run = currentRun();
  if (!run || version <= Number(run.dataset["version"])) return;
  if (by === tab()) {
    run.dataset["version"] = String(version);
  } else if (isWaiting()) {
    setTimeout(() => changed(version, by), 150); // An answer is on its way that may show this change already.
  } else if (run.classList.contains("conflict")) {
    return;
  } else if ([...run.querySelectorAll<HTMLFormElement>("form[data-draft]")].some(isDirty)) {
    notify({
      name: "run",
      words: "This run was changed in another tab. What you typed is kept.",
      action: { words: "Show the change", run: () => void refresh() },
    });
  } else {
    void refresh();
  }
}

/** Bring the run up to date without moving anything that did not change. */
async function refresh(): Promise<void> {
  dismiss("run");
  const headers = { "HX-Request": "true", "X-Pipulate-Tab": tab() };
  const answer = await fetch(location.href, { headers }).catch(() => null); // The socket tells again when it is back.
  const run = currentRun();
  if (!answer?.ok || !run) return;
  Idiomorph.morph(run, await answer.text(), { morphStyle: "outerHTML", ignoreActiveValue: true });
  const now = byId("run");
  if (!now) return;
  htmx.process(now);
  restore(document);
}

export function startLive(): void {
  const list = byId("messages");
  if (list?.parentElement) list.parentElement.scrollTop = list.parentElement.scrollHeight;
  if (list) connect();
}
