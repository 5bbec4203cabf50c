// Shows the state of the installer, and asks it for what the user chooses.

import { Speed, fraction, secondsLeft } from "./progress.js";
import { ask, connect, readState, sayGoodbye } from "./server.js";
import { duration, loadTexts, rate, shortName, size, text } from "./words.js";

// A step makes many small changes; nobody sees more of them.
const PAUSE_MS = 150;

const $ = (id) => document.getElementById(id);
let speed = new Speed();
let state = { phase: "looking", plan: null };
let lastFacts = "";
let lastPhase = "";
let lastStep = "";

function element(tag, content, className = "") {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

function show(id, isShown) {
  $(id).hidden = !isShown;
}

function headline() {
  const { phase, task, plan } = state;
  if (phase === "ready") return [`headline.${plan.state}`, `lead.${plan.state}`];
  if (phase === "running") return [`headline.running.${task}`, "lead.running"];
  if (phase === "done") {
    const lead = task === "remove" && state.left ? "left" : task;
    return [`headline.done.${task}`, `lead.done.${lead}`];
  }
  return [`headline.${phase}`, `lead.${phase}`];
}

function render() {
  const { phase, plan } = state;
  const [head, lead] = headline();
  const values = { error: state.error, version: plan?.version, folder: state.left };
  $("headline").textContent = text(head);
  $("lead").textContent = text(lead, values);
  $("lead").classList.toggle("error", phase === "failed");
  document.title = `${text(head)} – ${text("title")}`;
  renderVersion(plan);
  renderObstacle(phase, plan);
  show("plan", phase === "ready");
  show("progress", phase === "running" || phase === "stopping");
  show("finish", phase === "done");
  // A look can be over before the page hears of it, and find something else.
  const facts = JSON.stringify(plan);
  const isNew = phase !== lastPhase || facts !== lastFacts;
  // A page that was loaded anew shows it later, but has it: the choice of profiles is in it.
  if (plan && isNew && (phase === "ready" || !lastPhase)) renderPlan(plan);
  lastFacts = facts;
  if (phase !== lastPhase) {
    if (phase === "done") renderFinish();
    $("announcement").textContent = `${text(head)} ${text(lead, values)}`;
    // What had the focus may be gone; the headline says what is new.
    if (lastPhase && lastPhase !== "looking") $("headline").focus();
  }
  renderProgress();
  renderActions();
  lastPhase = phase;
}

function renderVersion(plan) {
  if (!plan) return;
  const key = plan.previous && plan.previous !== plan.version ? "version.previous" : "version";
  $("version").textContent = text(key, plan);
}

function renderObstacle(phase, plan) {
  const sentence = phase === "ready" ? plan.obstacle : "";
  show("obstacle", Boolean(sentence));
  if ($("obstacle-text").textContent !== sentence) $("obstacle-text").textContent = sentence;
}

function renderPlan(plan) {
  $("steps").replaceChildren(
    ...plan.steps.filter((step) => step.key !== "record").map((step) => stepRow(step, plan)),
  );
  const isOpen = plan.state !== "complete";
  const facts = [];
  if (isOpen && !plan.offline) {
    const download = plan.download_bytes
      ? text("size.about", { size: size(plan.download_bytes) })
      : text("size.none");
    facts.push(["size.download", download]);
  }
  if (isOpen && plan.offline) facts.push(["size.source", plan.offline]);
  if (isOpen && plan.disk_bytes) {
    facts.push(["size.disk", text("size.about", { size: size(plan.disk_bytes) })]);
  }
  facts.push(["size.folder", plan.data]);
  $("sizes").replaceChildren(
    ...facts.map(([key, value]) => {
      const pair = document.createElement("div");
      pair.append(element("dt", text(key)), element("dd", value));
      return pair;
    }),
  );
  $("gimp-help").textContent = text(plan.profiles.length ? "gimp.help" : "gimp.none");
  $("profiles").replaceChildren(...plan.profiles.map(profileRow));
  // The page says by itself that there is no GIMP.
  $("notes").replaceChildren(
    ...(plan.profiles.length ? plan.notes : []).map((note) => element("li", note)),
  );
}

function stepRow(step, plan) {
  const row = document.createElement("li");
  row.className = step.condition;
  const key = step.key === "torch" ? `step.torch.${plan.processor}` : `step.${step.key}`;
  const detail = step.condition === "done" || !step.disk_bytes ? "" : size(step.disk_bytes);
  row.append(
    element("span", text(key), "what"),
    element("span", detail, "size"),
    element("span", text(`condition.${step.condition}`), "condition"),
  );
  return row;
}

function profileRow(profile) {
  const row = document.createElement("label");
  row.className = profile.condition;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = profile.folder;
  // One that cannot be written is in the way of nothing but itself.
  box.disabled = Boolean(profile.obstacle) && profile.condition !== "done";
  box.checked = !box.disabled && (state.chosen?.includes(profile.folder) ?? true);
  const words = document.createElement("span");
  words.append(
    element("span", text("gimp.profile", profile), "what"),
    element("span", profile.folder, "place"),
  );
  if (box.disabled) words.append(element("span", profile.obstacle, "place fault"));
  row.append(box, words, element("span", text(`condition.${profile.condition}`), "condition"));
  return row;
}

function renderProgress() {
  const { phase, step, transfer } = state;
  if (phase !== "running" && phase !== "stopping") return;
  const [key, folder] = (step?.key ?? "").split(/ (.*)/);
  const profile = state.plan?.profiles.find((one) => one.folder === folder);
  const kind = key === "torch" ? `torch.${state.plan?.processor}` : key;
  const name = step ? text(`step.${kind}`, profile ?? {}) : text("progress.looking");
  $("step-name").textContent = name;
  $("step-count").textContent = step ? text("progress.step", step) : "";
  if (step && step.key !== lastStep) {
    $("announcement").textContent = `${text("progress.step", step)}: ${name}`;
  }
  lastStep = step?.key ?? "";
  // Unpacking tells nothing of itself: the bar shows that it goes on.
  $("bar").classList.toggle("working", !transfer);
  $("bar").value = Math.round(fraction(state) * 1000);
  if (!transfer) {
    $("transfer").textContent = step ? text("progress.working") : "";
    $("rate").textContent = "";
    return;
  }
  const [done, total] = [size(transfer.done), transfer.total && size(transfer.total)];
  const line = total ? "progress.file" : "progress.file.unknown";
  $("transfer").textContent = text(line, { name: shortName(transfer.name), done, total });
  $("rate").textContent = rateText();
}

function rateText() {
  const now = speed.bytesPerSecond;
  if (!now) return "";
  const left = secondsLeft(state, now);
  if (left === undefined) return rate(now);
  return text("progress.rate", { rate: rate(now), time: duration(left) });
}

function renderFinish() {
  const keys = [];
  if (state.task !== "remove" && state.in_gimp) keys.push("next.gimp", "next.open", "next.menu");
  $("next").replaceChildren(...keys.map((key) => element("li", text(key))));
  const terminal = state.task === "remove" ? "" : text("next.terminal", state);
  $("finish-note").textContent = [terminal, text("next.close")].filter(Boolean).join("\n");
}

function renderActions() {
  const { phase, task, plan } = state;
  const offers = { ready: `action.${plan?.state}`, failed: "action.again", stopped: "action.resume" };
  const primary = phase === "stopped" && task === "remove" ? "action.again" : offers[phase];
  show("primary", Boolean(primary));
  if (primary) $("primary").textContent = text(primary);
  $("primary").disabled = phase === "ready" && Boolean(plan.obstacle);
  $("primary").classList.toggle("quiet", phase === "ready" && plan.state === "complete");
  show("stop", (phase === "running" && task !== "remove") || phase === "stopping");
  $("stop").disabled = phase === "stopping";
  show("back", ["done", "failed", "stopped"].includes(phase));
  show("remove", phase === "ready" && plan.state !== "absent");
}

function appendLog(lines) {
  if (!lines.length) return;
  show("log-box", true);
  const log = $("log");
  const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  log.append(lines.map((line) => `${line}\n`).join(""));
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function chosenProfiles() {
  return [...$("profiles").querySelectorAll("input:checked")].map((box) => box.value);
}

async function act(path, body) {
  const refusal = await ask(path, body).catch((error) => String(error));
  if (refusal) $("announcement").textContent = $("lead").textContent = refusal;
}

function start(task) {
  speed = new Speed();
  return act("/start", { task, profiles: chosenProfiles() });
}

async function copyLog() {
  const log = $("log");
  try {
    await navigator.clipboard.writeText(log.textContent);
  } catch {
    // Some webviews have no clipboard for pages; what is selected can be copied by hand.
    getSelection().selectAllChildren(log);
    document.execCommand("copy");
  }
  $("copy").textContent = $("announcement").textContent = text("log.copied");
  setTimeout(() => ($("copy").textContent = text("log.copy")), 2000);
}

function listen() {
  $("primary").addEventListener("click", () => {
    const isWhole = state.phase === "ready" && state.plan.state === "complete";
    start(state.phase === "ready" ? (isWhole ? "repair" : "install") : (state.task ?? "install"));
  });
  $("stop").addEventListener("click", () => act("/stop"));
  $("look").addEventListener("click", () => act("/look"));
  $("back").addEventListener("click", () => act("/look"));
  $("copy").addEventListener("click", copyLog);
  $("remove").addEventListener("click", () => $("confirmation").showModal());
  $("confirmation").addEventListener("close", () => {
    if ($("confirmation").returnValue === "yes") start("remove");
    $("confirmation").returnValue = "";
  });
  addEventListener("pagehide", sayGoodbye);
  addEventListener("beforeunload", (event) => {
    if (state.phase === "running") event.preventDefault();
  });
}

async function follow() {
  let lines = 0;
  for (;;) {
    state = { ...state, ...(await readState(state.version ?? 0, lines)) };
    lines += state.log.length;
    appendLog(state.log);
    if (state.transfer) speed.add(state.received, performance.now());
    render();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function main() {
  await loadTexts();
  listen();
  try {
    await connect();
    await follow();
  } catch {
    state = { ...state, phase: "lost", error: "" };
    render();
  }
}

main();
