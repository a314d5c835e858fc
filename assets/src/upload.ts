// Files go to the server one by one, before the form they are for is sent: with words and numbers, and a way to stop.
// Without this script the browser sends them together with the form.

import { announce, button, parsed } from "./page";

const UNITS: [string, number, number][] = [
  ["kB", 1e3, 999_950],
  ["MB", 1e6, 999_950_000],
  ["GB", 1e9, Infinity],
];

function sizeInWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} byte${bytes === 1 ? "" : "s"}`;
  const [unit, size] = UNITS.find(([, , below]) => bytes < below) as [string, number, number];
  const shown = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return `${(bytes / size).toLocaleString("en", shown)} ${unit}`;
}

const listOf = (field: Element): HTMLElement => field.querySelector<HTMLElement>(".uploads") as HTMLElement;
const inputOf = (field: Element): HTMLInputElement =>
  field.querySelector<HTMLInputElement>("input[type=file]") as HTMLInputElement;

/** The field as the page has it now: its form may have been drawn anew meanwhile. */
function fieldAt(address: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`.upload[data-upload="${CSS.escape(address)}"]`);
}

let queue: Promise<void> = Promise.resolve();

function lineFor(name: string): HTMLLIElement {
  const line = document.createElement("li");
  const label = document.createElement("span");
  label.className = "name";
  label.dir = "auto";
  label.textContent = name;
  line.append(label);
  return line;
}

/** Say at the line of a file why it is not there, and what can be done. */
function fail(line: HTMLElement, field: HTMLElement, file: File, words: string, canRetry: boolean): void {
  const problem = document.createElement("span");
  problem.className = "problem";
  problem.setAttribute("role", "alert");
  problem.textContent = words;
  const again = lineFor(file.name);
  again.className = "failed";
  again.append(" ", problem, " ");
  if (canRetry) {
    again.append(
      button("Try again", "secondary", () => {
        again.remove();
        inputOf(field).focus();
        send(field, file);
      }),
    );
  }
  again.append(
    button("Remove", "quiet", () => {
      again.remove();
      inputOf(field).focus();
    }),
  );
  line.replaceWith(again);
}

function reasonOf(xhr: XMLHttpRequest): string {
  const said = xhr.getResponseHeader("x-pipulate-notice");
  if (said) return decodeURIComponent(said);
  const isPlain = (xhr.getResponseHeader("content-type") ?? "").startsWith("text/plain");
  if (isPlain && xhr.responseText.length < 300) return xhr.responseText.trim();
  return `The server could not take it (${xhr.status}).`;
}

/** Forget a file that waits, without waiting for the answer: what nobody uses is cleared away in any case. */
function forget(address: string, text: string): void {
  void fetch(`${address}/remove`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", "X-Pipulate-Script": "1" },
    body: new URLSearchParams({ _remove: text }),
  }).catch(() => {});
}

function removeLine(field: HTMLElement, line: Element): void {
  const text = line.querySelector<HTMLInputElement>("input[type=hidden]")?.value;
  line.remove();
  if (text && !text.startsWith("kept:")) forget(field.dataset["upload"] as string, text);
}

function arrived(address: string, line: HTMLElement, file: File, markup: string): void {
  const field = fieldAt(address);
  if (!field) return;
  const made = parsed(markup).firstElementChild;
  if (!made) return;
  const hadFocus = line.contains(document.activeElement);
  if (!inputOf(field).multiple) {
    for (const old of listOf(field).querySelectorAll("li.held")) removeLine(field, old);
  }
  const form = inputOf(field).getAttribute("form"); // A field may be of a form that it does not stand in.
  if (form) for (const each of made.querySelectorAll("input, button")) each.setAttribute("form", form);
  if (line.isConnected) line.replaceWith(made);
  else listOf(field).append(made);
  if (hadFocus) inputOf(field).focus();
  announce(`${file.name} is there, ${sizeInWords(file.size)}.`);
}

function transfer(address: string, line: HTMLElement, file: File, bar: HTMLProgressElement, words: HTMLElement) {
  return new Promise<void>((resolve) => {
    const xhr = new XMLHttpRequest();
    const field = fieldAt(address);
    let told = 0;
    if (!field || !line.isConnected) return resolve(); // Cancelled while it waited.
    xhr.open("POST", address);
    xhr.setRequestHeader("HX-Request", "true");
    xhr.setRequestHeader("X-Pipulate-Name", encodeURIComponent(file.name.slice(-2000).replace(/[\ud800-\udfff]/gu, "")));
    xhr.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    xhr.upload.addEventListener("progress", ({ loaded }) => {
      const percent = file.size ? Math.floor((loaded / file.size) * 100) : 100;
      bar.value = percent;
      words.textContent = `${sizeInWords(loaded)} of ${sizeInWords(file.size)}, ${percent} %`;
      if (percent >= told + 25) {
        told = percent;
        announce(`${file.name}: ${percent} %`);
      }
    });
    xhr.addEventListener("load", () => {
      if (xhr.status === 201) arrived(address, line, file, xhr.responseText);
      else fail(line, field, file, reasonOf(xhr), xhr.status >= 500 || xhr.status === 400);
    });
    xhr.addEventListener("error", () =>
      fail(line, field, file, "It could not be sent: the server does not answer, or the file has changed.", true),
    );
    xhr.addEventListener("loadend", () => resolve());
    line.addEventListener("pipulate:cancel", () => xhr.abort());
    xhr.send(file);
  });
}

function send(field: HTMLElement, file: File): void {
  const address = field.dataset["upload"] as string;
  const line = lineFor(file.name);
  listOf(field).append(line);
  const most = Number(field.dataset["maxBytes"]);
  if (file.size > most) {
    const limit = `A file here can have up to ${sizeInWords(most)}; this has ${sizeInWords(file.size)}.`;
    return fail(line, field, file, limit, false);
  }
  line.className = "sending";
  const bar = document.createElement("progress");
  bar.max = 100;
  bar.value = 0;
  bar.setAttribute("aria-label", `Sending ${file.name}`);
  const words = document.createElement("span");
  words.className = "size";
  words.textContent = `${sizeInWords(file.size)}, waiting`;
  const cancel = button("Cancel", "quiet", () => {
    line.dispatchEvent(new Event("pipulate:cancel"));
    line.remove();
    inputOf(field).focus();
    announce(`${file.name} was not sent.`);
  });
  cancel.setAttribute("aria-label", `Cancel ${file.name}`);
  line.append(" ", bar, " ", words, " ", cancel);
  queue = queue.then(() => transfer(address, line, file, bar, words));
}

function take(field: HTMLElement, files: File[]): void {
  for (const old of field.querySelectorAll(".problem, .failed")) old.remove();
  inputOf(field).removeAttribute("aria-invalid");
  const isMany = inputOf(field).multiple;
  const most = Number(field.dataset["maxFiles"] ?? Infinity);
  const room = isMany ? most - listOf(field).children.length : 1;
  if (!isMany) for (const line of listOf(field).querySelectorAll(".sending")) {
    line.dispatchEvent(new Event("pipulate:cancel"));
    line.remove();
  }
  for (const file of files.slice(0, Math.max(room, 0))) send(field, file);
  if (files.length > room) {
    const words = document.createElement("small");
    words.className = "problem";
    words.setAttribute("role", "alert");
    words.textContent = most === 1 ? "Only one file can be chosen here." : `At most ${most} files can be chosen here.`;
    field.append(words);
  }
}

function upgrade(field: HTMLElement): void {
  const input = inputOf(field);
  if (!input.name) return;
  input.removeAttribute("name"); // What is chosen goes by itself; the form names what arrived.
  input.form?.removeAttribute("enctype");
  input.addEventListener("change", () => {
    take(field, [...(input.files ?? [])]);
    input.value = "";
  });
  const words = document.createElement("span");
  words.className = "drop-words";
  words.textContent = input.multiple ? "or drop files here" : "or drop a file here";
  input.after(words);
  field.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    field.classList.add("over");
  });
  for (const name of ["dragleave", "drop"]) field.addEventListener(name, () => field.classList.remove("over"));
  field.addEventListener("drop", (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(field, files);
  });
  if (input.files?.length) take(field, [...input.files]); // Chosen before this script was here.
}

document.addEventListener("click", (event) => {
  const source = (event.target as Element).closest?.<HTMLElement>("[data-remove]");
  const field = source?.closest<HTMLElement>(".upload");
  const line = source?.closest("li");
  if (!field || !line) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  removeLine(field, line);
  inputOf(field).focus();
  announce(`${line.querySelector(".name")?.textContent ?? "The file"} was removed.`);
});

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target as HTMLFormElement;
    const fields = [...form.elements].map((each) => each.closest<HTMLElement>(".upload"));
    const waiting = fields.find((field) => field?.querySelector(".sending"));
    if (!waiting || event.submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const words = "A file is still on its way. Wait for it, or cancel it.";
    const scope = form.contains(waiting) ? form : waiting;
    for (const old of scope.querySelectorAll(".send-problem")) old.remove();
    const line = document.createElement("p");
    line.className = "problem send-problem";
    line.setAttribute("role", "alert");
    line.textContent = words;
    if (scope === form) (form.querySelector(".actions") ?? form).before(line);
    else waiting.append(line);
  },
  true,
);
window.pipulateNeeds = { ...window.pipulateNeeds, upload: upgrade };
