// What tables of records ask of the server, one thing after the other, so that quick keys do not overtake each other.

import { reasonOf } from "./page";

export interface Answer {
  status: number;
  text: string;
  operation: string;
  notice: string;
  isElsewhere: boolean; // It goes on as a job, on a page of its own, which the browser is on its way to.
}

let queue: Promise<unknown> = Promise.resolve();
let waiting = 0;

/** The name of this browser tab, as the script of every page gave it. */
export function tab(): string {
  return sessionStorage.getItem("pipulate.tab") ?? "";
}

/** Whether something that was done has no answer yet. */
export function isWaiting(): boolean {
  return waiting > 0;
}

/** Do something once everything before it is done. */
export function inTurn<T>(work: () => Promise<T>): Promise<T> {
  waiting += 1;
  const result = queue.then(work).finally(() => {
    waiting -= 1;
  });
  queue = result.catch(() => {});
  return result;
}

async function ask(address: string, init: RequestInit): Promise<Answer> {
  const headers = { "HX-Request": "true", "X-Pipulate-Tab": tab() };
  try {
    const answer = await fetch(address, { ...init, headers });
    const text = await answer.text();
    const elsewhere = answer.headers.get("hx-redirect");
    if (elsewhere) location.assign(elsewhere);
    const notice = answer.ok ? "" : reasonOf(answer.status, text, (name) => answer.headers.get(name));
    const operation = answer.headers.get("x-pipulate-operation") ?? "";
    return { status: answer.status, text, operation, notice, isElsewhere: elsewhere !== null };
  } catch {
    const notice = "The server does not answer. What you typed is still here; try again when it is back.";
    return { status: 0, text: "", operation: "", notice, isElsewhere: false };
  }
}

export function get(address: string): Promise<Answer> {
  return ask(address, {});
}

export function post(address: string, values: Record<string, string> | FormData = {}): Promise<Answer> {
  const given = values instanceof FormData ? [...values] : Object.entries(values);
  const pairs = given.filter(([, text]) => typeof text === "string"); // Files go by themselves; see upload.ts.
  return ask(address, { method: "POST", body: new URLSearchParams(pairs as [string, string][]) });
}

/** Say that there are new fields on the page, so that what belongs to them comes. */
export function dress(): void {
  document.dispatchEvent(new Event("pipulate:forms"));
}
