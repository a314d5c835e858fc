// The second script of pages of class-style apps: what their markup and their answers expect of a page.

import { startDrafts } from "./explicit-drafts";
import { startEvents } from "./explicit-events";
import { runJsWidget, startFrames } from "./explicit-frames";
import { startRun } from "./explicit-run";
import { startScripts } from "./explicit-scripts";
import { startSort } from "./explicit-sort";
import { startTyped } from "./explicit-typed";

declare global {
  interface Window {
    runJsWidget: typeof runJsWidget;
  }
}

window.runJsWidget = runJsWidget;
startRun();
startFrames();
startTyped();
startEvents();
startDrafts();
startScripts();
startSort();
