"use strict";
// A page of a connect session in a frame has its cookie there only. The window that it opens to go to the provider asks it for a nonce.
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
})();
