"use strict";
// What every page needs: tabs, buttons that copy, dialogs. Everything else is links, forms and htmx.
(() => {
  const chosen = new Map(); // which tab was chosen last, by the id of its group: it stays when the group is replaced

  const choose = (group, tab, focus) => {
    for (const other of group.querySelectorAll('[role="tab"]')) {
      const is = other === tab;
      other.setAttribute("aria-selected", String(is));
      other.tabIndex = is ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !is;
    }
    chosen.set(group.id, tab.id);
    if (focus) tab.focus();
  };

  const prepareTabs = (root) => {
    for (const group of root.querySelectorAll(".tabs:not([data-ready])")) {
      group.dataset.ready = "1";
      const tabs = [...group.querySelectorAll('[role="tab"]')];
      choose(group, tabs.find((tab) => tab.id === chosen.get(group.id)) || tabs[0], false);
      group.addEventListener("click", (event) => {
        const tab = event.target.closest('[role="tab"]');
        if (tab) choose(group, tab, false);
      });
      group.addEventListener("keydown", (event) => {
        const place = tabs.indexOf(event.target);
        const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
        if (place < 0 || next === undefined) return;
        event.preventDefault();
        choose(group, tabs[(next + tabs.length) % tabs.length], true);
      });
    }
  };

  const copy = async (button) => {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // without permission, or without TLS on another machine: leave it selected, to be copied by hand
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.classList.contains("copy")) copy(button);
    if (button.dataset.dialog) document.getElementById(button.dataset.dialog).showModal();
    if (button.dataset.close) document.getElementById(button.dataset.close).close();
  });

  const prepare = () => document.dispatchEvent(new CustomEvent("console:content"));
  document.addEventListener("DOMContentLoaded", () => {
    prepareTabs(document);
    // before the next frame is painted, so that no panel is seen that is not chosen
    new MutationObserver(() => prepareTabs(document)).observe(document.body, { childList: true, subtree: true });
    prepare();
  });
  document.addEventListener("htmx:after:swap", prepare);
})();
