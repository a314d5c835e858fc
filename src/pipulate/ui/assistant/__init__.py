"""The panel beside the work: answers of a language model, what it asks to do, and which model it is."""
