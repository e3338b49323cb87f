// What the pages gain where scripts run: they follow what happens. Everything works without it.
"use strict";
(() => {
  const LATER = 400; // ms after news until the page is looked at again
  const AGAIN = 3000; // ms until it is looked at once more: the record of a question comes before the question
  const REOPEN = 15000; // ms until a stream that was refused is asked for again
  const log = document.querySelector("[data-log]");
  const list = document.querySelector("[data-live='list']");
  const streamed = log || list;
  let stream = null;
  let timers = [];
  let over = false;

  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function distance(at) {
    const away = (new Date(at) - Date.now()) / 1000;
    const seconds = Math.round(Math.abs(away));
    if (seconds < 5) return "now";
    let text = "";
    for (const [number, [size, unit]] of units.entries()) {
      if (seconds < size) continue;
      const whole = Math.floor(seconds / size);
      text = `${whole} ${unit}`;
      if (number < 2 && whole < 10) {
        const rest = Math.floor((seconds % size) / units[number + 1][0]);
        if (rest) text += ` ${rest} ${units[number + 1][1]}`;
      }
      break;
    }
    return away > 0 ? `in ${text}` : `${text} ago`;
  }
  function tick() {
    for (const one of document.querySelectorAll("[data-distance]")) one.textContent = `(${distance(one.dataset.distance)})`;
  }
  setInterval(tick, 10000);

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    setTimeout(() => { for (const one of event.target.querySelectorAll("button")) one.disabled = true; });
  });
  window.addEventListener("pageshow", () => {
    for (const one of document.querySelectorAll("button")) one.disabled = false;
  });

  function stop() {
    if (stream) stream.close();
    stream = null;
  }

  // Takes over the parts that follow what happens, and never one that somebody might be about to press.
  async function refresh() {
    let fresh;
    try {
      const answer = await fetch(location.href, { headers: { "Halon-Refresh": "1" }, cache: "no-store" });
      if (answer.status !== 200) return;
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      return; // the stream comes back by itself, and then there is news
    }
    if (!fresh.querySelector("[data-stream]")) { // signed out meanwhile
      over = true;
      stop();
      location.reload();
      return;
    }
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const here = document.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
      if (!here || here.textContent === part.textContent) continue;
      const held = here.contains(document.activeElement) ? document.activeElement : null;
      if (held && held.matches("input, textarea, button, summary")) continue;
      const at = held ? held.getAttribute("href") : null;
      here.replaceChildren(...document.importNode(part, true).childNodes);
      if (at) {
        const again = here.querySelector(`a[href="${CSS.escape(at)}"]`);
        if (again) again.focus({ preventScroll: true });
      }
    }
    const asked = document.querySelector("[data-questions]");
    const now = fresh.querySelector("[data-questions]");
    if (asked && now && asked.dataset.questions !== now.dataset.questions) {
      if (asked.dataset.questions === "") {
        asked.replaceWith(document.importNode(now, true));
      } else {
        document.querySelector("[data-changed]").hidden = false;
      }
    }
    document.title = fresh.title;
  }
  function soon() {
    timers.forEach(clearTimeout);
    timers = [setTimeout(refresh, LATER), setTimeout(refresh, AGAIN)];
  }

  function follow() {
    if (!streamed || stream || over || document.hidden) return;
    const after = log ? `?after=${encodeURIComponent(log.dataset.position)}` : "";
    stream = new EventSource(streamed.dataset.stream + after);
    stream.addEventListener("line", (event) => {
      if (document.getElementById(`line-${event.lastEventId}`)) return;
      const told = new DOMParser().parseFromString(`<ol>${event.data}</ol>`, "text/html").querySelectorAll("li");
      for (const one of told) {
        one.classList.add("fresh");
        log.prepend(document.importNode(one, true));
      }
      log.dataset.position = event.lastEventId;
      soon();
    });
    stream.addEventListener("changed", soon);
    stream.addEventListener("error", () => {
      if (!stream || stream.readyState !== EventSource.CLOSED) return; // the browser tries again itself
      stop();
      setTimeout(() => { refresh(); follow(); }, REOPEN);
    });
  }
  // Browsers allow a site few connections: a page that nobody looks at needs none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop();
    else { soon(); follow(); }
  });
  window.addEventListener("pagehide", stop);
  follow();
})();
