"use strict";
// Opens the page of a jackfield connect session in a modal or in a window of its own, and says how it ended. It has no dependency.
((root, made) => {
  if (typeof module === "object" && module.exports) module.exports = made;
  else root.jackfieldConnect = made;
})(typeof self === "undefined" ? globalThis : self, (() => {
  const LOOK_EVERY = 500;

  const inModal = (url, title) => {
    const dialog = document.createElement("dialog");
    const frame = document.createElement("iframe");
    const button = document.createElement("button");
    Object.assign(dialog.style, { width: "min(48rem, 94vw)", height: "min(52rem, 92vh)", padding: "0", border: "0", borderRadius: "12px", overflow: "hidden" });
    Object.assign(frame.style, { width: "100%", height: "100%", border: "0", display: "block" });
    Object.assign(button.style, { position: "absolute", top: "0.5rem", right: "0.5rem", width: "2.25rem", height: "2.25rem", font: "inherit", cursor: "pointer" });
    dialog.setAttribute("aria-label", title);
    button.setAttribute("aria-label", "Close");
    button.type = "button";
    button.textContent = "\u00d7";
    button.addEventListener("click", () => dialog.close());
    frame.title = title;
    frame.src = url;
    dialog.append(frame, button);
    document.body.append(dialog);
    dialog.showModal();
    return { target: () => frame.contentWindow, isOver: () => !dialog.open, close: () => dialog.remove() };
  };

  const inWindow = (url) => {
    const opened = window.open(url, "_blank", "popup,width=760,height=860");
    return opened && { target: () => opened, isOver: () => opened.closed, close: () => opened.close() };
  };

  // Resolves to {status, session, proof, reason}. status: "saved" (confirm the proof on your server), "granted", "failed", "expired",
  // "closed" (by the person, or the provider has cut the window off: ask your server), "blocked" (the browser opened no window).
  const open = (url, { mode = "modal", title = "Connect an account" } = {}) => new Promise((resolve) => {
    const { origin } = new URL(url, location.href);
    const shown = mode === "window" ? inWindow(url) : inModal(url, title);
    if (!shown) return resolve({ status: "blocked" });
    const end = (result) => {
      clearInterval(looking);
      removeEventListener("message", heard);
      shown.close();
      resolve(result);
    };
    const heard = (event) => {
      if (event.origin !== origin || event.source !== shown.target() || event.data?.jackfield !== "connect") return;
      event.source.postMessage({ jackfield: "taken" }, origin);
      const { jackfield, ...told } = event.data;
      end(told);
    };
    const looking = setInterval(() => shown.isOver() && end({ status: "closed" }), LOOK_EVERY);
    addEventListener("message", heard);
  });

  return { open };
})());
