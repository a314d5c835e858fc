// Buttons that copy: what stands beside them, or what an address answers with.

import { announce } from "./page";

async function text(source: HTMLElement): Promise<string> {
  const wanted = source.dataset["copies"] ?? "";
  if (wanted === "text") return source.closest(".copied")?.querySelector("pre")?.textContent ?? "";
  const answer = await fetch(wanted);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

async function copy(source: HTMLElement): Promise<void> {
  const words = source.textContent ?? "";
  // Handed over as a promise: after the wait for an answer, browsers no longer see the click that asked for it.
  const content = text(source).then((found) => new Blob([found], { type: "text/plain" }));
  let said = "Copied";
  try {
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": content })]);
  } catch {
    said = "Could not be copied";
  }
  announce(said);
  source.textContent = said;
  setTimeout(() => {
    source.textContent = words;
  }, 1500);
}

export function startCopies(): void {
  document.addEventListener("click", (event) => {
    const source = (event.target as Element).closest<HTMLElement>("[data-copies]");
    if (!source || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void copy(source);
  });
}
