// The time zone of this browser, where a form asks for one and nobody has chosen yet.

export function startZones(): void {
  const input = document.querySelector<HTMLInputElement>("input[data-zone]");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!input || !zone || input.value !== input.defaultValue || input.value === zone) return;
  input.value = zone;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
