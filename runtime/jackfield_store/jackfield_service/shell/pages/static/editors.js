"use strict";
// Editors for json-editor, which manages the tree of members, values and events; these classes render accessible controls.
(() => {
  // The page's Content-Security-Policy forbids style attributes, but not the CSSOM.
  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
  JSONEditor.prototype.addNewStyleRules = () => {}; // the policy forbids its inline style sheet; console.css replaces it

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const isEmpty = (value) => value === undefined || value === null || value === "";
  const asText = (value) => (isEmpty(value) ? "" : typeof value === "string" ? value : JSON.stringify(value));

  /** Place of an event within a text, and as the whole of it: {{/data/payload/id}}. */
  const PLACE = /(\{\{\s*\/[^{}]*?\s*\}\})/;
  const WHOLE = /^\{\{\s*(\/[^{}]*?)\s*\}\}$/;
  const isPlaced = (value) => typeof value === "object" && value !== null && Object.keys(value).length === 1 && ("$event" in value || Array.isArray(value.$text));
  const nameOf = (part) => (typeof part === "string" ? part : `{{${part.$event}}}`);

  /** Write a value with places of an event as a text. */
  const written = (value) => (!isPlaced(value) ? value : "$event" in value ? nameOf(value) : value.$text.map(nameOf).join(""));

  /** Read what ``written`` has written. */
  const readPlaces = (text) => {
    if (typeof text !== "string") return text;
    const whole = WHOLE.exec(text.trim());
    if (whole) return { $event: whole[1] };
    const parts = text.split(PLACE).filter((part) => part !== "").map((part) => (WHOLE.test(part) ? { $event: WHOLE.exec(part)[1] } : part));
    return parts.some((part) => typeof part !== "string") ? { $text: parts } : text;
  };

  /** Number of fields above which a form has a search. */
  const SEARCHED = 20;

  /** Editor of a member, with one or more controls. ``value`` goes into the invocation; undefined if the field is empty. */
  class Field extends JSONEditor.AbstractEditor {
    build() {
      this.no_link_holder = true;
      this.hints = this.schema.options;
      this.id = this.path.replace(/[^A-Za-z0-9]/g, "-") + (this.hints.suffix ?? "");
      this.box = this.grouped() ? make("fieldset", { class: "field" }) : make("div", { class: "field" });
      this.label = make(this.grouped() ? "legend" : "label", this.grouped() ? {} : { for: this.id });
      this.label.append(this.schema.title);
      if (this.hints.required) this.label.append(" ", make("span", { class: "required" }, "required"));
      this.box.append(this.label);
      if (this.hints.hint) {
        const hint = make("p", { class: "hint", id: `${this.id}-hint` });
        hint.innerHTML = this.hints.hint; // safe: rendered by the server from Markdown, with raw HTML disabled
        this.box.append(hint);
      }
      if (this.hints.rest) {
        const more = make("div", { class: "prose" });
        more.innerHTML = this.hints.rest; // as safe as the hint
        const summary = make("summary", { "aria-label": `More about ${this.schema.title}` }, "More");
        this.box.append(make("details", { class: "rest" }, summary, more));
      }
      this.buildControl();
      if (this.places && this.takesPlaces()) this.offerPlaces();
      this.container.append(this.box);
    }

    grouped() { return false; }

    /** Places of the event that starts the call, with a value of each that is known; undefined in a form of another kind. */
    get places() { return this.jsoneditor.options.places; }

    /** Whether somebody may write places of an event into the control. */
    takesPlaces() { return false; }

    /** Offer to insert a place of the event where somebody writes. */
    offerPlaces() {
      const pick = make("select", { class: "place-picker", "aria-label": `Insert a value of the event into ${this.schema.title}` }, make("option", { value: "" }, "Insert a value of the event…"));
      pick.addEventListener("focus", () => { // a form may have many fields
        if (pick.options.length === 1) pick.append(...this.placeOptions());
      });
      pick.addEventListener("change", () => {
        const path = pick.value;
        pick.value = "";
        if (path) this.insertPlace(path);
      });
      this.box.addEventListener("focusin", (event) => { if (event.target.matches("input, textarea")) this.last = event.target; });
      this.box.append(pick);
    }

    placeOptions(before = "") {
      return this.places.map(([path, sample]) => make("option", { value: before + path }, isEmpty(sample) ? path : `${path}: ${sample}`));
    }

    insertPlace(path) {
      const inputs = this.box.querySelectorAll("input, textarea");
      const input = this.last?.isConnected ? this.last : inputs[inputs.length - 1];
      input.setRangeText(this.hints.kind === "json" ? JSON.stringify({ $event: path }) : `{{${path}}}`, input.selectionStart, input.selectionEnd, "end");
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.focus();
    }

    /** Convert between a value and what is shown of it, which may have places of an event. */
    shown(value) { return this.places ? written(value) : value; }
    given(value) { return this.places ? readPlaces(value) : value; }

    /** Return the common attributes of a control. */
    common(id = this.id) {
      return { id, "aria-describedby": this.hints.hint ? `${this.id}-hint` : undefined, "aria-required": this.hints.required ? "true" : undefined };
    }

    changed() {
      this.value = this.read();
      this.onChange(true);
    }

    setValue(value) {
      this.write(value);
      this.value = this.read();
      this.onChange(true);
    }

    /** Offer the known values of the field, or those of its option source, which form.js loads. */
    suggest(input) {
      const { optionsFrom, suggested } = this.hints;
      if ((!optionsFrom && !suggested) || input.tagName !== "INPUT" || input.type === "password") return;
      const id = `${this.id}-options`;
      input.setAttribute("list", id);
      if (this.box.querySelector(`datalist[id="${CSS.escape(id)}"]`)) return;
      const known = (suggested || []).map((value) => make("option", { value }));
      this.box.append(make("datalist", { id, "data-source": optionsFrom }, ...known));
    }

    getValue() { return this.value; }
    getDefault() { return this.hints ? this.hints.initial : undefined; }
    showValidationErrors() {}
    enable() {}
    disable() {}
  }

  class TextField extends Field {
    buildControl() {
      const kind = this.hints.kind;
      const attributes = { ...this.common(), placeholder: this.hints.placeholder, autocomplete: "off", spellcheck: "false" };
      if (["textarea", "json", "mixed", "masked"].includes(kind)) {
        const code = kind === "json" || kind === "masked";
        this.input = make("textarea", { ...attributes, rows: code ? 4 : 5, spellcheck: code ? "false" : "true" });
        if (code) this.input.classList.add("mono");
        if (kind === "masked") this.input.classList.add("masked");
      } else {
        this.input = make("input", { ...attributes, type: kind === "password" ? "password" : "text" });
        if (kind === "password") this.input.setAttribute("autocomplete", "new-password");
        if (this.hints.takes) this.input.dataset.takes = this.hints.takes;
        if (this.hints.lines) this.input.dataset.lines = "";
        this.input.addEventListener("widened", ({ detail: area }) => {
          this.input = area;
          area.addEventListener("input", () => this.changed());
        });
        const words = this.hints.suggested?.some((value) => typeof value === "string"); // 'now' in place of a number needs letters
        if (kind === "integer" && !words) this.input.setAttribute("inputmode", "numeric");
        if (kind === "number" && !words) this.input.setAttribute("inputmode", "decimal");
      }
      this.suggest(this.input);
      this.input.addEventListener("input", () => this.changed());
      this.box.append(this.input);
      if (kind === "password" || kind === "masked") document.dispatchEvent(new CustomEvent("secret", { detail: this.input }));
    }

    takesPlaces() { return true; }

    write(value) {
      this.input.value = this.hints.kind === "json" && !isEmpty(value) ? JSON.stringify(value, null, 2) : asText(this.shown(value));
    }

    read() {
      const found = TextField.parsed(this.input.value, this.hints.kind);
      return this.hints.kind === "json" ? found : this.given(found);
    }

    /** Convert a text to its kind. Text that is not a number or JSON stays text, and the server reports the error. */
    static parsed(text, kind) {
      const trimmed = text.trim();
      if (trimmed === "") return undefined;
      if (kind === "integer" && /^-?\d{1,15}$/.test(trimmed)) return Number(trimmed);
      if (kind === "number" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(trimmed)) return Number(trimmed);
      if (kind === "json" || (kind === "mixed" && /^[{[]/.test(trimmed))) {
        try { return JSON.parse(trimmed); } catch { return text; }
      }
      return text;
    }
  }

  /** A day; or a moment, which is chosen in the zone of the browser and sent with its offset. A value that such a control cannot show is a text. */
  class MomentField extends TextField {
    buildControl() {
      super.buildControl();
      if (this.places) return; // a place of the event is a text
      this.type = this.hints.kind === "date" ? "date" : "datetime-local";
      this.input.type = this.type;
      if (this.type === "date") return;
      this.input.step = "1"; // with seconds
      const zone = make("p", { class: "hint", id: `${this.id}-zone` }, `In ${Intl.DateTimeFormat().resolvedOptions().timeZone}`);
      this.input.setAttribute("aria-describedby", `${this.input.getAttribute("aria-describedby") ?? ""} ${zone.id}`.trim());
      this.input.before(zone);
    }

    write(value) {
      this.kept = undefined;
      const local = this.type && !isEmpty(value) ? MomentField.local(value, this.type) : "";
      if (this.type) this.input.type = local === null ? "text" : this.type;
      if (local === null || !this.type) super.write(value);
      else this.input.value = local;
      if (local) this.kept = [this.input.value, value];
    }

    read() {
      const text = this.input.value;
      if (this.kept?.[0] === text) return this.kept[1]; // to the fraction of a second, and with its own offset
      return this.input.type === "datetime-local" ? text && MomentField.sent(text) || undefined : super.read();
    }

    /** Return what a control shows of a value; null if it cannot show it. */
    static local(value, type) {
      if (type === "date") return /^\d{4}-\d\d-\d\d$/.test(value) ? value : null;
      const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(value) ? new Date(value) : NaN;
      return Number.isNaN(Number(moment)) ? null : new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
    }

    /** Return a moment of the browser's zone with its offset, which may be another one in summer. */
    static sent(text) {
      const behind = new Date(text).getTimezoneOffset();
      const two = (number) => String(Math.floor(number)).padStart(2, "0");
      const offset = behind ? `${behind > 0 ? "-" : "+"}${two(Math.abs(behind) / 60)}:${two(Math.abs(behind) % 60)}` : "Z";
      return `${text.length === 16 ? `${text}:00` : text.replace(/\.\d+$/, "")}${offset}`;
    }
  }

  class FixedField extends Field {
    buildControl() {
      this.input = make("input", { ...this.common(), type: "text", readonly: true });
      this.box.append(this.input);
    }

    write(value) { this.input.value = asText(value); }
    read() { return this.input.value || undefined; }
  }

  class ChoiceField extends Field {
    buildControl() {
      const usual = this.hints.labels?.[this.hints.choices.indexOf(this.hints.default)] ?? this.hints.default;
      const none = isEmpty(usual) ? "Not set" : `${usual} (by default)`;
      const options = this.hints.choices.map((choice, place) => make("option", { value: String(place) }, this.hints.labels?.[place] ?? String(choice)));
      this.input = make("select", this.common(), make("option", { value: "" }, none), ...options);
      if (this.places) this.input.append(make("optgroup", { label: "Value of the event" }, ...this.placeOptions(ChoiceField.EVENT)));
      this.input.addEventListener("change", () => this.changed());
      this.box.append(this.input);
    }

    write(value) {
      if (this.places && isPlaced(value) && "$event" in value) {
        const option = ChoiceField.EVENT + value.$event;
        if (![...this.input.options].some((one) => one.value === option)) this.input.append(make("option", { value: option }, value.$event));
        this.input.value = option;
        return;
      }
      const place = this.hints.choices.findIndex((choice) => choice === value);
      this.input.value = place < 0 ? "" : String(place);
    }

    read() {
      const { value } = this.input;
      if (value.startsWith(ChoiceField.EVENT)) return { $event: value.slice(ChoiceField.EVENT.length) };
      return value === "" ? undefined : this.hints.choices[Number(value)];
    }
  }
  /** Before the places of an event among the values of a choice. */
  ChoiceField.EVENT = "event:";

  /** Boolean that the server would not fill in: false is a value of its own, and is sent only if somebody has chosen it. */
  class YesNoField extends ChoiceField {
    buildControl() {
      this.hints = { ...this.hints, choices: [true, false], labels: ["Yes", "No"] };
      super.buildControl();
    }

    write(value) { super.write(value === "true" ? true : value === "false" ? false : value); }
  }

  /** Boolean with a default, which is sent if it differs from that. */
  class BooleanField extends Field {
    build() {
      super.build();
      this.box.classList.add("check");
      this.label.prepend(this.input, " ");
    }

    buildControl() {
      this.input = make("input", { ...this.common(), type: "checkbox", "aria-required": undefined });
      this.input.addEventListener("change", () => this.changed());
    }

    write(value) { this.input.checked = isEmpty(value) ? this.hints.default === true : value === true || value === "true"; }

    read() { return this.input.checked === (this.hints.default === true) ? undefined : this.input.checked; }
  }

  /** Rows that can be added and removed. A subclass builds, reads and writes a row's controls. */
  class RowsField extends Field {
    grouped() { return true; }

    takesPlaces() { return true; }

    buildControl() {
      this.rows = make("ul", { class: "rows-field" });
      const add = make("button", { type: "button", class: "quiet" }, this.addText());
      add.addEventListener("click", () => this.addRow(undefined, true));
      this.box.append(this.rows, add);
    }

    addText() { return "Add another"; }

    addRow(value, focus = false) {
      const number = this.rows.children.length + 1;
      const remove = make("button", { type: "button", class: "quiet", "aria-label": `Remove ${this.schema.title} ${number}` }, "Remove");
      const row = make("li", { "data-schemapath": `${this.path}.${number - 1}` }, ...this.rowControls(value, number), remove);
      row.addEventListener("input", () => this.changed());
      remove.addEventListener("click", () => {
        row.remove();
        if (!this.rows.children.length) this.addRow();
        this.renumber();
        this.changed();
        this.rows.querySelector("input, textarea")?.focus();
      });
      this.rows.append(row);
      if (focus) row.querySelector("input, textarea").focus();
    }

    renumber() {
      [...this.rows.children].forEach((row, place) => {
        row.setAttribute("data-schemapath", `${this.path}.${place}`);
        for (const control of row.querySelectorAll("[aria-label]")) {
          control.setAttribute("aria-label", control.getAttribute("aria-label").replace(/\d+$/, String(place + 1)));
        }
      });
    }

    writeRows(values) {
      this.rows.replaceChildren();
      for (const value of values.length ? values : [undefined]) this.addRow(value);
    }
  }

  class ListField extends RowsField {
    rowControls(value, number) {
      const attributes = { type: "text", "aria-label": `${this.schema.title} ${number}`, autocomplete: "off", spellcheck: "false" };
      const input = make("input", { ...attributes, placeholder: this.hints.placeholder });
      this.suggest(input);
      input.value = asText(this.shown(value));
      return [input];
    }

    write(value) { this.writeRows(isEmpty(value) ? [] : Array.isArray(value) ? value : [value]); }

    read() {
      const texts = [...this.rows.querySelectorAll("input")].map((input) => this.given(TextField.parsed(input.value, this.hints.item)));
      const given = texts.filter((text) => text !== undefined);
      return given.length ? given : undefined;
    }
  }

  /** Any of several values, each with a box to check. */
  class ChoicesField extends Field {
    grouped() { return true; }

    buildControl() {
      this.boxes = this.hints.choices.map((choice, place) => {
        const box = make("input", { type: "checkbox", id: `${this.id}-${place}` });
        box.addEventListener("change", () => this.changed());
        this.box.append(make("label", { class: "check", for: box.id }, box, ` ${choice}`));
        return box;
      });
    }

    write(value) {
      const given = Array.isArray(value) ? value : isEmpty(value) ? [] : [value];
      this.boxes.forEach((box, place) => { box.checked = given.includes(this.hints.choices[place]); });
    }

    read() {
      const given = this.hints.choices.filter((_, place) => this.boxes[place].checked);
      return given.length ? given : undefined;
    }
  }

  class PairsField extends RowsField {
    rowControls(pair, number) {
      const key = make("input", { type: "text", "aria-label": `${this.schema.title}: name ${number}`, placeholder: "Name", autocomplete: "off" });
      const value = make("input", { type: "text", "aria-label": `${this.schema.title}: value ${number}`, placeholder: "Value", autocomplete: "off" });
      if (pair) [key.value, value.value] = [asText(pair[0]), asText(this.shown(pair[1]))];
      return [key, value];
    }

    write(value) {
      const pairs = Array.isArray(value) ? value.map((item) => [item.key, item.value]) : isEmpty(value) ? [] : Object.entries(value);
      this.writeRows(pairs);
    }

    read() {
      const pairs = [...this.rows.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value)).filter(([key]) => key.trim());
      if (!pairs.length) return undefined;
      const given = pairs.map(([key, value]) => [key, this.given(value)]);
      return this.hints.as === "list" ? given.map(([key, value]) => ({ key, value })) : Object.fromEntries(given);
    }
  }

  /** File picker: uploads each file on selection and stores its id. */
  class FilesField extends Field {
    buildControl() {
      this.files = [];
      this.input = make("input", { ...this.common(), type: "file", multiple: this.hints.kind === "files" });
      this.list = make("ul", { class: "files" });
      this.state = make("p", { role: "status", class: "upload-state" });
      this.input.addEventListener("change", () => this.chosen());
      this.box.append(this.input, this.list, this.state);
    }

    async chosen() {
      const buttons = [...this.box.closest("form").querySelectorAll("button[name]:enabled")];
      for (const button of buttons) button.disabled = true; // do not submit before the upload has finished
      let report = "";
      for (const file of this.input.files) {
        this.state.textContent = `Uploading ${file.name}…`;
        try {
          const body = new FormData();
          body.append("file", file); // with its name
          const answer = await fetch((document.documentElement.dataset.prefix ?? "") + "/uploads", {
            method: "POST", body, headers: { "X-CSRF-Token": document.querySelector('input[name="csrf"]').value },
          });
          const stored = await answer.json().catch(() => ({}));
          if (answer.redirected) { // to the sign-in
            document.dispatchEvent(new CustomEvent("session-ended"));
            throw new Error("your session has ended: sign in, and select it again");
          }
          if (!answer.ok) throw new Error(stored.detail || `the server responded with status ${answer.status}`);
          if (this.hints.kind === "file") this.files = [];
          this.files = this.files.filter((one) => one.name !== file.name);
          this.files.push({ name: file.name, size: file.size, value: { file: stored.file } });
          report += `${file.name} was uploaded. `;
        } catch (error) {
          report += `${file.name} could not be uploaded: ${error.message}. `;
        }
      }
      this.input.value = "";
      this.show();
      this.changed();
      this.state.textContent = report.trim();
      for (const button of buttons) button.disabled = false;
    }

    show() {
      this.list.replaceChildren(...this.files.map((file) => {
        const remove = make("button", { type: "button", class: "quiet", "aria-label": `Remove ${file.name}` }, "Remove");
        remove.addEventListener("click", () => {
          this.files = this.files.filter((one) => one !== file);
          this.show();
          this.changed();
          this.input.focus();
        });
        const size = file.size === undefined ? "" : ` (${file.size.toLocaleString("en")} bytes)`;
        return make("li", {}, make("span", {}, file.name + size), remove);
      }));
    }

    write(value) {
      if (this.hints.kind === "file") this.files = isEmpty(value) ? [] : [{ name: "previously selected file", value }];
      else if (Array.isArray(value)) this.files = value.map((item) => ({ name: item.key, value: item.value }));
      else this.files = isEmpty(value) ? [] : Object.entries(value).map(([name, item]) => ({ name, value: item }));
      this.show();
    }

    read() {
      if (!this.files.length) return undefined;
      if (this.hints.kind === "file") return this.files[0].value;
      const pairs = this.files.map((file) => [file.name, file.value]);
      return this.hints.as === "list" ? pairs.map(([key, value]) => ({ key, value })) : Object.fromEntries(pairs);
    }
  }

  /** Field that is made of other editors, which are made when they are needed. */
  class MadeField extends Field {
    grouped() { return true; }

    /** Make an editor in a holder that is in the page. */
    part(schema, path, holder) {
      const options = { jsoneditor: this.jsoneditor, schema: { ...schema, options: { required: false, ...schema.options } }, path, parent: this };
      const editor = this.jsoneditor.createEditor(this.jsoneditor.getEditorClass(schema), options);
      editor.preBuild();
      editor.setContainer(holder);
      editor.build();
      editor.postBuild();
      return editor;
    }

    onChildEditorChange() {
      if (this.isWriting) return;
      this.value = this.read();
      this.onChange(true);
    }

    setValue(value) {
      this.isWriting = true;
      this.write(value);
      this.isWriting = false;
      this.onChildEditorChange();
    }
  }

  /** Items of a list, or members of a map under names, each in an editor of its own. */
  class ItemsField extends MadeField {
    buildControl() {
      this.parts = [];
      this.rows = make("ol", { class: "items-field" });
      const add = make("button", { type: "button", class: "quiet" }, this.hints.kind === "items" ? "Add an item" : "Add a member");
      add.addEventListener("click", () => {
        this.append();
        this.onChildEditorChange();
        this.rows.lastElementChild.querySelector("input, select, textarea")?.focus();
      });
      this.box.append(this.rows, add);
    }

    append(name = "", value = undefined) {
      const number = this.parts.length;
      const holder = make("div");
      const remove = make("button", { type: "button", class: "quiet", "aria-label": `Remove ${this.schema.title} ${number + 1}` }, "Remove");
      const row = make("li", {}, holder, remove);
      const part = {};
      if (this.hints.kind === "entries") {
        part.name = make("input", { type: "text", "aria-label": `${this.schema.title}: name ${number + 1}`, placeholder: "Name", autocomplete: "off" });
        part.name.value = name;
        part.name.addEventListener("input", () => {
          holder.setAttribute("data-schemapath", `${this.path}.${part.name.value}`);
          this.onChildEditorChange();
        });
        row.prepend(part.name);
      }
      this.rows.append(row);
      part.editor = this.part(this.hints.part, `${this.path}.${number}`, holder);
      if (part.name) holder.setAttribute("data-schemapath", `${this.path}.${name}`);
      if (value !== undefined) part.editor.setValue(value);
      this.parts.push(part);
      remove.addEventListener("click", () => {
        this.setValue(this.made(this.parts.filter((one) => one !== part)));
        (this.rows.querySelector("input, select, textarea") ?? this.box.querySelector(":scope > button")).focus();
      });
    }

    write(value) {
      for (const { editor } of this.parts) editor.destroy();
      this.parts = [];
      this.rows.replaceChildren();
      const pairs = isEmpty(value) ? [] : Array.isArray(value) ? value.map((item) => ["", item]) : typeof value === "object" ? Object.entries(value) : [["", value]];
      for (const [name, item] of pairs) this.append(name, item);
    }

    /** Return the value of some of the rows; a row that is empty does not count. */
    made(parts) {
      if (this.hints.kind === "items") {
        const given = parts.map(({ editor }) => editor.getValue()).filter((value) => value !== undefined);
        return given.length ? given : undefined;
      }
      const given = parts.filter(({ name }) => name.value.trim()).map(({ name, editor }) => [name.value, editor.getValue() ?? (this.hints.part.options.kind === "object" ? {} : "")]);
      return given.length ? Object.fromEntries(given) : undefined;
    }

    read() { return this.made(this.parts); }
  }

  /** A value of one of several forms, or JSON. */
  class UnionField extends MadeField {
    buildControl() {
      const forms = [...this.hints.forms];
      if (!forms.some(({ options }) => options.kind === "json")) forms.push({ title: "JSON", options: { kind: "json" } });
      this.forms = forms.map((form) => ({ ...form, options: { ...form.options, suffix: `${this.hints.suffix ?? ""}-value` } })); // they share its path
      const options = this.forms.map((form, place) => make("option", { value: String(place) }, form.title));
      this.input = make("select", { ...this.common(`${this.id}-form`), "aria-label": `${this.schema.title}: form` }, make("option", { value: "" }, "Not set"), ...options);
      this.input.addEventListener("change", () => {
        this.choose(this.input.value);
        this.onChildEditorChange();
      });
      this.holder = make("div");
      this.box.append(this.input, this.holder);
    }

    choose(place, value = undefined) {
      this.editor?.destroy();
      this.editor = undefined;
      this.input.value = place;
      this.holder.replaceChildren();
      if (place === "") return;
      const holder = make("div");
      this.holder.append(holder);
      this.editor = this.part(this.forms[Number(place)], this.path, holder);
      if (value !== undefined) this.editor.setValue(value);
    }

    write(value) {
      this.choose(isEmpty(value) ? "" : String(this.forms.findIndex((form) => UnionField.fits(form, value))), isEmpty(value) ? undefined : value);
    }

    static fits({ options, properties }, value) {
      switch (options.kind) {
        case "object": return typeof value === "object" && !Array.isArray(value) && Object.keys(value).every((name) => name in properties);
        case "pairs": case "files": return typeof value === "object" && Array.isArray(value) === (options.as === "list");
        case "entries": return typeof value === "object" && !Array.isArray(value);
        case "items": case "list": case "choices": return Array.isArray(value);
        case "boolean": return typeof value === "boolean";
        case "integer": return Number.isInteger(value);
        case "number": return typeof value === "number";
        case "choice": return options.choices.includes(value);
        case "file": return typeof value === "object" && ("data" in value || "file" in value);
        case "json": case "mixed": return true;
        default: return typeof value === "string";
      }
    }

    read() { return this.editor?.getValue(); }
  }

  /** Members of an object; further optional ones are behind "More fields". */
  class ObjectField extends Field {
    preBuild() {
      const placed = Object.entries(this.schema.properties).sort(([, one], [, other]) => one.propertyOrder - other.propertyOrder);
      this.members = placed.map(([name, schema]) => {
        const editor = this.jsoneditor.createEditor(this.jsoneditor.getEditorClass(schema), {
          jsoneditor: this.jsoneditor, schema, path: `${this.path}.${name}`, parent: this,
        });
        editor.preBuild();
        return [name, editor];
      });
    }

    grouped() { return true; }

    build() {
      if (!this.schema.options.root) return super.build();
      this.no_link_holder = true;
      this.hints = this.schema.options;
      this.box = make("div", { class: "members" });
      this.container.append(this.box);
      if (this.members.length > SEARCHED) this.buildSearch();
      return this.buildControl();
    }

    /** Build a search that hides the fields in which its words do not occur. */
    buildSearch() {
      const search = make("input", { type: "search", "aria-label": "Find a field", placeholder: `Find one of ${this.members.length} fields`, autocomplete: "off" });
      const count = make("p", { class: "hint", role: "status" });
      search.addEventListener("input", () => {
        const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        let found = 0;
        for (const [name, editor] of this.members) {
          const text = `${name} ${editor.container.textContent}`.toLowerCase();
          editor.container.hidden = !words.every((word) => text.includes(word));
          if (!editor.container.hidden) found += 1;
        }
        if (words.length) this.more.open = true;
        count.textContent = words.length ? `${found} of ${this.members.length} fields` : "";
      });
      search.addEventListener("keydown", (event) => {
        if (event.key === "Enter") event.preventDefault(); // it would run the action
      });
      this.box.append(make("div", { class: "field find-field" }, search, count));
    }

    buildControl() {
      const rest = this.members.filter(([, editor]) => editor.schema.options.more);
      this.more = make("details", { class: "further" }, make("summary", {}, `More fields (${rest.length})`));
      for (const [, editor] of this.members) {
        const holder = make("div");
        editor.place = make("div", {}, holder);
        (editor.schema.options.more ? this.more : this.box).append(editor.schema.options.shownFor ? editor.place : holder);
        editor.setContainer(holder);
        editor.build();
        editor.postBuild();
      }
      if (rest.length) this.box.append(this.more);
      this.offer();
    }

    /** Show the members that belong to what others are now; the values of those that are not shown are not sent. */
    offer() {
      if (!this.more) return; // it is being built
      const isShown = ([, editor]) => {
        const [name, values] = editor.schema.options.shownFor ?? [];
        const other = this.members.find(([one]) => one === name)?.[1];
        return !other || values.includes(other.getValue() ?? other.schema.options.default);
      };
      for (const member of this.members) if (member[1].place) member[1].place.hidden = !isShown(member);
      const rest = this.members.filter(([, editor]) => editor.schema.options.more && !editor.place?.hidden);
      this.more.hidden = rest.length === 0;
      this.more.firstChild.textContent = `More fields (${rest.length})`;
    }

    onChildEditorChange() {
      this.offer();
      this.value = this.read();
      this.onChange(true);
    }

    write(value) {
      for (const [name, editor] of this.members) {
        editor.setValue(value?.[name]);
        if (editor.schema.options.more && value?.[name] !== undefined) this.more.open = true;
      }
      this.offer();
    }

    read() {
      const shown = this.members.filter(([, editor]) => !editor.place?.hidden);
      const given = shown.map(([name, editor]) => [name, editor.getValue()]).filter(([, value]) => value !== undefined);
      return given.length || this.schema.options.root ? Object.fromEntries(given) : undefined;
    }
  }

  const editors = {
    items: ItemsField, entries: ItemsField, union: UnionField, choices: ChoicesField, object: ObjectField, text: TextField, textarea: TextField, mixed: TextField, password: TextField, masked: TextField, date: MomentField, moment: MomentField, integer: TextField, number: TextField, json: TextField, fixed: FixedField,
    choice: ChoiceField, boolean: BooleanField, "yes-no": YesNoField, list: ListField, pairs: PairsField, files: FilesField, file: FilesField,
  };
  for (const [kind, editor] of Object.entries(editors)) JSONEditor.defaults.editors[`console-${kind}`] = editor;
  JSONEditor.defaults.resolvers.unshift((schema) => {
    const { kind: found, required, default: usual } = schema.options ?? {};
    const kind = found === "boolean" && (required || typeof usual !== "boolean") ? "yes-no" : found;
    return editors[kind] ? `console-${kind}` : undefined;
  });
})();
