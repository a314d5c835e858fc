// Parts of a run's page that move by themselves: live views of the app, and how far a step is.

import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";
import { dressAll, keeping } from "./needs";
import { stale } from "./changes";
import { byId, currentRun } from "./page";

export interface Part {
  topic: string;
  html: string;
  at: string;
}

export interface Progress {
  step: string;
  ended: boolean;
  done?: number;
  total?: number | null;
  text?: string;
  left?: number | null;
}

export interface JobChange {
  job: string;
  run: string | null;
  step: string | null;
  status: string;
}

/** The live views this page has places for. */
export function topics(): string {
  return [...document.querySelectorAll<HTMLElement>("#run [data-live]")].map((each) => each.dataset["live"]).join(",");
}

/** What was drawn last, by run and topic: it is sent again only when it looks otherwise. */
const drawn = new Map<string, Part>();

export function showLive(part: Part): void {
  drawn.set(named(part.topic), part);
  draw(part, document.querySelectorAll<HTMLElement>(`#run [data-live="${CSS.escape(part.topic)}"]`));
}

/** A swap brought places as they are before anything was drawn in them. */
export function refillLive(): void {
  for (const place of document.querySelectorAll<HTMLElement>("#run [data-live]:not([data-at])")) {
    const part = drawn.get(named(place.dataset["live"] ?? ""));
    if (part) draw(part, [place]);
  }
}

function named(topic: string): string {
  return `${currentRun()?.dataset["run"]} ${topic}`;
}

function draw({ topic, html, at }: Part, places: Iterable<HTMLElement>): void {
  for (const place of places) {
    Idiomorph.morph(place, html, { morphStyle: "innerHTML", ignoreActiveValue: true, callbacks: keeping });
    place.dataset["at"] = at;
    htmx.process(place);
    dressAll();
  }
  for (const told of document.querySelectorAll<HTMLElement>(`#run [data-live-at="${CSS.escape(topic)}"]`)) {
    const time = document.createElement("time");
    time.dateTime = at;
    time.textContent = new Date(at).toLocaleTimeString("en-GB");
    told.replaceChildren("Updated ", time);
    told.dataset["at"] = at;
  }
}

const FRESH_MS = 3000; // After that long, an answer knows of it.
let latest: { run: string | undefined; frame: Progress; at: number } | undefined;

export function showProgress(frame: Progress): void {
  latest = frame.ended ? undefined : { run: currentRun()?.dataset["run"], frame, at: performance.now() };
  drawProgress(frame);
}

/** An answer that was made before the last word of a running step may come after it. */
export function refillProgress(): void {
  if (!latest || latest.run !== currentRun()?.dataset["run"] || performance.now() - latest.at > FRESH_MS) return;
  if (byId(`step-${latest.frame.step}`)?.querySelector("[data-progress] progress")) drawProgress(latest.frame);
}

function drawProgress(frame: Progress): void {
  const step = byId(`step-${frame.step}`);
  const place = step?.querySelector<HTMLElement>("[data-progress]") ?? progressPlace(step);
  if (!place) return;
  if (frame.ended) {
    if (place.classList.contains("made")) place.remove();
    return;
  }
  const { done = 0, total, text } = frame;
  const words = total ? `${text || "Working"} (${count(done)} of ${count(total)})${left(frame.left)}` : text || "Working …";
  const bar = document.createElement("progress");
  if (total) Object.assign(bar, { max: total, value: Math.min(done, total) });
  place.replaceChildren(words, bar);
}

/** How long it will take yet, as the server says it too. */
function left(seconds: number | null | undefined): string {
  if (seconds == null) return "";
  if (seconds < 60) return seconds > 10 ? ", less than a minute left" : ", a few seconds left";
  const minutes = Math.round(seconds / 60);
  const [many, one] = minutes < 90 ? [minutes, "minute"] : [Math.round(minutes / 60), "hour"];
  return `, about ${count(many)} ${one}${many === 1 ? "" : "s"} left`;
}

/** A job has something new to say, or stands otherwise than the page shows; lists of jobs listen for the event. */
export function showJob(frame: JobChange): void {
  document.dispatchEvent(new CustomEvent("pipulate:job", { detail: frame }));
  const news = byId(`job-${frame.job}`);
  if (news && frame.status === "running" && news.dataset["status"] === "running") htmx.trigger(news, "pipulate:news", {});
  else if (frame.run !== null && frame.run === currentRun()?.dataset["run"] && frame.status !== "done") stale();
}

/** A form that was sent shows how far it is below its buttons. */
function progressPlace(step: HTMLElement | null): HTMLElement | null {
  const form = step?.querySelector("form[data-draft]");
  if (!form) return null;
  const place = document.createElement("p");
  place.className = "working made";
  place.dataset["progress"] = "";
  place.setAttribute("role", "status");
  form.append(place);
  return place;
}

function count(number: number): string {
  return number.toLocaleString("en");
}
