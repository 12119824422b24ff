"use strict";
// Tabs, copy buttons, dialogs, keyboard shortcuts and local times. Everything else is links, forms and htmx.
(() => {
  const chosen = new Map(); // the selected tab by the id of its group, stored for the session

  const tabsOf = (group) => [...group.querySelectorAll('[role="tab"]')];

  const remembered = (group) => {
    if (chosen.has(group.id)) return chosen.get(group.id);
    try {
      return sessionStorage.getItem(`tab:${group.id}`);
    } catch {
      return null; // storage is disabled
    }
  };

  const remember = (group, tab) => {
    chosen.set(group.id, tab.id);
    try {
      sessionStorage.setItem(`tab:${group.id}`, tab.id);
    } catch {
      // storage is disabled: the choice lasts until the page is left
    }
  };

  const put = (element, name, value) => {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  };

  /** Show only the selected panel. Leaves correct attributes alone, so the observer below does not loop. */
  const show = (group) => {
    const tabs = tabsOf(group);
    const id = remembered(group);
    const tab = tabs.find((one) => one.id === id) || tabs[0];
    for (const other of tabs) {
      const is = other === tab;
      put(other, "aria-selected", String(is));
      put(other, "tabindex", is ? "0" : "-1");
      const panel = document.getElementById(other.getAttribute("aria-controls"));
      if (panel && panel.hidden === is) panel.hidden = !is;
    }
  };

  const showAll = () => document.querySelectorAll(".tabs").forEach(show);

  const choose = (tab) => {
    const group = tab.closest(".tabs");
    remember(group, tab);
    show(group);
  };

  const copy = async (button) => {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // no clipboard permission, or no TLS on a remote host: select the text, to be copied by hand
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };

  /** A field of CSV (RFC 4180). A text that a spreadsheet would take for a formula begins with an apostrophe. */
  const field = (value) => {
    if (value === undefined || value === null) return "";
    let text = typeof value === "object" ? JSON.stringify(value) : String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text) && !/^[+\-]?[\d.]+$/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  /** Save the whole list behind a table, with all its columns, from the output's JSON. */
  const download = (button) => {
    const exact = (key, value, context) => (typeof value === "number" && !Number.isSafeInteger(value) && context?.source) || value;
    const output = JSON.parse(button.closest(".output").querySelector(".whole-json code").textContent, exact);
    const path = JSON.parse(button.dataset.csv);
    const items = path.reduce((found, name) => found[name], output);
    const columns = [...new Set(items.flatMap((item) => Object.keys(item)))];
    const lines = [columns, ...items.map((item) => columns.map((column) => item[column]))].map((row) => row.map(field).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    link.download = `${path.join(".")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  const boxesOf = (data) => [...data.querySelectorAll("[data-column]")];
  const nameOf = (box) => box.parentElement.textContent.trim();
  const choiceOf = (data) => `columns:${data.closest("[data-action]").dataset.action}:${data.querySelector("[data-csv]").dataset.csv}`;

  /** Show the columns of a table that are ticked. */
  const showColumns = (data) => {
    const boxes = boxesOf(data);
    for (const row of data.querySelector("table").rows) {
      for (const box of boxes) row.cells[box.dataset.column].hidden = !box.checked;
    }
    data.querySelector("summary").textContent = `Columns (${boxes.filter((box) => box.checked).length} of ${boxes.length})`;
  };

  /** Tick the columns that were chosen last for this list of this action, on this browser; new ones stay as the server shows them. */
  const recallColumns = () => {
    for (const data of document.querySelectorAll(".data:not([data-recalled])")) {
      data.dataset.recalled = "";
      let picked = {};
      try {
        picked = JSON.parse(localStorage.getItem(choiceOf(data))) || {};
      } catch {
        // storage is disabled
      }
      const boxes = boxesOf(data).filter((box) => Object.hasOwn(picked, nameOf(box)));
      for (const box of boxes) box.checked = picked[nameOf(box)];
      if (boxes.length) showColumns(data);
    }
  };

  document.addEventListener("change", (event) => {
    if (event.target.dataset.column === undefined) return;
    const data = event.target.closest(".data");
    showColumns(data);
    try {
      const picked = Object.fromEntries(boxesOf(data).map((box) => [nameOf(box), box.checked]));
      localStorage.setItem(choiceOf(data), JSON.stringify(picked));
    } catch {
      // storage is disabled or full: the choice lasts until the next result
    }
  });

  /** What a dialog showed before would take what somebody types until its new content has come, and lose it then. */
  const openDialog = (name) => {
    document.getElementById(`${name}-body`)?.replaceChildren();
    document.getElementById(name).showModal();
  };

  /** What is shown once, such as a new link, is in sight as soon as it is there. */
  document.addEventListener("htmx:after:swap", () => document.querySelector("#made > .notice")?.scrollIntoView({ block: "nearest" }));

  /** Whoever opens a panel goes on with its first field: the browser gives that the focus as it shows the panel. */
  document.addEventListener("beforetoggle", (event) => {
    const first = event.target.matches(".panel") && event.target.querySelector(":is(input:not([type=hidden]), select, textarea):enabled");
    if (!first) return;
    event.target.autofocus = false;
    first.autofocus = true;
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button, a[data-dialog], a[data-chosen]");
    if (!button) return;
    if (button.dataset.chosen) document.getElementById(button.dataset.chosen)?.close();
    if (button.dataset.csv) download(button);
    if (button.role === "tab" && button.closest(".tabs")) choose(button);
    if (button.classList.contains("copy")) copy(button);
    if (button.dataset.dialog) openDialog(button.dataset.dialog);
    if (button.dataset.close) document.getElementById(button.dataset.close).close();
  });

  const ticksOf = (form) => [...document.querySelectorAll(`input.pick[form="${form.id}"]:not([data-pick-all])`)];

  /** Say how many rows are selected, and offer to select all: by hand that works without scripts. */
  const countPicked = () => {
    for (const form of document.querySelectorAll("form.selection")) {
      const boxes = ticksOf(form);
      const picked = boxes.filter((box) => box.checked).length;
      for (const every of document.querySelectorAll(`[data-pick-all][form="${form.id}"]`)) {
        every.hidden = !boxes.length;
        every.checked = boxes.length > 0 && picked === boxes.length;
        every.indeterminate = picked > 0 && picked < boxes.length;
      }
      const text = picked ? `${picked} selected` : "";
      const place = form.querySelector("[data-picked]");
      if (place.textContent !== text) place.textContent = text;
    }
  };

  document.addEventListener("change", (event) => {
    if (event.target.dataset.pickAll !== undefined) for (const box of ticksOf(event.target.form)) box.checked = event.target.checked;
    if (event.target.dataset.pickAll !== undefined || event.target.classList.contains("pick")) countPicked();
  });

  /** Browsers take a field for seen that the bar of its form's buttons covers. */
  document.addEventListener("focusin", ({ target }) => {
    const bar = target.form?.querySelector(".bar");
    if (!bar || bar.contains(target)) return;
    const covered = target.getBoundingClientRect().bottom - bar.getBoundingClientRect().top;
    if (covered > 0) scrollBy(0, covered + 8);
  });

  const moveTab = (event) => {
    const group = event.target.closest?.('.tabs [role="tab"]')?.closest(".tabs");
    if (!group) return;
    const tabs = tabsOf(group);
    const place = tabs.indexOf(event.target);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (place < 0 || next === undefined) return;
    event.preventDefault();
    const tab = tabs[(next + tabs.length) % tabs.length];
    choose(tab);
    tab.focus();
  };

  /** Ctrl+Enter (Cmd+Enter) submits the form of an action from any of its fields; "/" goes to the page's search field. */
  const shortcut = (event) => {
    const form = event.target.closest?.("form#run");
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const button = form.querySelector("button.primary");
      if (button.disabled || form.classList.contains("htmx-request")) return;
      event.preventDefault();
      button.click(); // the click handler collects the form's values
    }
    const writes = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey && !event.altKey && !document.querySelector("dialog[open]")) {
      const search = document.querySelector('main input[type="search"]');
      if (!search) return;
      event.preventDefault();
      search.focus();
    }
  };

  /** A fault of a form names its field: what is folded around the first one opens, and it gets the focus. Forms of schemas do that themselves. */
  const leadToFault = (form, list) => {
    for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
    const places = [...list.querySelectorAll("li[data-pointer]")].map((item) => [item, form.elements.namedItem(item.dataset.pointer.split("/").pop())]);
    const known = places.filter(([, control]) => control?.id && control.type !== "hidden");
    for (const [item, control] of known) {
      control.setAttribute("aria-invalid", "true");
      for (let above = control.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
      const link = document.createElement("a");
      link.href = `#${control.id}`;
      link.textContent = control.labels?.[0]?.textContent.trim() || item.dataset.pointer;
      item.querySelector(".pointer")?.replaceWith(link);
    }
    known[0]?.[1].focus();
  };

  document.addEventListener("htmx:after:swap", (event) => {
    const form = event.detail.ctx?.sourceElement;
    const target = event.detail.ctx?.target;
    const shown = typeof target === "string" ? document.querySelector(target) : target;
    shown?.closest("[popover]:not(:popover-open)")?.showPopover(); // what is said in a panel that was closed meanwhile is seen
    if (form?.matches?.("form") && shown && !form.querySelector("[data-form]")) leadToFault(form, shown);
  });

  /** A search in a dialog shows what it finds while somebody types: a page of its own would lose the form that the dialog belongs to. */
  document.addEventListener("submit", (event) => {
    if (!event.target.matches('dialog form[role="search"]')) return;
    event.preventDefault();
    event.target.querySelector('input[type="search"]').dispatchEvent(new Event("search"));
  });

  document.addEventListener("keydown", (event) => {
    moveTab(event);
    shortcut(event);
  });

  const FORMS = {
    clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    day: { day: "numeric", month: "short" },
    both: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    moment: {
      day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      timeZoneName: "short",
    },
  };

  /** Convert times to the reader's time zone; the server writes them in UTC and labels them so. */
  const localize = () => {
    for (const place of document.querySelectorAll("[data-local]")) {
      const when = new Date(place.getAttribute("datetime") || place.dataset.at);
      const text = new Intl.DateTimeFormat("en-GB", FORMS[place.dataset.local]).format(when);
      if (place.textContent !== text) place.textContent = text;
    }
    for (const place of document.querySelectorAll("[data-moment]")) {
      const text = new Intl.DateTimeFormat("en-GB", FORMS.moment).format(new Date(place.getAttribute("datetime")));
      const whole = `${text} (${place.dataset.ago})`;
      if (place.dataset.moment === "title") place.title = text;
      else if (place.textContent !== whole) place.textContent = whole;
    }
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const place of document.querySelectorAll("[data-zone]")) if (place.textContent !== zone) place.textContent = zone;
    for (const field of document.querySelectorAll("[data-timezone]")) field.value = zone;
    for (const field of document.querySelectorAll("[data-own-zone]")) {
      field.removeAttribute("data-own-zone");
      field.value = zone;
      setTimeout(() => field.dispatchEvent(new Event("change", { bubbles: true }))); // htmx listens by then
    }
  };

  const TICK = 500;

  /** Refresh the live parts of a page that is looked at, each when it is due: the server says after how many seconds that is. */
  const refreshLive = () => {
    if (document.hidden) return;
    for (const part of document.querySelectorAll("[data-live]")) {
      const wish = part.querySelector("[data-live-next]")?.dataset.liveNext ?? part.dataset.live;
      part.due ??= Date.now() + Number(wish) * 1000;
      if (wish === "never" || Date.now() < part.due || part.classList.contains("htmx-request")) continue;
      part.due = undefined;
      htmx.trigger(part, "refresh");
    }
  };

  /** A page that was hidden shows what has happened meanwhile at once. */
  document.addEventListener("visibilitychange", () => {
    for (const part of document.querySelectorAll("[data-live]")) part.due = 0;
    refreshLive();
  });

  const prepare = () => {
    localize();
    recallColumns();
    countPicked();
    document.dispatchEvent(new CustomEvent("console:content"));
  };
  document.addEventListener("DOMContentLoaded", () => {
    showAll();
    // After a swap, htmx's settle step restores the server's attributes, so watch attributes as well as children. The observer runs before
    // the next paint, so an unselected panel never flashes.
    new MutationObserver(showAll).observe(document.body, {
      childList: true, subtree: true, attributes: true, attributeFilter: ["hidden", "aria-selected", "tabindex"],
    });
    prepare();
    setInterval(refreshLive, TICK);
  });
  document.addEventListener("htmx:after:swap", prepare);
  htmx.config.morphIgnore = [...(htmx.config.morphIgnore || []), "open"]; // a refresh of a live part leaves open what the reader has opened
})();
