// The one script of every page. Pages work without it; with it they answer in place.

import htmx from "htmx.org";
import { startDrafts } from "./drafts";
import { startLive } from "./live";
import { startPanels } from "./panels";
import { startRequests } from "./requests";
import { holdTab } from "./tab";

declare global {
  interface Window {
    htmx: typeof htmx;
  }
}

window.htmx = htmx;
holdTab();
startRequests();
startPanels();
startDrafts();
startLive();
