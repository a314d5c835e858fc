"""Form fields as people see them."""

from pipulate.ui.forms.fields import drawn_fields, fields_of, problems_without_field
from pipulate.ui.forms.texts import KEPT, again, open_texts, texts_of

__all__ = ["KEPT", "again", "drawn_fields", "fields_of", "open_texts", "problems_without_field", "texts_of"]
