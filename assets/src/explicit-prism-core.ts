// Languages and additions of Prism look for it at the window; this has to run before them.

import Prism from "prismjs";

Prism.manual = true; // The page says what to colour, and when.
window.Prism = Prism;
