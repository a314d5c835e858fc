"""What a class-style page asks for is read off its markup, as a browser reads it."""

from __future__ import annotations

from pipulate.actions.own_pages import OwnForm
from pipulate.explicit.page_form import forms_in, words_in
from pipulate.fields import FormField

PAGE = """
<article><h3>Order <b>form</b></h3>
<form hx-post="/shop/step_01_submit" hx-target="#step_01">
 <label for="who">Your <i>name</i></label><input id="who" name="name" value="Ann" required maxlength="40">
 <label>Pieces <input type="number" name="pieces" min="1" max="9" value="2"></label>
 <input type="hidden" name="token" value="t&amp;1"><input name="off" value="x" disabled><input value="nameless">
 <select name="size" aria-label="Size"><option value="s">Small<option value="m" selected>Medium</select>
 <select name="extras" multiple><option value="nuts">Nuts</option><option selected>Milk</option></select>
 <input type="radio" name="pay" value="cash" id="p1"><label for="p1">Cash</label>
 <input type="radio" name="pay" value="card" id="p2" checked><label for="p2">Card</label>
 <label><input type="checkbox" name="gift" value="wrapped" checked>As a gift</label>
 <input type="checkbox" name="days" value="mon" checked><input type="checkbox" name="days" value="tue">
 <textarea name="note" placeholder="Anything else?">
two &lt;lines&gt;
here</textarea>
 <input type="password" name="pin" value="1234"><input type="file" name="plan">
 <button name="way" value="post">By post</button><button name="way" value="self">I fetch it</button>
 <button type="button" name="no" value="no">Not sent</button>
 <script>if (a < b) { form("<input name=script>") }</script>
</form></article>
<form action="/shop/other?x=1" method="post"><input name="b"></form>
"""


def fields(form: OwnForm) -> dict[str, FormField]:
    return {each.name: each for each in form.fields}


def test_fields_are_those_a_browser_would_send() -> None:
    order, other = forms_in(PAGE)
    assert order.post == "/shop/step_01_submit"
    assert other.post == "/shop/other?x=1"
    assert list(fields(order)) == [
        "name", "pieces", "token", "size", "extras", "pay", "gift", "days", "note", "pin", "plan", "way",
    ]  # fmt: skip
    assert list(fields(other)) == ["b"]


def test_each_sends_what_stands_in_it_but_secrets_and_files() -> None:
    form = forms_in(PAGE)[0]
    texts = {
        "name": ["Ann"], "pieces": ["2"], "token": ["t&1"], "size": ["m"], "extras": ["Milk"], "pay": ["card"],
        "gift": ["on"], "days": ["mon"], "note": ["two <lines>\nhere"], "pin": [], "plan": [], "way": ["post"],
    }  # fmt: skip
    assert form.texts == texts
    sent = {name: text for name, text in texts.items() if text}
    assert form.sent(texts) == sent | {"gift": ["wrapped"]}


def test_labels_kinds_limits_and_choices_are_those_people_see() -> None:
    form = fields(forms_in(PAGE)[0])
    assert form["name"].label == "Your name"
    assert form["name"].required
    assert (form["pieces"].label, form["pieces"].kind) == ("Pieces", "number")
    assert form["pieces"].limits == (("min", "1"), ("max", "9"))
    assert form["token"].widget == "hidden"
    assert [(each.text, each.label) for each in form["size"].options] == [("s", "Small"), ("m", "Medium")]
    assert form["size"].label == "Size"
    assert [(each.text, each.label) for each in form["pay"].options] == [("cash", "Cash"), ("card", "Card")]
    assert (form["gift"].label, form["gift"].kind) == ("As a gift", "bool")
    assert [each.text for each in form["days"].options] == ["mon", "tue"]
    assert (form["note"].kind, form["note"].help) == ("long", "Anything else?")
    assert (form["pin"].kind, form["plan"].kind) == ("secret", "file")
    assert [(each.text, each.label) for each in form["way"].options] == [("post", "By post"), ("self", "I fetch it")]


def test_choice_of_one_sends_its_first_where_none_is_chosen() -> None:
    (form,) = forms_in('<form hx-post="/a"><select name="s"><option>one<option>two</select></form>')
    assert form.texts == {"s": ["one"]}


def test_words_are_what_somebody_reads() -> None:
    assert words_in("<h3>No\nx</h3><p>for <b>y</b>ou</p><script>secret()</script><style>b{}</style>") == "No x for you"


def test_broken_markup_is_read_as_far_as_it_goes() -> None:
    broken = (
        "<form", "</form></select>", "<form><select name=a><option", "<!--", "\0<form>", "<![", "<a ", "<?", "</",
        "<div>", "\ud800",
    )  # fmt: skip
    for text in broken:
        forms_in(text * 10_000)
        words_in(text * 10_000)
    (form,) = forms_in("<form hx-post=/a><input name=a><form><input name=b>")
    assert list(fields(form)) == ["a", "b"]
