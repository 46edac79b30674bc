// Makes the pages livelier. All of them work without it.
"use strict";

const body = document.body;
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

// What is said, in the language of the page.
const words = JSON.parse(body.dataset.words);
const fill = (template, name, text) => template.replace(`{${name}}`, () => text);

// Times: how long ago, kept current, with the exact one in the viewer's zone at hand. Digits are those of the rest of the page.
const exact = new Intl.DateTimeFormat(`${document.documentElement.lang}-u-nu-latn`, { dateStyle: "medium", timeStyle: "long" });
const [s, min, h, d] = words.units;
const units = [[172800, 86400, d], [7200, 3600, h], [120, 60, min], [0, 1, s]];

function span(seconds) {
  const [, size, unit] = units.find(([from]) => seconds >= from);
  return fill(unit, "n", Math.floor(seconds / size));
}

function tellTimes() {
  for (const time of all("time[data-relative]")) {
    const at = Date.parse(time.dateTime);
    const seconds = (at - Date.now()) / 1000;
    const far = Math.abs(seconds);
    time.textContent = far < 2 ? words.now : fill(seconds > 0 ? words.in : words.ago, "time", span(far));
    if (!time.dataset.local) {
      time.title = `${exact.format(at)} · ${time.title}`;
      time.dataset.local = "yes";
    }
  }
  for (const time of all("time[data-since]")) {
    time.textContent = span(Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000));
  }
}

// What can be copied.
function offerCopies(from = document) {
  for (const block of all(".copyable", from)) {
    const text = one("code, pre", block);
    if (!text || one(".copy", block) || !navigator.clipboard) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = words.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent);
      say(words.copied);
    });
    block.append(button);
  }
}

let saying;
function say(text) {
  const toast = one(".toast");
  toast.textContent = text;
  toast.classList.add("shown");
  clearTimeout(saying);
  saying = setTimeout(() => toast.classList.remove("shown"), 1600);
}

// Questions are asked on the spot instead of on a page of their own.
const question = one("dialog.confirm");
let asked;
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const form = event.target;
  if (!button?.dataset.ask || form.elements.sure) return;
  event.preventDefault();
  asked = { form, button };
  one("p", question).textContent = button.dataset.ask;
  one(".yes", question).textContent = button.textContent;
  question.showModal();
});
one(".no", question).addEventListener("click", () => question.close());
one(".yes", question).addEventListener("click", () => {
  const sure = document.createElement("input");
  sure.type = "hidden";
  sure.name = "sure";
  sure.value = "yes";
  asked.form.append(sure);
  asked.form.requestSubmit(asked.button);
});

// What is chosen from a list counts at once.
for (const form of all("form[data-at-once]")) {
  one("button", form).hidden = true;
  one("select", form).addEventListener("change", () => form.requestSubmit());
}

// Selecting rows: all of them, and from one to another.
function offerSelection(form) {
  const every = one(".every", form);
  const boxes = all("tbody input[type=checkbox]", form);
  const chosen = one(".chosen", form);
  const buttons = all(".selection button", form);
  let last = 0;
  const tell = () => {
    const n = boxes.filter((box) => box.checked).length;
    chosen.textContent = n === 0 ? words.select : fill(words.selected, "n", n);
    every.checked = n > 0 && n === boxes.length;
    every.indeterminate = n > 0 && n < boxes.length;
    for (const button of buttons) button.disabled = n === 0;
  };
  every.hidden = false;
  every.addEventListener("change", () => {
    for (const box of boxes) box.checked = every.checked;
    tell();
  });
  boxes.forEach((box, index) => {
    box.addEventListener("click", (event) => {
      if (event.shiftKey) {
        const [from, to] = [Math.min(last, index), Math.max(last, index)];
        for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
      }
      last = index;
      tell();
    });
  });
  tell();
}
all("form[data-select]").forEach(offerSelection);

