// The socket of the page: messages as they come, and a quiet word when the run or the app changed elsewhere.

import { beAbout, showAnew, startAssistant } from "./assistant";
import { changed, startChanges } from "./changes";
import { drop } from "./drafts";
import { heardOf, startHistory } from "./history";
import { type JobChange, type Part, type Progress, refillLive, refillProgress, showJob, showLive, showProgress, topics } from "./moving";
import { byId, currentRun, dismiss, notify } from "./page";
import { followSuggestion, startSuggestions } from "./suggests";
import { tab } from "./tab";
import { append, change, type Growth, grow, has, type Item, showModel } from "./talk";

type Frame =
  | { type: "messages"; last: number; items: Item[] }
  | { type: "changed"; change: number; items: { seq: number; html: string }[] }
  | { type: "cleared"; change: number; upto: number }
  | ({ type: "grows" } & Growth)
  | { type: "model"; html: string }
  | { type: "run"; run: string; version: number; tab: string | null }
  | { type: "apps"; modules: string[] }
  | { type: "records"; resource: string; version: number; tab: string | null }
  | ({ type: "progress" } & Progress)
  | ({ type: "job" } & JobChange)
  | ({ type: "live" } & Part);

const GONE = 4004;
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 10_000;
let failures = 0;
let current: WebSocket | undefined;
let nextTry = 0;
let shown = "";

/** Where a swap brought other places for live views, the server has to know. */
function followPlaces(): void {
  refillLive();
  refillProgress();
  if (current && topics() !== shown) connectAnew();
}

/** Let the server go on from what the page shows now. */
function connectAnew(): void {
  const left = current;
  clearTimeout(nextTry);
  connect();
  left?.close();
}

function address(): string {
  const run = currentRun();
  const messages = byId("messages");
  const query = new URLSearchParams({ ...has(), tab: tab() });
  const id = run?.dataset["run"] ?? messages?.dataset["run"];
  const version = run ? (run.dataset["version"] ?? "0") : messages?.dataset["version"];
  if (id) query.set("run", id);
  if (version) query.set("version", version);
  const records = byId("records")?.dataset["resource"];
  if (records) query.set("records", `${records}@${byId("records-list")?.dataset["version"] ?? "0"}`);
  shown = topics();
  if (shown) query.set("live", shown);
  return `ws://${location.host}/-/live?${query}`.replace(/^ws:/, location.protocol === "https:" ? "wss:" : "ws:");
}

function connect(): void {
  const socket = new WebSocket(address());
  current = socket;
  socket.addEventListener("open", () => {
    failures = 0;
    dismiss("offline");
    document.dispatchEvent(new Event("pipulate:open"));
  });
  socket.addEventListener("message", (event) => {
    if (socket === current) take(JSON.parse(event.data as string) as Frame);
  });
  socket.addEventListener("close", (event) => {
    if (socket !== current) return; // The page follows another run by now.
    if (event.code === GONE) {
      dismiss("offline");
      notify({ name: "gone", words: "This run was deleted.", action: { words: "Bin", run: () => location.assign("/-/bin") } });
      return;
    }
    failures += 1;
    if (failures === 3) notify({ name: "offline", words: "The server does not answer. Trying again …" });
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
    nextTry = setTimeout(connect, wait * (0.5 + Math.random() / 2));
  });
}

/** Follow another run: its messages are shown, and notes go to it. */
export function follow(run: string, version: string): void {
  const list = byId("messages");
  if (!list) return;
  failures = 0;
  for (const notice of ["offline", "gone"]) dismiss(notice);
  list.replaceChildren();
  Object.assign(list.dataset, { conversation: run, run, version, last: "0", changes: "0", cleared: "0" });
  moveNotes(run);
  beAbout(run);
  connectAnew();
}

function moveNotes(run: string): void {
  const form = document.querySelector<HTMLFormElement>("#assistant form[data-note]");
  if (!form) return;
  drop(form.dataset["draft"] ?? "");
  form.dataset["draft"] = `note:${run}`;
  // What is half typed moves along: its draft is kept anew, under the new name.
  form.querySelector("textarea")?.dispatchEvent(new Event("input", { bubbles: true }));
}

function take(frame: Frame): void {
  if (frame.type === "messages") append(frame.items);
  if (frame.type === "grows") grow(frame);
  if (frame.type === "changed") change(frame.change, frame.items);
  if (frame.type === "cleared") cleared(frame.change, frame.upto);
  if (frame.type === "model") showModel(frame.html);
  if (["messages", "changed", "model"].includes(frame.type)) followSuggestion();
  if (frame.type === "run") {
    heardOf(frame.run, frame.version);
    changed(frame.run, frame.version, frame.tab);
  }
  if (frame.type === "progress") showProgress(frame);
  if (frame.type === "live") showLive(frame);
  if (frame.type === "job") showJob(frame);
  if (frame.type === "records") document.dispatchEvent(new CustomEvent("pipulate:records", { detail: frame }));
  if (frame.type === "apps" && frame.modules.includes(location.pathname.split("/")[1] ?? "")) {
    notify({ name: "app", words: "This app was updated.", action: { words: "Reload", run: () => location.reload() } });
  }
}

function cleared(number: number, upto: number): void {
  const list = byId("messages");
  if (!list) return;
  // Where it cannot be asked for now, the server says so again when the page is back: its number stays what it was.
  if (Number(list.dataset["cleared"] ?? 0) !== upto) void showAnew().catch(() => {});
  else list.dataset["changes"] = String(number);
}

export function startLive(): void {
  startSuggestions();
  if (!byId("messages")) return;
  startAssistant();
  startChanges();
  startHistory();
  connect();
  document.addEventListener("pipulate:talk", connectAnew); // Frames that came meanwhile may be missing in it.
  for (const type of ["htmx:afterSettle", "pipulate:morphed"]) document.addEventListener(type, followPlaces);
  document.addEventListener("pipulate:follow", (event) => {
    const { run, version } = (event as CustomEvent<{ run: string; version: string }>).detail;
    if (byId("messages")?.dataset["run"] !== run) follow(run, version);
  });
}
