"use strict";
// What somebody types into a form of a page fits its field, and is not lost. The console's pages and those of connect sessions share it.
(() => {
  const main = document.querySelector("main");
  const WORDS = {
    scheme: "Only the token was kept: what stood around it is added when it is sent.",
    https: "https:// was added.",
    lines: "This field takes one line: the line breaks were left out.",
    leave: "Leave, and lose what you have typed?",
    show: "Show",
    hide: "Hide",
    ...JSON.parse(main?.dataset.words ?? "{}"),
  };
  const isSteps = main?.classList.contains("connect"); // each form of such a page is a step away from it

  /** Return whether a form changes something: those that only ask for a page carry no token. */
  const changes = (form) => Boolean(form?.querySelector('input[name="csrf"]'));
  const formOf = (target) => target.form ?? target.closest?.("form");

  // Values that fit their field, which says so before they are sent.
  const tell = (control, text) => {
    const id = `${control.id}-fitted`;
    let note = document.getElementById(id);
    if (!note) {
      note = Object.assign(document.createElement("p"), { id, className: "hint" });
      note.setAttribute("role", "status");
      (control.closest(".secret") ?? control).after(note);
    }
    note.textContent = text;
  };
  const put = (control, value) => {
    control.value = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const bare = (text) => text.replace(/^[\s\p{Cf}]+|[\s\p{Cf}]+$/gu, "");
  const FITS = {
    address: (text) => [/^[\p{L}\d-]+(\.[\p{L}\d-]+)+(:\d+)?([/?#]\S*)?$/u.test(text) ? `https://${text}` : text, WORDS.https],
    token: (text) => [text.replace(/^authorization:\s*/i, "").replace(/^bearer\s+/i, "").replace(/^(["'])(.*)\1$/, "$2"), WORDS.scheme],
  };
  document.addEventListener("change", ({ target }) => {
    const fit = FITS[target.dataset?.takes];
    if (!fit) return;
    const text = bare(target.value);
    const [value, told] = fit(text);
    if (value !== target.value) put(target, value);
    if (value !== text) tell(target, told);
    else document.getElementById(`${target.id}-fitted`)?.remove();
  });

  /** A text with line breaks that is pasted into a field of one line, which a browser would take out silently. */
  document.addEventListener("paste", (event) => {
    const control = event.target;
    const text = event.clipboardData?.getData("text") ?? "";
    if (control.tagName !== "INPUT" || !/[\r\n]/.test(bare(text))) return;
    if (control.dataset.lines === undefined) {
      tell(control, WORDS.lines);
      return;
    }
    event.preventDefault();
    const area = document.createElement("textarea");
    for (const { name, value } of control.attributes) if (name !== "type") area.setAttribute(name, value);
    area.value = control.value;
    const { selectionStart: start, selectionEnd: end } = control;
    control.dispatchEvent(new CustomEvent("widened", { detail: area }));
    control.replaceWith(area);
    area.setRangeText(text, start, end, "end");
    area.focus();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // A secret is seen while whoever pastes it wants to: until it is sent, or the page is left.
  const seen = (control) => control.type === "text" || control.classList.contains("seen");
  const see = (control, is) => {
    if (control.tagName === "INPUT") control.type = is ? "text" : "password";
    else control.classList.toggle("seen", is);
    const button = control.parentElement.querySelector("button");
    const label = control.labels[0] ?? control.closest(".field")?.querySelector("label"); // a field that is being drawn is in no page yet
    const of = Object.assign(document.createElement("span"), { className: "unseen", textContent: `: ${label?.firstChild.textContent.trim() ?? ""}` });
    button.replaceChildren(is ? WORDS.hide : WORDS.show, of);
  };
  const reveal = (control) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet" });
    button.setAttribute("aria-controls", control.id);
    button.addEventListener("click", () => see(control, !seen(control)));
    const box = Object.assign(document.createElement("div"), { className: "secret" });
    control.replaceWith(box);
    box.append(control, button);
    see(control, false);
  };
  const hide = () => {
    for (const control of document.querySelectorAll(".secret > :first-child")) if (seen(control)) see(control, false);
  };
  document.addEventListener("secret", ({ detail: control }) => reveal(control)); // one that a script has drawn
  window.addEventListener("submit", hide);
  window.addEventListener("pagehide", hide);
  for (const control of document.querySelectorAll('input[type="password"][id], textarea.masked[id]')) reveal(control);

  // A changed form asks before it goes.
  const changed = new Set();
  const touched = new Set();
  const leave = () => changed.clear();
  document.addEventListener("input", ({ target }) => {
    const form = formOf(target);
    if (!changes(form)) return;
    changed.add(form);
    touched.add(form);
    document.dispatchEvent(new CustomEvent("typed", { detail: WORDS.leave }));
  });
  window.addEventListener("submit", ({ target }) => (isSteps ? leave() : changed.delete(target)));
  document.addEventListener("leaving", leave); // the page goes on by itself
  window.addEventListener("beforeunload", (event) => {
    if ([...changed].some((form) => form.isConnected)) event.preventDefault();
  });

  // Fields that differ from what is stored are marked, in forms that change that. Those made by a script have it when somebody comes to them.
  const begun = new WeakMap();
  const isTick = (control) => control.type === "checkbox" || control.type === "radio";
  const heldBy = (control) => (isTick(control) ? control.checked : control.value);
  const storedIn = (control) => {
    if (begun.has(control)) return begun.get(control);
    if (control.closest("[data-form]")) return heldBy(control);
    const chosen = control.options && ([...control.options].find((one) => one.defaultSelected) ?? control.options[0]);
    return isTick(control) ? control.defaultChecked : chosen ? chosen.value : control.defaultValue;
  };
  document.addEventListener("focusin", ({ target }) => {
    if (target.closest?.("[data-form]") && !begun.has(target)) begun.set(target, heldBy(target));
  });
  const mark = (form) => {
    const told = form?.querySelector?.("[data-changes]");
    if (!told) return;
    const others = [...form.elements].filter((one) => one.matches('input:not([type="hidden"]), select, textarea') && heldBy(one) !== storedIn(one));
    for (const field of form.querySelectorAll("[data-changed]")) field.removeAttribute("data-changed");
    for (const one of others) one.closest(".field")?.setAttribute("data-changed", "");
    if (others.length) form.closest("details")?.setAttribute("open", ""); // one that is filled again
    told.textContent = others.length ? `${others.length} unsaved ${others.length === 1 ? "change" : "changes"}` : "";
  };
  document.addEventListener("input", ({ target }) => mark(formOf(target)));

  // The pages are not stored by the browser, which would otherwise fill a form again: what was typed is kept in this tab, without secrets.
  const UNKEPT = '[type="hidden"], [type="password"], [type="file"], [autocomplete="new-password"], .masked, [data-asks]';
  const place = `typed ${document.querySelector("[data-session]")?.dataset.session} ${location.pathname}${location.search} ${document.title}`;
  const forms = () => [...document.forms].filter(changes);
  const drawn = (form) => form.querySelector('input[name="csrf"]').value.split(".")[1]; // from which state of what it is about
  const holdersOf = (form) => [...form.querySelectorAll("[data-form]")];
  const secretsOf = (form) => holdersOf(form).flatMap((holder) => JSON.parse(holder.dataset.schema).options.secrets ?? []);
  const controlsOf = (form) => {
    const isSecret = secretsOf(form).length > 0;
    return [...form.elements].filter((one) => one.name && one.matches("input, select, textarea") && !one.matches(UNKEPT)
      && !one.dataset.secrets && !(isSecret && one.matches(".by-json *")));
  };
  window.addEventListener("pagehide", () => {
    const kept = forms().map((form) => touched.has(form) && {
      drawn: drawn(form),
      controls: controlsOf(form).map((one) => [one.name, isTick(one) ? one.checked : one.value]),
      fields: holdersOf(form).map((holder) => {
        const secrets = JSON.parse(holder.dataset.schema).options.secrets ?? [];
        return holder.editor?.ready ? Object.entries(holder.editor.getValue()).filter(([name]) => !secrets.includes(name)) : [];
      }),
    });
    try {
      if (kept.some(Boolean)) sessionStorage.setItem(place, JSON.stringify(kept));
    } catch {
      // storage is disabled or full
    }
  });

  const recalled = () => {
    try {
      const [{ type }] = performance.getEntriesByType("navigation");
      return type === "navigate" ? [] : JSON.parse(sessionStorage.getItem(place)) ?? [];
    } catch {
      return [];
    }
  };

  /** Fill a form again that is drawn as it was: what others have changed meanwhile is not overwritten. */
  const refill = (form, kept) => {
    if (!kept || kept.drawn !== drawn(form)) return;
    controlsOf(form).forEach((control, number) => {
      const [name, value] = kept.controls[number] ?? [];
      if (name !== control.name || value === (isTick(control) ? control.checked : control.value)) return;
      if (isTick(control)) control.checked = value;
      else control.value = value;
      form.closest("[popover]:not(:popover-open)")?.showPopover();
      control.dispatchEvent(new Event("input", { bubbles: true }));
    });
    holdersOf(form).forEach((holder, number) => {
      const fields = kept.fields[number] ?? [];
      const fill = () => {
        if (!fields.length) return;
        holder.editor.setValue({ ...holder.editor.getValue(), ...Object.fromEntries(fields) });
        holder.dispatchEvent(new Event("input", { bubbles: true }));
      };
      if (holder.dataset.filled) fill();
      else holder.addEventListener("filled", fill, { once: true });
    });
  };
  document.addEventListener("DOMContentLoaded", () => {
    const kept = recalled();
    if (kept.length) forms().forEach((form, number) => refill(form, kept[number]));
  });
})();
