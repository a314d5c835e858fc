// The run this tab works on: every answer names it, and every request says it again. Two tabs so work on two runs.

import { on, type AnswerDetail, type RequestDetail } from "./explicit-htmx";
import { byId, pageNonce } from "./page";

interface Run {
  id: string;
  version: number;
  key: string;
}

const RUN = "X-Pipulate-Run";
const VERSION = "X-Pipulate-Version";
const KEY = "X-Pipulate-Key";

let run: Run = { id: "", version: 0, key: "" };

/** The run this tab works on; its id is empty as long as there is none. */
export function tabRun(): Readonly<Run> {
  // The socket notes there what this tab itself has changed meanwhile.
  const noted = byId("explicit")?.dataset ?? {};
  if (noted["run"] === run.id) run.version = Math.max(run.version, Number(noted["version"] ?? 0));
  return run;
}

function note(): void {
  const page = byId("explicit");
  if (page) Object.assign(page.dataset, { run: run.id, version: String(run.version), key: run.key });
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** The id of what is sent: a repeat has the same, what is sent after a final answer has another. */
function submitOf(sender: HTMLElement): string {
  return (sender.dataset["pipSubmit"] ??= crypto.randomUUID());
}

const FIELDS = "input:not([type=hidden], [type=submit], [type=button], [type=reset], [type=image]), select, textarea";

/**
 * The version that a form shows: an older one where it shows what was typed into it before a reload. A button shows
 * nothing that could be out of date: whoever presses it has seen all that this tab was answered.
 */
function seenIn(form: HTMLFormElement | null): string {
  const kept = form?.querySelector<HTMLInputElement>("input[name=_seen]");
  if (kept && kept.value !== kept.dataset["shown"]) return kept.value;
  const shown = form?.querySelector(FIELDS) ? form.dataset["pipSeen"] : undefined;
  return shown ?? String(tabRun().version);
}

function tell({ elt, path, headers }: RequestDetail): void {
  if (new URL(path, location.href).origin !== location.origin) return;
  headers["X-Pipulate-Nonce"] = pageNonce();
  headers["X-Pipulate-Submit"] = submitOf(elt);
  if (!run.id) return;
  headers[RUN] = run.id;
  headers[KEY] = encodeURIComponent(run.key);
  headers["X-Pipulate-Seen"] = seenIn(elt.closest("form"));
}

function hear({ xhr, requestConfig }: AnswerDetail): void {
  const id = xhr.getResponseHeader(RUN);
  if (!id) return;
  const asked = requestConfig?.headers[RUN];
  if (id !== run.id && id === asked) return; // A late answer about a run that this tab has left since.
  const version = Number(xhr.getResponseHeader(VERSION) ?? 0);
  const key = decoded(xhr.getResponseHeader(KEY) ?? "");
  run = { id, key, version: id === run.id ? Math.max(version, tabRun().version) : version };
  note();
  document.dispatchEvent(new CustomEvent("pipulate:follow", { detail: { run: id, version: String(run.version) } }));
}

function finish({ elt, xhr, requestConfig }: AnswerDetail): void {
  const isFinal = xhr.status >= 200 && xhr.status < 500; // Of no answer, or a failed one, nobody knows what was kept.
  if (isFinal) delete (requestConfig?.elt ?? elt).dataset["pipSubmit"];
}

export function startRun(): void {
  const start = byId("explicit")?.dataset ?? {};
  run = { id: start["run"] ?? "", version: Number(start["version"] ?? 0), key: start["key"] ?? "" };
  on("htmx:configRequest", tell);
  // Before the swap, because what is swapped in may ask at once. Where the sender has gone, only its target tells.
  on("htmx:beforeOnLoad", hear);
  on("htmx:beforeSwap", hear);
  on("htmx:afterRequest", finish);
}
