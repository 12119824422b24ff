"use strict";
// A page of a connect session in a frame has its cookie there only. The window that it opens to go to the provider asks it for a nonce.
// It tells the page of the platform that frames or has opened it how it ended, and looks for the end of what happens in another window.
(() => {
  const ASK = "jackfield: the nonce?";
  const link = document.querySelector("a[data-nonce]");
  if (link) {
    let opened = null;
    link.addEventListener("click", (event) => {
      opened = window.open(link.href, "_blank");
      if (opened) event.preventDefault();
    });
    window.addEventListener("message", (event) => {
      if (event.origin !== location.origin || !opened || event.source !== opened || event.data !== ASK) return;
      opened.postMessage({ nonce: link.dataset.nonce }, location.origin);
      opened = null;
    });
  }
  const form = document.getElementById("asks");
  const opener = window.opener;
  if (form && opener) {
    window.addEventListener("message", (event) => {
      if (event.origin !== location.origin || event.source !== opener || typeof event.data?.nonce !== "string") return;
      window.opener = null; // the provider's page must not lead the frame elsewhere
      form.elements.nonce.value = event.data.nonce;
      form.submit();
    });
    opener.postMessage(ASK, location.origin);
  }
  const isOurs = (page) => {
    try {
      return page.location.origin === location.origin;
    } catch {
      return false; // a page of another origin, which is the platform's
    }
  };
  const telling = document.querySelector("main[data-tells]");
  if (telling) {
    const origins = telling.dataset.origins.split(" ");
    const target = window.parent === window ? opener : window.parent;
    const onward = () => telling.dataset.onward && location.replace(telling.dataset.onward);
    if (target) {
      const waiting = setTimeout(onward, 1500); // nobody has heard it: the platform's page takes the proof from its address
      window.addEventListener("message", (event) => {
        if (event.source === target && origins.includes(event.origin) && event.data?.jackfield === "taken") clearTimeout(waiting);
      });
      const told = { jackfield: "connect", ...JSON.parse(telling.dataset.tells) };
      if (!isOurs(target)) for (const origin of origins) target.postMessage(told, origin); // our own frame looks by itself
    } else onward();
  }
  const watching = document.querySelector("main[data-state]");
  if (watching) {
    const { state, page } = watching.dataset;
    setInterval(async () => {
      if (document.hidden) return;
      const answer = await fetch(`${page}/state`, { cache: "no-store" }).catch(() => null);
      if (answer?.ok && (await answer.json()).state !== state) location.replace(page);
    }, 2000);
  }
})();
