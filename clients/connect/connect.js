"use strict";
// Opens the page of a jackfield connect session in a modal or in a window of its own, and says how it ended. It has no dependency.
((root, made) => {
  if (typeof module === "object" && module.exports) module.exports = made;
  else root.jackfieldConnect = made;
})(typeof self === "undefined" ? globalThis : self, (() => {
  const LOOK_EVERY = 500;
  const PASSING = ["declined", "pending"]; // the session goes on
  const SUCCEEDED = ["saved", "granted"];

  const inModal = (url, title, closed, stays) => {
    const dialog = document.createElement("dialog");
    const frame = document.createElement("iframe");
    const button = document.createElement("button");
    Object.assign(dialog.style, { width: "min(44rem, 94vw)", maxWidth: "none", height: "min(24rem, 92vh)", maxHeight: "none", padding: "0", border: "0", borderRadius: "12px", overflow: "hidden", background: "#ffffff", colorScheme: "light" });
    Object.assign(frame.style, { width: "100%", height: "100%", border: "0", display: "block", colorScheme: "normal" });
    Object.assign(button.style, { position: "absolute", top: "0.6rem", right: "0.6rem", width: "2.25rem", height: "2.25rem", padding: "0", font: "1.25rem/1 system-ui, sans-serif", color: "#18222d", background: "#ffffff", border: "1px solid #7d8a98", borderRadius: "8px", cursor: "pointer" });
    dialog.setAttribute("aria-label", title);
    button.setAttribute("aria-label", "Close");
    button.type = "button";
    button.textContent = "\u00d7";
    button.addEventListener("click", () => stays() || dialog.close());
    dialog.addEventListener("cancel", (event) => stays() && event.preventDefault());
    dialog.addEventListener("close", closed);
    frame.title = title;
    frame.src = url;
    dialog.append(frame, button);
    document.body.append(dialog);
    dialog.showModal();
    frame.focus();
    return {
      target: () => frame.contentWindow,
      fit: ({ height, background, color }) => {
        dialog.style.height = `min(${height}px, 92vh)`;
        if (background) Object.assign(dialog.style, { background });
        if (background && color) Object.assign(button.style, { background, color });
      },
      close: () => {
        dialog.removeEventListener("close", closed);
        dialog.close(); // which gives the focus back
        dialog.remove();
      },
    };
  };

  const inWindow = (url, closed) => {
    const opened = window.open(url, "_blank", "popup,width=760,height=860");
    if (!opened) return null;
    const looking = setInterval(() => opened.closed && closed(), LOOK_EVERY);
    return {
      target: () => opened,
      fit: () => {},
      close: () => {
        clearInterval(looking);
        opened.close();
      },
    };
  };

  // Resolves to {status, session, proof, reason, last}. status: "saved" (confirm the proof on your server), "granted", "pending" (finished,
  // and not confirmed when the person closed it), "failed", "expired", "lost" (this browser cannot go on), "closed" (by the person, or the
  // provider has cut the window off: ask your server), "blocked" (the browser opened no window). on is called with each message. session is
  // missing if the page had not loaded.
  const open = (url, { mode = "modal", title = "Connect an account", on } = {}) => new Promise((resolve) => {
    const { origin } = new URL(url, location.href);
    const heard = new Set();
    let last = null, session, question = "";
    const stays = () => { // what is typed would be lost: it is asked once, and again after more is typed
      const asked = question;
      question = "";
      return asked !== "" && !confirm(asked);
    };
    const leave = () => {
      removeEventListener("message", hear);
      shown.close();
      if (last?.status === "pending") resolve(last);
      else resolve({ status: "closed", ...(session && { session }), ...(last && { last: last.status }) });
    };
    const hear = (event) => {
      if (event.origin !== origin || event.source !== shown.target()) return;
      const { jackfield, ...told } = event.data ?? {};
      if (jackfield === "connect-open") [session, question] = [told.session, ""];
      if (jackfield === "connect-changed") question = String(told.question);
      if (jackfield === "connect-size" && told.height > 0) shown.fit(told);
      if (jackfield === "connect-close" && !stays()) leave();
      if (jackfield !== "connect") return;
      event.source.postMessage({ jackfield: "taken" }, origin);
      const text = JSON.stringify(told);
      if (heard.has(text)) return; // the person has loaded the page anew
      heard.add(text);
      on?.(told);
      if (PASSING.includes(told.status)) {
        last = told;
        return;
      }
      resolve(told); // who has not connected reads what to do next, and closes it
      if (SUCCEEDED.includes(told.status)) leave();
    };
    const shown = mode === "window" ? inWindow(url, leave) : inModal(url, title, leave, stays);
    if (!shown) return resolve({ status: "blocked" });
    addEventListener("message", hear);
  });

  return { open };
})());
