// The name of this browser tab. It survives a reload; a tab that was duplicated gets a name of its own.

const KEY = "pipulate.tab";

function fresh(): string {
  const id = crypto.randomUUID().slice(0, 18);
  sessionStorage.setItem(KEY, id);
  return id;
}

let id = sessionStorage.getItem(KEY) ?? fresh();

export function tab(): string {
  return id;
}

/** Hold the name for as long as the tab lives; take another where a tab that was copied from holds it already. */
export function holdTab(): void {
  navigator.locks?.request(`${KEY}.${id}`, { ifAvailable: true }, (lock) => {
    if (lock) return new Promise<never>(() => {});
    id = fresh();
    holdTab();
    return undefined;
  });
}
