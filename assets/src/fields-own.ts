// What the scripts of fields have in common: elements of their own, and controls that something stands in for.

/** Make an element that a refresh of the page leaves where it is. */
export function own<K extends keyof HTMLElementTagNameMap>(tag: K, name: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = name;
  made.dataset["own"] = "";
  return made;
}

/** What people read above a field, without what says that it is optional. */
export function labelOf(field: HTMLElement): string {
  return document.getElementById(`${field.id}-label`)?.firstChild?.textContent?.trim() ?? "";
}

/** Take a control out of sight; it still holds the value, and whoever focuses it is led to what stands in for it. */
export function standIn(control: HTMLElement, focus: () => void): void {
  const had = document.activeElement === control;
  control.classList.add("visually-hidden");
  control.tabIndex = -1;
  control.setAttribute("aria-hidden", "true");
  control.pipulateKeeps = ["class", "tabindex", "aria-hidden"];
  control.addEventListener("focus", focus);
  if (had) focus();
}

/** Tell everybody that a control holds something else now. */
export function changed(control: HTMLElement): void {
  for (const type of ["input", "change"]) control.dispatchEvent(new Event(type, { bubbles: true }));
}
