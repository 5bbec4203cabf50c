// Shows the state of the installer, and asks it for what the user chooses.

import { $, element, show } from "./elements.js";
import { chosenProfiles, showPlan } from "./plan.js";
import { Speed, fraction, secondsLeft } from "./progress.js";
import { listenToSlider, loadExample, showResult, showReview } from "./result.js";
import { ask, connect, readState, sayGoodbye } from "./server.js";
import {
  currentLanguage, duration, loadTexts, rate, say, shortName, size, text,
} from "./words.js";

// A step makes many small changes; nobody sees more of them.
const PAUSE_MS = 150;

let speed = new Speed();
let state = { phase: "looking", plan: null };
let log = [];
let lastFacts = "";
let lastPhase = "";
let lastStep = "";

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

function words() {
  const [head, lead] = headline();
  const values = { version: state.plan?.version, folder: state.left };
  return [text(head), state.phase === "failed" ? say(state.error) : text(lead, values)];
}

function render() {
  const { phase, plan } = state;
  const [head, lead] = words();
  $("headline").textContent = head;
  $("lead").textContent = lead;
  $("lead").classList.toggle("error", phase === "failed");
  document.title = `${head} – ${text("title")}`;
  renderVersion(plan);
  renderObstacle(phase, plan);
  show("plan", phase === "ready");
  show("progress", phase === "running" || phase === "stopping");
  show("result", phase === "done" && Boolean(state.result));
  show("closing", phase === "done");
  // A look can be over before the page hears of it, and find something else.
  const facts = JSON.stringify(plan);
  const isNew = phase !== lastPhase || facts !== lastFacts;
  // A page that was loaded anew shows it later, but has it: the choice of profiles is in it.
  if (plan && isNew && (phase === "ready" || !lastPhase)) showPlan(plan, state.chosen);
  lastFacts = facts;
  if (phase !== lastPhase) enter(phase, `${head} ${lead}`);
  if (state.result) showReview(state);
  renderProgress();
  renderActions();
  lastPhase = phase;
}

function enter(phase, announcement) {
  if (state.result) {
    showResult(state.result);
    if (state.result.has_example) loadExample().catch(() => show("example", false));
  }
  $("announcement").textContent = announcement;
  // Whoever reports a failure needs it.
  if (phase === "failed") $("log-box").open = true;
  // What had the focus may be gone; the headline says what is new.
  if (lastPhase && lastPhase !== "looking") $("headline").focus();
}

function renderVersion(plan) {
  if (!plan) return;
  const key = plan.previous && plan.previous !== plan.version ? "version.previous" : "version";
  $("version").textContent = text(key, plan);
}

function renderObstacle(phase, plan) {
  const sentence = phase === "ready" ? say(plan.obstacle) : "";
  show("obstacle", Boolean(sentence));
  if ($("obstacle-text").textContent !== sentence) $("obstacle-text").textContent = sentence;
}

function renderProgress() {
  const { phase, step, transfer } = state;
  if (phase !== "running" && phase !== "stopping") return;
  const name = step ? say(step.title) : text("progress.looking");
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
    const isUnpacking = step && step.key !== "example";
    $("transfer").textContent = isUnpacking ? text("progress.working") : "";
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
  const box = $("log");
  const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
  box.append(lines.map((line) => `${line.detail ? "      " : ""}${say(line)}\n`).join(""));
  if (isAtEnd) box.scrollTop = box.scrollHeight;
}

async function act(path, body) {
  const failed = (error) => ({ code: "error.refused", values: { reason: String(error) } });
  const refusal = await ask(path, body).catch(failed);
  if (refusal) $("announcement").textContent = $("lead").textContent = say(refusal);
}

function start(task) {
  speed = new Speed();
  return act("/start", { task, profiles: chosenProfiles() });
}

async function copyLog() {
  const box = $("log");
  try {
    await navigator.clipboard.writeText(box.textContent);
  } catch {
    // Some webviews have no clipboard for pages; what is selected can be copied by hand.
    getSelection().selectAllChildren(box);
    document.execCommand("copy");
  }
  $("copy").textContent = $("announcement").textContent = text("log.copied");
  setTimeout(() => ($("copy").textContent = text("log.copy")), 2000);
}

async function speak(language) {
  const names = Object.entries(await loadTexts(language));
  $("language").replaceChildren(
    ...names.map(([tag, name]) => Object.assign(element("option", name), { value: tag, lang: tag })),
  );
  $("language").value = currentLanguage();
  if (!lastPhase) return;
  // Everything that was said already is said anew.
  if (state.plan) showPlan(state.plan, state.phase === "ready" ? chosenProfiles() : state.chosen);
  if (state.result) showResult(state.result);
  $("log").replaceChildren();
  appendLog(log);
  render();
}

function listen() {
  $("primary").addEventListener("click", () => {
    const isWhole = state.phase === "ready" && state.plan.state === "complete";
    start(state.phase === "ready" ? (isWhole ? "repair" : "install") : (state.task ?? "install"));
  });
  for (const [button, path] of [
    ["stop", "/stop"], ["look", "/look"], ["back", "/look"], ["review", "/review"],
  ]) {
    $(button).addEventListener("click", () => act(path));
  }
  $("copy").addEventListener("click", copyLog);
  $("language").addEventListener("change", (event) => speak(event.target.value));
  $("remove").addEventListener("click", () => $("confirmation").showModal());
  $("confirmation").addEventListener("close", () => {
    if ($("confirmation").returnValue === "yes") start("remove");
    $("confirmation").returnValue = "";
  });
  listenToSlider();
  addEventListener("pagehide", sayGoodbye);
  addEventListener("beforeunload", (event) => {
    if (state.phase === "running") event.preventDefault();
  });
}

async function follow() {
  for (;;) {
    state = { ...state, ...(await readState(state.version ?? 0, log.length)) };
    log = log.concat(state.log);
    appendLog(state.log);
    if (state.transfer) speed.add(state.received, performance.now());
    render();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function main() {
  await speak();
  listen();
  try {
    await connect();
    await follow();
  } catch {
    state = { ...state, phase: "lost", error: null };
    render();
  }
}

main();