// A search is completed term by term: what stands before the last one is kept.
for (const input of all("input[data-terms]")) {
  const options = all("option", input.list);
  const terms = options.map((option) => option.value);
  input.addEventListener("input", () => {
    const before = input.value.replace(/\S*$/, "");
    options.forEach((option, index) => (option.value = before + terms[index]));
  });
}

// Live numbers.
const live = one("button.live");
const paused = "sancho-paused";
let source;
let coming;

function listen() {
  if (source || document.hidden || sessionStorage.getItem(paused)) return;
  const view = body.dataset.view ? `?view=${body.dataset.view}` : "";
  source = new EventSource(body.dataset.events + view);
  source.addEventListener("tick", (event) => {
    const { numbers, html } = JSON.parse(event.data);
    if (one("[data-away]")) return location.reload();
    show(words.live);
    for (const place of all("[data-n]")) {
      const n = numbers[place.dataset.n];
      if (n === undefined) continue;
      place.textContent = n;
      place.classList.toggle("zero", n === "0");
    }
    const current = one("[data-current]");
    // Nobody's reading, typing or choosing is disturbed.
    const held = current?.contains(document.activeElement) || one("input:checked", current ?? live) || question.open || !getSelection().isCollapsed;
    // What comes while it is held is kept for the next tick: it is not sent again.
    coming = html ?? coming;
    if (coming && current && !held) {
      current.innerHTML = coming;
      coming = undefined;
      all("form[data-select]", current).forEach(offerSelection);
      tellTimes();
    }
  });
  source.addEventListener("away", (event) => show(words.away, JSON.parse(event.data).why));
  source.addEventListener("error", () => show(words.unconnected, words.silent));
}

function hush() {
  source?.close();
  source = undefined;
}

function show(word, why) {
  one(".word", live).textContent = word;
  live.classList.toggle("away", why !== undefined);
  live.title = why ?? words.pause;
  live.setAttribute("aria-pressed", String(word === words.live));
  body.classList.toggle("stale", why !== undefined);
}

function pauseOrGoOn() {
  if (sessionStorage.getItem(paused)) {
    sessionStorage.removeItem(paused);
    listen();
    show(words.live);
  } else {
    sessionStorage.setItem(paused, "yes");
    hush();
    show(words.paused);
  }
}

live.hidden = false;
live.addEventListener("click", pauseOrGoOn);
if (sessionStorage.getItem(paused)) show(words.paused);
document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
addEventListener("pagehide", hush);
addEventListener("pageshow", listen);

// In a narrow window the navigation is one line, of which the place of this page is to be seen.
one(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Keys.
const keys = one("dialog.keys");
const help = one("button.help");
help.hidden = false;
help.addEventListener("click", () => keys.showModal());

let row = -1;
function move(by) {
  const rows = all("table.rows tbody tr");
  if (rows.length === 0) return;
  rows[row]?.classList.remove("at");
  row = Math.min(rows.length - 1, Math.max(0, row + by));
  rows[row].classList.add("at");
  rows[row].scrollIntoView({ block: "nearest" });
}

let going = false;
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape" && typing) return event.target.blur();
  if (typing || event.metaKey || event.ctrlKey || event.altKey || keys.open || question.open) return;
  const at = one("tr.at");
  if (going) {
    going = false;
    const link = one(`a[data-go="${CSS.escape(event.key)}"]`);
    if (link) link.click();
    return;
  }
  switch (event.key) {
    case "g": going = true; setTimeout(() => (going = false), 1500); break;
    case "/": event.preventDefault(); (one("#q") ?? one("#find")).focus(); break;
    case "j": move(1); break;
    case "k": move(-1); break;
    case "x": one("input[type=checkbox]", at ?? document.createElement("i"))?.click(); break;
    case "Enter": if (at && event.target === body) one("a.class, .class a", at)?.click(); break;
    case "p": pauseOrGoOn(); break;
    case "?": keys.showModal(); break;
  }
});

tellTimes();
setInterval(tellTimes, 5000);
offerCopies();
