// Search and copying. Without this script every connector is still listed. Text is only ever set as text, never as markup.
"use strict";
(() => {
  const root = document.documentElement.dataset.root;
  const SHOWN = 50;
  let rows = null;
  let asked = false;

  window.catalogueIndex = (found) => {
    rows = found.map((row) => ({ key: row[0], title: row[1], about: row[2], text: row[3], words: row[4], categories: row[5], icon: row[6],
      listing: row[7] || "", tasks: row[8] || "", review: row[9] === true }));
    search();
  };

  const box = document.getElementById("words");
  const category = document.getElementById("category");
  const review = document.getElementById("review");
  const results = document.getElementById("results");
  const listed = document.getElementById("listed");
  const status = document.getElementById("status");

  function load() {
    if (asked) return;
    asked = true;
    const script = document.createElement("script");
    script.src = root + "assets/search-index.js";
    script.addEventListener("error", () => { status.textContent = "The search index could not be loaded."; });
    document.head.append(script);
  }

  function score(row, words) {
    let sum = 0;
    const title = row.title.toLowerCase();
    for (const word of words) {
      if (!row.words.includes(word)) return 0;
      if (row.key === word || title === word) sum += 100;
      else if (row.key.startsWith(word) || title.startsWith(word)) sum += 20;
      else if (row.key.includes(word) || title.includes(word)) sum += 10;
      else if ((" " + row.words).includes(" " + word)) sum += 3;
      else sum += 1;
    }
    return sum;
  }

  function element(name, text, parent) {
    const made = document.createElement(name);
    made.textContent = text;
    parent.append(made);
    return made;
  }

  function entry(row) {
    const item = document.createElement("li");
    if (row.icon) {
      const picture = element("img", "", item);
      picture.className = "small icon";
      picture.alt = "";
      picture.src = row.icon;
    }
    const link = element("a", row.title, element("strong", "", item));
    link.href = root + "connectors/" + encodeURIComponent(row.key) + "/index.html";
    item.append(" ");
    element("span", row.about, item).className = "soft";
    item.append(document.createElement("br"), row.text);
    if (row.listing || row.tasks) {
      const more = element("div", "", item);
      more.className = "listing";
      element("span", row.listing, more).className = "soft";
      if (row.review) { more.append(" "); element("span", "needs an app review", more).className = "badge"; }
      if (row.tasks) more.append(document.createElement("br"), "For example: " + row.tasks);
    }
    return item;
  }

  function search() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = category ? category.value : "";
    const free = review !== null && review.checked;
    const asks = words.length > 0 || chosen !== "" || free;
    results.hidden = !asks;
    listed.hidden = asks;
    if (!asks) { results.replaceChildren(); status.textContent = ""; return; }
    if (rows === null) { load(); status.textContent = "Loading…"; return; }
    const found = [];
    for (const row of rows) {
      if (chosen !== "" && !row.categories.includes(chosen)) continue;
      if (free && row.review) continue;
      const points = score(row, words);
      if (points > 0 || words.length === 0) found.push([points, row]);
    }
    found.sort((one, other) => other[0] - one[0] || one[1].title.localeCompare(other[1].title));
    results.replaceChildren(...found.slice(0, SHOWN).map(([, row]) => entry(row)));
    const more = found.length > SHOWN ? `; the best ${SHOWN} are shown` : "";
    status.textContent = `${found.length} of ${rows.length} connectors match${more}`;
  }

  if (box) {
    document.querySelector(".search").hidden = false;
    box.addEventListener("focus", load);
    box.addEventListener("input", search);
    for (const choice of [category, review]) if (choice) choice.addEventListener("change", search);
    if (box.value || (category && category.value) || (review && review.checked)) search();  // the browser has restored it
  }

  const site = new URL(root, location.href).href.replace(/\/$/, "");
  for (const place of document.querySelectorAll(".site-url")) place.textContent = site;

  for (const block of document.querySelectorAll(".install")) {
    const code = block.querySelector("code");
    const button = element("button", "Copy", block);
    button.type = "button";
    button.className = "copy";
    const said = element("span", "", block);
    said.setAttribute("role", "status");
    button.setAttribute("aria-label", `Copy: ${block.dataset.label}`);
    button.addEventListener("click", async () => {
      let copied = true;
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        const range = document.createRange();
        range.selectNodeContents(code);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        copied = document.execCommand("copy");
      }
      said.textContent = copied ? " Copied" : " Selected: copy it with the keyboard";
    });
  }
})();
