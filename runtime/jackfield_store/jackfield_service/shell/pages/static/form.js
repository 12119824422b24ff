"use strict";
// Forms generated from schemas: submit the values as JSON, and show the errors of the response at their fields.
(() => {
  const OPTIONS = {
    theme: "html", iconlib: null, disable_collapse: true, disable_edit_json: true, disable_properties: true, no_additional_properties: true,
    show_errors: "never", disable_theme_rules: true, use_name_attributes: false, ajax: false,
  };

  const collected = (holder) => holder.editor.getValue();

  /** ID of the choice of a connection that belongs to the fields. */
  const pickerOf = (holder) => holder.dataset.connection ?? "connection";

  /** Name of the chosen connection; the stored one that is gone until another is chosen, so that none is taken in its place. */
  const chosenIn = (picker) => picker?.value || picker?.dataset.gone;

  const byPath = (root, path) => {
    for (let at = path; at.includes("."); at = at.slice(0, at.lastIndexOf("."))) {
      const found = root.querySelector(`[data-schemapath="${CSS.escape(at)}"]`);
      if (found) return found;
    }
    return null;
  };

  const controlsOf = (field) => [...field.querySelectorAll("input:not([type=hidden]), select, textarea")];

  const clearFaults = (form) => {
    for (const message of form.querySelectorAll(".field-error")) message.remove();
    for (const control of form.querySelectorAll("[aria-invalid]")) {
      control.removeAttribute("aria-invalid");
      const rest = (control.getAttribute("aria-describedby") || "").split(" ").filter((id) => id && !id.endsWith("-error"));
      if (rest.length) control.setAttribute("aria-describedby", rest.join(" "));
      else control.removeAttribute("aria-describedby");
    }
  };

  /** Show an error below its field, announced to screen readers, and link to the field from the list of errors. */
  const showFault = (form, holder, item, number) => {
    const path = (form.dataset.root ?? holder.dataset.form) + item.dataset.pointer.replaceAll("/", ".").replaceAll("~1", "/").replaceAll("~0", "~");
    const found = byPath(form, path);
    const place = found?.closest(".by-fields") && form.querySelector("#as-json")?.checked ? form.querySelector(".by-json .field") : found;
    if (!place || place === holder) return;
    const id = `${holder.dataset.form}-${number}-error`;
    const message = document.createElement("p");
    message.className = "field-error";
    message.id = id;
    message.textContent = item.dataset.message;
    (place.querySelector(":scope > .field") || place).append(message);
    const controls = controlsOf(place);
    const isGroup = place.querySelector(":scope > .field [data-schemapath] .field") !== null; // its members are not at fault, but itself
    for (const control of isGroup ? [] : controls) {
      control.setAttribute("aria-invalid", "true");
      control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") || ""} ${id}`.trim());
    }
    for (let above = place.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
    const name = controls[0]?.getAttribute("aria-label") || place.querySelector("label, legend")?.firstChild?.textContent || item.dataset.pointer;
    const pointer = item.querySelector(".pointer");
    if (pointer && controls[0]) {
      if (!controls[0].id) controls[0].id = `${id}-control`;
      const link = document.createElement("a");
      link.href = `#${controls[0].id}`;
      link.textContent = name;
      pointer.replaceWith(link);
    }
  };

  const showFaults = (form, list) => {
    clearFaults(form);
    const holder = form.querySelector("[data-form]");
    if (!holder) return;
    [...list.querySelectorAll("li[data-pointer]")].forEach((item, number) => showFault(form, holder, item, number));
  };

  /** Load the choices of a field when somebody comes to it; those from the provider use the selected connection and the inputs that matter. */
  const fillOptions = async (holder, list) => {
    const chosen = chosenIn(document.getElementById(pickerOf(holder)));
    const depends = JSON.parse(holder.dataset.depends || "{}");
    const inputs = collected(holder);
    const needed = (depends[list.dataset.source] || depends["*"] || []).filter((name) => inputs[name] !== undefined);
    const query = new URLSearchParams(chosen ? { connection: chosen } : {});
    if (needed.length) query.set("inputs", JSON.stringify(Object.fromEntries(needed.map((name) => [name, inputs[name]]))));
    const address = `${holder.dataset.options}${encodeURIComponent(list.dataset.source)}?${query}`;
    if (list.dataset.address === address) return;
    list.dataset.address = address;
    const { items = [] } = await fetch(address).then((answer) => answer.json()).catch(() => ({}));
    if (list.dataset.address !== address) return; // another connection or input was selected meanwhile
    list.replaceChildren(...items.map(({ value, label, title }) => {
      const option = document.createElement("option");
      option.value = value;
      option.label = label || title || value;
      return option;
    }));
  };

  /** Show as placeholders the values that the selected connection supplies: nobody has to enter those, so they are not required. */
  const showBrought = (holder, schema) => {
    const option = document.getElementById(pickerOf(holder))?.selectedOptions[0];
    const values = option?.dataset.values ? JSON.parse(option.dataset.values) : {};
    for (const [name, member] of Object.entries(schema.properties)) {
      if (!member.options.fromConnection) continue;
      const editor = holder.querySelector(`[data-schemapath="${CSS.escape(`${holder.dataset.form}.${name}`)}"]`);
      const input = editor?.querySelector("input, textarea");
      const brought = values[member.options.fromConnection];
      const mark = editor?.querySelector(".required");
      if (mark) mark.textContent = brought === undefined ? "required" : "";
      if (mark && input) input.ariaRequired = brought === undefined ? "true" : null;
      if (input) input.placeholder = brought === undefined ? member.options.placeholder || "" : `${brought} (from the connection)`;
    }
  };

  const invocation = (form, holder) => {
    const inputs = collected(holder);
    const chosen = chosenIn(form.querySelector("#connection"));
    const made = { ...(chosen ? { connection: chosen } : {}), inputs };
    for (const control of form.querySelectorAll("[data-member]")) {
      if (control.type === "checkbox") {
        if (control.checked) made[control.dataset.member] = true;
        continue;
      }
      const text = control.value.trim();
      if (text) made[control.dataset.member] = control.inputMode === "decimal" && Number.isFinite(Number(text)) ? Number(text) : text;
    }
    if (form.querySelector("[data-notify]")?.checked) made.context = { notify: true };
    return made;
  };

  const write = (form, holder) => {
    if (!holder.isConnected) return; // another action's form is there in its place
    const target = form.querySelector("#invocation");
    if (target) target.value = JSON.stringify(invocation(form, holder));
    const values = form.querySelector(`[data-collected="${CSS.escape(holder.dataset.form)}"]`);
    if (values) values.value = JSON.stringify(collected(holder));
    for (const field of target ? document.querySelectorAll("[data-carried]") : []) field.value = target.value;
  };

  const ordered = (value) => {
    if (Array.isArray(value)) return value.map(ordered);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.keys(value).sort().map((name) => [name, ordered(value[name])]));
  };

  /** Whether the fields hold a value as it is, but for what is as the action's defaults. */
  const holds = (holder, schema, value) => {
    const own = Object.entries(value).filter(([name, member]) => JSON.stringify(schema.properties[name]?.options.default) !== JSON.stringify(member));
    return JSON.stringify(ordered(collected(holder))) === JSON.stringify(ordered(Object.fromEntries(own)));
  };

  /** Show a call as JSON, or by its fields. */
  const asJson = (form, on) => {
    const box = form.querySelector("#as-json");
    if (box) box.checked = on;
  };

  const later = (work, milliseconds) => {
    let waiting;
    return () => {
      clearTimeout(waiting);
      waiting = setTimeout(work, milliseconds);
    };
  };

  const begin = (holder) => {
    if (!globalThis.JSONEditor?.defaults.editors["console-text"]) return; // a script was lost, which the page says
    holder.dataset.ready = "1";
    const schema = JSON.parse(holder.dataset.schema);
    const form = holder.closest("form");
    const refresh = later(() => {
      const code = document.getElementById("code");
      if (code && form.id === "run") htmx.trigger(code, "refresh");
    }, 250);
    holder.editor = new JSONEditor(holder, { ...OPTIONS, schema, form_name_root: holder.dataset.form, startval: JSON.parse(holder.dataset.value), places: holder.dataset.places && JSON.parse(holder.dataset.places) });
    holder.editor.on("ready", () => {
      holder.querySelector(".undrawn")?.remove();
      showBrought(holder, schema);
      if (holder.dataset.places && !holds(holder, schema, JSON.parse(holder.dataset.value))) asJson(form, true);
      holder.dataset.filled = "1";
      holder.dispatchEvent(new CustomEvent("filled"));
    });
    holder.editor.on("change", () => {
      write(form, holder);
      refresh();
    });
    form.addEventListener("input", () => {
      if (!holder.editor.ready) return;
      write(form, holder);
      refresh();
    });
    form.addEventListener("click", () => {
      if (holder.editor.ready) write(form, holder);
    });
    form.addEventListener("change", (event) => {
      if (event.target.id !== pickerOf(holder) || !holder.isConnected) return;
      showBrought(holder, schema);
    });
    holder.addEventListener("focusin", (event) => {
      const list = event.target.list;
      if (list?.dataset.source) fillOptions(holder, list);
    });
    form.addEventListener("htmx:config:request", (event) => {
      if (event.target !== form || !holder.isConnected) return;
      write(form, holder);
      for (const control of form.querySelectorAll("#invocation, [data-collected]")) event.detail.ctx.request.body.set(control.name, control.value);
    });
  };

  /** Select a connection created in the dialog in the form behind it. */
  const takeCreated = (made) => {
    const picker = document.getElementById(made.closest("dialog")?.dataset.picker || "connection");
    if (!picker || picker.querySelector(`option[value="${CSS.escape(made.dataset.created)}"]`)) return;
    picker.querySelector('option[value=""]')?.remove();
    const option = new Option(made.dataset.label, made.dataset.created, true, true);
    option.dataset.values = made.dataset.values;
    picker.append(option);
    const dialog = made.closest("dialog");
    const field = picker.closest(".field");
    field.querySelector("[data-created]")?.remove();
    made.setAttribute("role", "status");
    field.append(made); // what is said stays in sight
    dialog?.close();
    picker.dispatchEvent(new Event("change", { bubbles: true }));
    picker.dispatchEvent(new Event("input", { bubbles: true }));
  };

  /** A form may have several choices of connections: the dialog fills in the one beside which it was opened. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-dialog]");
    if (button) document.getElementById(button.dataset.dialog).dataset.picker = button.dataset.picker || "";
  });

  /** On "Next page", fill the page token into the form and run it again. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-next]");
    const form = document.getElementById("run");
    const holder = form?.querySelector("[data-form]");
    if (!button || !holder?.editor?.ready) return;
    button.disabled = true;
    holder.editor.setValue({ ...collected(holder), ...JSON.parse(button.dataset.next) });
    write(form, holder);
    form.querySelector("button.primary").click();
  });

  /** Fill in the example of the action; what somebody has entered stays. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-example]");
    const holder = button?.closest("form").querySelector("[data-form]");
    if (!holder?.editor?.ready) return;
    holder.editor.setValue({ ...JSON.parse(button.dataset.example), ...collected(holder) });
  });

  /** Write as JSON what the fields have, and fill the fields with what is written, where one is changed for the other. */
  document.addEventListener("change", (event) => {
    if (event.target.id !== "as-json") return;
    const form = event.target.form;
    const holder = form.querySelector(".by-fields [data-form]");
    const text = form.querySelector(".by-json textarea");
    if (!holder?.editor?.ready) return;
    const isCall = text.id === "document"; // else its inputs alone
    if (event.target.checked) {
      const named = isCall ? Object.fromEntries(["connector", "action"].map((name) => [name, form.querySelector(`input[name="${name}"]`).value])) : {};
      const made = isCall ? { ...named, ...invocation(form, holder) } : collected(holder);
      if (isCall || Object.keys(made).length) text.value = JSON.stringify(made, null, 2);
      return;
    }
    let inputs;
    try {
      const given = JSON.parse(text.value);
      inputs = (isCall ? given.inputs : given) || {};
    } catch {
      return; // it is not JSON: the fields stay as they were
    }
    if (!isCall) inputs = Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== "")); // as the form of JSON begins
    holder.editor.setValue(inputs);
    if (holder.dataset.places && !holds(holder, JSON.parse(holder.dataset.schema), inputs)) asJson(form, true); // the fields cannot show it
  });

  /** Show a chosen file of text in the field that sends it, and go on with it: spreadsheets write UTF-8, UTF-16 or Windows-1252. */
  document.addEventListener("change", async (event) => {
    const area = document.getElementById(event.target.dataset?.textInto);
    const [file] = area ? event.target.files : [];
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const wide = { "255,254": "utf-16le", "254,255": "utf-16be" }[bytes.slice(0, 2).join()];
    try {
      area.value = new TextDecoder(wide ?? "utf-8", { fatal: true }).decode(bytes);
    } catch {
      area.value = new TextDecoder("windows-1252").decode(bytes);
    }
    area.form.requestSubmit();
  });

  /** Insert a place of the event at the cursor; between the quotes of an empty text, in its place. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-insert]");
    if (!button) return;
    const area = document.getElementById(button.dataset.into);
    let { selectionStart: start, selectionEnd: end } = area;
    if (area.value[start - 1] === '"' && area.value[end] === '"') { start -= 1; end += 1; }
    area.setRangeText(button.dataset.insert, start, end, "end");
    area.focus();
  });

  document.addEventListener("console:content", () => {
    for (const holder of document.querySelectorAll("[data-form]:not([data-ready])")) begin(holder);
    for (const made of document.querySelectorAll("[data-created]")) takeCreated(made);
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const source = event.detail.ctx?.sourceElement;
    const form = source?.matches?.("form") ? source : null; // not a part of it that was loaded
    const target = event.detail.ctx?.target;
    if (!form || !form.querySelector("[data-form]") || !target) return;
    const shown = typeof target === "string" ? document.querySelector(target) : target;
    showFaults(form, shown);
    const first = form.querySelector('[aria-invalid="true"]');
    if (first) {
      first.focus(); // the alert is read to who cannot see it
      return;
    }
    const title = shown.querySelector("#result-title, .notice");
    if (!title) return;
    if (!title.hasAttribute("tabindex")) title.tabIndex = -1;
    title.focus();
    shown.scrollIntoView({ block: "nearest" });
  });
})();
