// The parts of htmx's events that these pages look at.

export interface RequestDetail {
  elt: HTMLElement;
  path: string;
  headers: Record<string, string>;
}

export interface AnswerDetail {
  elt: HTMLElement;
  xhr: XMLHttpRequest;
  requestConfig?: RequestDetail;
}

/** Listen to one of htmx's events, wherever it happens. */
export function on<Detail>(name: string, handle: (detail: Detail) => void): void {
  document.addEventListener(name, (event) => handle((event as CustomEvent<Detail>).detail));
}
