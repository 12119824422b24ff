"use strict";
// Forms whose session has ended: sign in in another window, then send them as they are. What they contain stays in their page.
(() => {
  const channel = new BroadcastChannel("jackfield session");
  if (document.querySelector("[data-signed-in]")) {
    channel.postMessage("signed in");
    window.close(); // where a script has opened it
    return;
  }
  const prefix = document.documentElement.dataset.prefix ?? "";
  const own = document.querySelector("[data-session]")?.dataset.session;
  const dialog = document.getElementById("session-ended");
  if (own === undefined || dialog === null) return;
  const status = dialog.querySelector('[role="status"]');
  const passed = new WeakSet(); // forms whose session was found to hold: they are sent now
  const asking = new WeakSet(); // forms whose session is being asked for: a second click sends nothing
  let waiting = null; // sends the form that waits for a sign-in
  let isChanged = false; // somebody has filled in a form of this page

  /** The session that the browser has now; null if the server does not say, which then judges the form itself. */
  const present = async () => {
    const answer = await fetch(`${prefix}/login/session`, { cache: "no-store" }).catch(() => null);
    return answer?.ok ? answer.json().catch(() => null) : null;
  };

  /** Return whether the forms of this page may be sent, which then carry the token of the present session. */
  const holds = async () => {
    const found = await present();
    if (found?.session !== own) return found === null;
    for (const field of document.querySelectorAll('input[name="csrf"]')) {
      const [, drawn] = field.value.split("."); // what the form was drawn from stays
      field.value = drawn === undefined ? found.csrf : `${found.csrf}.${drawn}`;
    }
    return true;
  };

  /** Return whether a form changes something: those that only ask for a page carry no token. */
  const changes = (form) => Boolean(form?.querySelector('input[name="csrf"]'));

  const ask = (send) => {
    waiting = send ?? waiting;
    status.textContent = "";
    if (!dialog.open) dialog.showModal();
  };

  const resume = async () => {
    if (!dialog.open) return;
    const found = await present();
    if (!found?.session || !dialog.open) return;
    const isOwn = await holds();
    if (!dialog.open) return; // the window and the focus tell the same
    if (!isOwn) {
      status.textContent = "You are signed in as somebody else, or in another workspace. Nothing was sent: sign in as before.";
      return;
    }
    const send = waiting;
    dialog.close();
    send?.();
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!changes(form) || passed.delete(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (asking.has(form)) return;
    asking.add(form);
    const button = event.submitter;
    const send = () => {
      passed.add(form);
      form.requestSubmit(button);
      passed.delete(form); // it was refused for its inputs
    };
    const isSent = await holds();
    asking.delete(form);
    if (isSent) send();
    else ask(send);
  }, true);

  document.addEventListener("input", (event) => {
    isChanged ||= changes(event.target.form ?? event.target.closest?.("form"));
  });

  /** A part of the page could not be loaded: without changes, the page asks by itself, and may sign in silently. */
  document.addEventListener("session-ended", () => {
    if (isChanged) ask(null);
    else location.reload();
  });

  dialog.querySelector("a").addEventListener("click", (event) => {
    event.preventDefault();
    window.open(event.currentTarget.href, "jackfield-sign-in", "popup,width=560,height=760");
  });
  dialog.addEventListener("close", () => { waiting = null; });
  channel.addEventListener("message", resume);
  window.addEventListener("focus", resume);
})();
