// The one script of every page. Pages work without it; with it they answer in place.

import htmx from "htmx.org";
import { startCopies } from "./copy";
import { startDrafts } from "./drafts";
import { startJobs } from "./jobs";
import { startLive } from "./live";
import { startNeeds } from "./needs";
import { startPanels } from "./panels";
import { startRequests } from "./requests";
import { holdTab } from "./tab";
import { startWriting } from "./writing";
import { startZones } from "./zones";

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
startWriting();
startNeeds();
startJobs();
startLive();
startCopies();
startZones();
