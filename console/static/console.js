// What only the browser knows: whether the live stream is open, the title, the toasts. Without it the pages still work.
// Beside it: lists.js (rows and what arrives in them), over.js (what opens over a page), keys.js (what is pressed).
//
// Events on the document: "tower:pause" holds the page or lets it go again.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const lamp = document.getElementById("lamp");
  const title = document.title.replace(/^\(\d+\) /, "");
  document.documentElement.classList.add("scripted");
  const POLL_MS = 2000; // while there is no stream, the panels are asked for this often
  const SILENCE_MS = 40000; // the stream says hello every 15 s; after this long it is taken for dead

  let heard = 0; // when the stream last said anything; 0: it is not open
  let stale = 0; // since when the page is not being kept fresh

  const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

  function show(state, words) {
    if (lamp.dataset.live === state && lamp.lastElementChild.textContent === words) return;
    lamp.dataset.live = state;
    lamp.lastElementChild.textContent = words;
  }

  function up() {
    heard = Date.now();
    stale = 0;
    if (!paused) show("on", "Live");
  }

  function down() {
    if (heard) {
      heard = 0;
      stale = Date.now();
    }
    stale ||= Date.now();
    if (!paused) show("off", "Stale since " + clock(stale));
  }

  // ── paused by hand: the page stands still until it is let go again
  let paused = false;

  function pause() {
    paused = !paused;
    if (paused) show("held", "Held since " + clock(Date.now()));
    else refresh();
  }

  // ── the clock of a page that is live goes on, as the server's does; one that is held stands still with it
  const face = document.querySelector("[data-clock]");
  if (face) {
    const ahead = Number(face.dataset.clock) - Date.now();
    const day = { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" };
    setInterval(() => {
      const now = Date.now() + ahead;
      if (!paused) face.textContent = `${new Date(now).toLocaleDateString("en-GB", day)}, ${clock(now)} UTC`;
    }, 1000);
  }

  function refresh() {
    if (heard) up();
    live.dispatchEvent(new CustomEvent("reset"));
  }

  // ── the stream
  if (live && lamp) {
    live.addEventListener("hello", up);
    document.addEventListener("htmx:sse:after:message", (event) => {
      if (heard) heard = Date.now();
      const seq = parseInt(event.detail?.message?.id, 10);
      if (seq) document.body.dataset.seq = seq; // the last fact this page has heard of: `[` goes back from here
    });
    document.addEventListener("tower:pause", pause);
    // Rows are pushed as they are, in a message without a name; a held page stands still.
    document.addEventListener("htmx:sse:before:message", (event) => {
      if (heard) heard = Date.now();
      if (paused && !event.detail?.message?.event) event.preventDefault();
    });
    document.addEventListener("htmx:sse:error", (event) => {
      if ([401, 403].includes(event.detail?.status)) signIn();
      down();
    });
    for (const end of ["htmx:sse:close", "htmx:sse:before:connection"]) {
      document.addEventListener(end, () => { if (heard && !document.hidden) down(); });
    }
    setInterval(() => {
      if (heard && Date.now() - heard > SILENCE_MS && !document.hidden) down();
      if (!heard && !document.hidden && !paused && performance.now() > 3000) refresh();
    }, POLL_MS);

    // A hidden or held page asks for nothing; when it is seen again it is drawn anew.
    document.addEventListener("htmx:before:request", (event) => {
      const source = event.detail?.ctx?.sourceElement;
      if (source?.hasAttribute("hx-ptag") && (document.hidden || paused)) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) refresh(); });
    document.addEventListener("htmx:after:request", (event) => {
      const ctx = event.detail?.ctx;
      if (ctx?.response?.status === 401) signIn();
      else if (!heard && ctx?.response?.status < 400 && ctx.sourceElement?.hasAttribute("hx-ptag") && !paused) {
        stale = Date.now();
        show("slow", "Asked every 2 s");
      }
    });
  }

  function signIn() {
    location.href = "/login?next=" + encodeURIComponent(location.pathname + location.search);
  }

  // ── the title counts what needs a person, and the tab's picture bears its mark
  function count() {
    const line = document.querySelector("[data-needs]");
    const needs = Number(line?.dataset.needs || 0);
    const says = needs ? `(${needs}) ${title}` : title;
    if (document.title !== says) document.title = says;
    const picture = document.querySelector("link[rel=icon]");
    if (line && picture.getAttribute("href") !== line.dataset.icon) picture.setAttribute("href", line.dataset.icon);
  }
  document.addEventListener("htmx:after:swap", count);
  count();

  // ── focus: what had it and is gone from the page leaves it to the first thing where it stood, not to nobody
  let places = []; // the ids around what has the focus, nearest first; a blur of its own forgets them
  const reachable = "a[href], button:not(:disabled), summary, input:not([type=hidden]):not(:disabled), select, textarea";
  document.addEventListener("focusin", (event) => {
    places = [];
    for (let each = event.target; each && each !== document.body; each = each.parentElement) {
      if (each.id) places.push(each.id);
    }
  });
  let swapping = false; // what is taken out then loses the focus without anybody's wish
  document.addEventListener("htmx:before:swap", () => { swapping = true; });
  document.addEventListener("focusout", () => { if (!swapping) places = []; });
  document.addEventListener("htmx:after:swap", () => {
    swapping = false;
    if (!places.length || document.activeElement !== document.body) return;
    const around = places.map((id) => document.getElementById(id)).filter((each) => each?.offsetParent);
    const within = (each) => [...each.querySelectorAll(reachable)].find((one) => one.offsetParent);
    const next = around.map((each) => each.matches(reachable) ? each : within(each)).find(Boolean);
    next?.focus({ preventScroll: true });
  });

  // ── a value the stream has replaced is lit once (`data-fresh`); the box it stands in never changes size
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  new MutationObserver((records) => {
    if (still.matches || document.hidden) return;
    for (const { target } of records) {
      const value = (target.nodeType === Node.TEXT_NODE ? target.parentElement : null)?.closest("[data-fresh]");
      if (!value) continue;
      value.classList.remove("fresh");
      void value.offsetWidth; // so that it begins anew
      value.classList.add("fresh");
    }
  }).observe(document.body, { characterData: true, subtree: true });
  document.addEventListener("animationend", (event) => event.target.classList.remove("fresh"));

  // ── what was just ordered is told once: drawn anew, or gone back to, the page does not say it again
  const told = new URL(location.href);
  if (told.searchParams.has("told") || told.searchParams.has("seen")) {
    for (const once of ["told", "seen", "others"]) told.searchParams.delete(once);
    history.replaceState(history.state, "", told);
  }

  // ── toasts: closed by hand, or by time when they are only good news
  const toasts = document.getElementById("toasts");
  function tend() {
    for (const close of toasts.querySelectorAll("[data-close][hidden]")) {
      close.hidden = false;
      const toast = close.closest(".toast");
      close.addEventListener("click", () => toast.remove());
      if (toast.dataset.state === "done") setTimeout(() => toast.remove(), 8000);
    }
    for (const open of document.querySelectorAll("details.ask[open]")) {
      if (toasts.firstElementChild?.dataset.state !== "done") continue;
      const back = open.contains(document.activeElement) && open.querySelector("summary");
      open.open = false;
      if (back) back.focus({ preventScroll: true });
    }
  }
  if (toasts) {
    new MutationObserver(tend).observe(toasts, { childList: true });
    tend();
  }

  // ── one open question at a time; Esc and a click elsewhere close it
  function fold(but) {
    for (const open of document.querySelectorAll("details.ask[open]")) {
      if (but && open.contains(but)) continue;
      if (!but && open.contains(document.activeElement)) open.querySelector("summary").focus();
      open.open = false;
    }
  }
  document.addEventListener("click", (event) => fold(event.target));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") fold(null); });
})();
