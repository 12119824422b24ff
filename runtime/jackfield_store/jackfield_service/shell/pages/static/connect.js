"use strict";
// What a page of a connect session does beside its forms. It follows the session, and goes on when that has changed; it tells the page of the
// platform that frames or has opened it how it goes; it opens the window in which a provider asks; and it says how tall it is.
(() => {
  const main = document.querySelector("main.connect");
  if (!main) return;
  const { session, page, state, follows, told, onward } = main.dataset;
  const origins = main.dataset.origins?.split(" ") ?? [];
  const framed = window.parent !== window;
  const target = framed ? window.parent : window.opener;

  const isOurs = (other) => {
    try {
      return other.location.origin === location.origin;
    } catch {
      return false; // a page of another origin, which is the platform's
    }
  };
  const listens = origins.length > 0 && target && !isOurs(target); // our own frame looks by itself
  const say = (data) => {
    if (listens) for (const origin of origins) target.postMessage(data, origin);
  };
  const tell = (about) => say({ jackfield: "connect", session, ...about });
  const leave = () => (listens ? say({ jackfield: "connect-close" }) : window.close());
  const show = (id, shown = true) => {
    const element = document.getElementById(id);
    if (element) element.hidden = !shown;
  };

  // Which session it is, before anything has happened to it; and what to ask before it is closed, once somebody has typed.
  if (session) say({ jackfield: "connect-open", session });
  document.addEventListener("typed", (event) => say({ jackfield: "connect-changed", question: event.detail }));

  // How it goes, once for each page. Nobody has heard of a proof after a while: the platform's page takes it from its address.
  if (told) tell(JSON.parse(told));
  const goTo = (address) => {
    document.dispatchEvent(new CustomEvent("leaving"));
    location.replace(address);
  };
  const goOn = () => onward && goTo(onward);
  if (onward && listens) {
    const waiting = setTimeout(goOn, 1500);
    window.addEventListener("message", (event) => {
      if (event.source === target && origins.includes(event.origin) && event.data?.jackfield === "taken") clearTimeout(waiting);
    });
  } else goOn();
  if (main.dataset.patience) {
    setTimeout(() => {
      show("late");
      tell({ status: "pending" });
    }, main.dataset.patience * 1000);
  }

  // Until the session is over: often at first, and whenever the person comes back; less and less often while nothing happens.
  if (page) {
    const SOON = 1000, LATE = 10000, GRACE = 60000, LONGEST_STEP = 45000;
    const end = performance.now() + main.dataset.lasts * 1000;
    let wait = SOON, timer = 0, looking = false, leaving = false;
    const lost = () => {
      for (const element of main.querySelectorAll("form, a.button, details, #late")) element.hidden = true;
      show("lost");
      tell({ status: "lost" });
    };
    const look = async () => {
      if (looking) return;
      looking = true;
      const answer = await fetch(`${page}/state`, { cache: "no-store" }).catch(() => null);
      const found = answer?.ok ? await answer.json().catch(() => ({})) : {};
      looking = false;
      if (leaving) return;
      if (answer?.status === 404) lost();
      else if (found.over || (follows === "all" && found.state && found.state !== state)) goTo(page);
      else plan();
    };
    const plan = () => {
      clearTimeout(timer);
      const left = end - performance.now();
      if (left < -GRACE) return; // the clock of this machine was wrong, or nobody answers
      timer = setTimeout(look, left > 0 ? Math.min(document.hidden ? LATE : wait, left + 200) : LATE / 5);
      wait = Math.min(wait * 1.15, LATE);
    };
    const again = () => {
      if (document.hidden || leaving) return;
      wait = SOON;
      clearTimeout(timer);
      look();
    };
    // A step that the person takes is not to be cut short by what it changes: its answer may carry a cookie.
    const step = () => {
      leaving = true;
      clearTimeout(timer);
      setTimeout(() => {
        leaving = false;
        plan();
      }, LONGEST_STEP);
    };
    window.addEventListener("submit", step);
    window.addEventListener("beforeunload", step);
    document.addEventListener("visibilitychange", again);
    window.addEventListener("focus", again);
    plan();
  }

  // A page in a frame has its cookie there only. The window that it opens to go to the provider asks it for a nonce.
  const ASK = "jackfield: the nonce?";
  const link = framed ? main.querySelector("a[data-nonce]") : null;
  if (link) {
    let opened = null, looking = 0;
    show("check", false);
    show("restart", false); // nothing has begun yet
    link.addEventListener("click", (event) => {
      event.preventDefault();
      clearInterval(looking);
      opened = window.open(link.href, "_blank");
      show("window-blocked", !opened);
      show("window-open", Boolean(opened));
      show("check", Boolean(opened));
      show("restart", Boolean(opened));
      show("window-closed", false);
      if (!opened) return;
      looking = setInterval(() => {
        if (!opened.closed) return;
        clearInterval(looking);
        show("window-open", false);
        show("window-closed");
      }, 500);
    });
    window.addEventListener("message", (event) => {
      if (event.origin !== location.origin || !opened || event.source !== opened || event.data !== ASK) return;
      opened.postMessage({ nonce: link.dataset.nonce }, location.origin);
    });
  }
  const asks = document.getElementById("asks");
  const opener = window.opener;
  if (asks && opener) {
    window.addEventListener("message", (event) => {
      if (event.origin !== location.origin || event.source !== opener || typeof event.data?.nonce !== "string") return;
      window.opener = null; // the provider's page must not lead the frame elsewhere
      asks.elements.nonce.value = event.data.nonce;
      asks.submit();
    });
    opener.postMessage(ASK, location.origin);
  }

  // What a person has sent is on its way: it is said, and the same is not sent twice. A page that comes back from the browser's memory is
  // as it was before.
  const sent = new Set();
  const still = (form, is) => {
    for (const button of form.querySelectorAll("button")) button.disabled = is;
    const told = form.querySelector("[data-working]");
    if (told) told.textContent = is ? told.dataset.working : "";
    main.setAttribute("aria-busy", String(is));
  };
  window.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (sent.size) event.preventDefault();
    else {
      sent.add(form);
      setTimeout(() => still(form, true)); // the form has taken the pressed button's value by then
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of sent) still(form, false);
    sent.clear();
  });

  // What was refused: the first field to mend or, if no field is, the summary.
  (main.querySelector("[aria-invalid='true']") ?? main.querySelector("[role='alert'][tabindex]"))?.focus();

  // Who comes from the platform's page need not press Begin; who is done, or has cancelled, need not close anything.
  const begins = main.querySelector("form[data-begins]");
  if (begins && !document.prerendering) begins.requestSubmit();
  if (main.querySelector("p[data-closes]")) window.close();
  if (main.querySelector("p[data-leaves]") && listens) leave();
  for (const button of main.querySelectorAll("button[data-leaves]")) {
    button.hidden = !listens;
    button.addEventListener("click", leave);
  }

  // In a frame of another origin there is no clipboard unless its page allows it; a selection can be copied everywhere.
  const copied = async (pre) => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(pre);
      return document.execCommand("copy");
    }
  };
  for (const button of main.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const told = button.previousElementSibling;
      if (!(await copied(button.closest(".code").querySelector("pre")))) return;
      told.textContent = button.dataset.copies;
      setTimeout(() => (told.textContent = ""), 3000);
    });
  }

  // A tall page in a frame ends at the fold as if there were no more.
  if (framed) {
    const view = document.scrollingElement;
    const look = () => show("below", view.scrollHeight - view.scrollTop - view.clientHeight > 24);
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    new ResizeObserver(look).observe(main);
  }

  if (framed && listens) {
    document.documentElement.classList.add("framed");
    const look = () => {
      const { backgroundColor: background, color } = getComputedStyle(main);
      const seen = background === "rgba(0, 0, 0, 0)" ? getComputedStyle(document.body).backgroundColor : background;
      return { background: seen, color };
    };
    new ResizeObserver(() => say({ jackfield: "connect-size", height: Math.ceil(main.getBoundingClientRect().height), ...look() })).observe(main);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) leave();
    });
  }
})();
