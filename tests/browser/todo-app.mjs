// Drives the deployed application in Chromium as a user would, and prints TAP: one line a step.
//
// usage: node todo-app.mjs URL [--screenshot FILE.png] [--chat on|off]
//   --chat on    (default) the chat must add a task through MCP
//   --chat off   the chat must say why it cannot
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const STEP_MS = 20_000;
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { screenshot: { type: "string" }, chat: { type: "string", default: "on" } },
});
const base = positionals[0]?.replace(/\/+$/, "");
if (!base || !["on", "off"].includes(options.chat)) {
  console.error("usage: node todo-app.mjs URL [--screenshot FILE.png] [--chat on|off]");
  process.exit(2);
}

const account = { name: "Grace Hopper", email: `grace-${Date.now()}@example.com`, password: "cobol-forever-1959" };
let count = 0;

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

// What the page itself says explains a missing element better than the timeout does.
let shownAlerts = async () => [];

async function step(name, action) {
  count += 1;
  try {
    await action();
    console.log(`ok ${count} - ${name}`);
  } catch (error) {
    console.log(`not ok ${count} - ${name}`);
    const alerts = await shownAlerts().catch(() => []);
    const lines = [...alerts.map((text) => `the page says: ${text}`), ...String(error.message ?? error).split("\n")];
    for (const line of lines) console.log(`# ${line}`);
    throw error;
  }
}

async function fillCredentials(page) {
  await page.getByLabel("E-mail").fill(account.email);
  await page.getByLabel("Password").fill(account.password);
}

async function addTask(page, title) {
  await page.getByLabel("New task").fill(title);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("checkbox", { name: `Done: ${title}` }).waitFor();
}

async function isDone(page, title) {
  return (await page.getByRole("checkbox", { name: `Done: ${title}` }).getAttribute("aria-checked")) === "true";
}

async function userSteps(page) {
  await step("the health page answers", async () => {
    const answer = await page.request.get(`${base}/api/health`);
    expect(answer.ok() && (await answer.json()).status === "ok", `GET /api/health: ${answer.status()}`);
  });
  await step("a visitor is sent to sign in", async () => {
    await page.goto(`${base}/tasks`);
    await page.waitForURL("**/sign-in");
  });
  await step("sign up", async () => {
    await page.getByRole("link", { name: "Create an account" }).click();
    await page.getByLabel("Name").fill(account.name);
    await fillCredentials(page);
    await page.getByRole("button", { name: "Sign up" }).click();
    await page.waitForURL("**/tasks");
    await page.getByText(account.name).waitFor();
  });
  await step("sign out", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/sign-in");
  });
  await step("a wrong password is refused", async () => {
    await page.getByLabel("E-mail").fill(account.email);
    await page.getByLabel("Password").fill("not-the-password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".notice").getByText("Invalid email or password").waitFor();
  });
  await step("sign in", async () => {
    await fillCredentials(page);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/tasks");
  });
  await step("add tasks", async () => {
    await addTask(page, "Write the quarterly report");
    await addTask(page, "Water the plants");
  });
  await step("complete a task", async () => {
    await page.getByRole("checkbox", { name: "Done: Water the plants" }).click();
    await page.getByText("1 of 2 done").waitFor();
  });
  await step("tasks survive a reload", async () => {
    await page.reload();
    await page.getByText("1 of 2 done").waitFor();
    expect(await isDone(page, "Water the plants"), "the completed task is open again");
    expect(!(await isDone(page, "Write the quarterly report")), "the open task is completed");
  });
}

async function chatOnSteps(page) {
  await step("ask the chat to add a task", async () => {
    await page.getByRole("link", { name: "Chat", exact: true }).click();
    await page.getByLabel("Message").fill("Add a task to buy oat milk");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Added “Buy oat milk”").waitFor();
    await page.getByText("“Buy oat milk” is on your list now.").waitFor();
    if (options.screenshot) await page.screenshot({ path: options.screenshot.replace(/(\.\w+)?$/, "-chat$1") });
  });
  await step("the chat's task is in the list", async () => {
    await page.getByRole("link", { name: "Tasks", exact: true }).click();
    await page.getByRole("checkbox", { name: "Done: Buy oat milk" }).waitFor();
    await page.getByText("1 of 3 done").waitFor();
  });
}

async function chatOffSteps(page) {
  await step("the chat says why it is off", async () => {
    await page.getByRole("link", { name: "Chat", exact: true }).click();
    await page.getByText("no OPENAI_API_KEY is set").waitFor();
    expect(await page.getByLabel("Message").isDisabled(), "the message field is enabled");
    if (options.screenshot) await page.screenshot({ path: options.screenshot.replace(/(\.\w+)?$/, "-chat$1") });
    await page.getByRole("link", { name: "Tasks", exact: true }).click();
    await page.getByText("1 of 2 done").waitFor();
  });
}

async function run(page) {
  const foreign = new Set();
  const errors = [];
  shownAlerts = () => page.locator(".notice").allInnerTexts();
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(base).origin) foreign.add(new URL(request.url()).origin);
  });
  page.on("pageerror", (error) => errors.push(error.message));
  await userSteps(page);
  await (options.chat === "on" ? chatOnSteps(page) : chatOffSteps(page));
  await step("the browser talked to its own origin only, without script errors", async () => {
    expect(foreign.size === 0, `requests to ${[...foreign].join(", ")}`);
    expect(errors.length === 0, errors.join("\n"));
  });
}

if (options.screenshot) await mkdir(dirname(options.screenshot), { recursive: true });
const profile = await mkdtemp(join(tmpdir(), "todo-browser-"));
let failed = false;
let context;
try {
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: CHROMIUM_FLAGS,
    viewport: { width: 1100, height: 760 },
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(STEP_MS);
  const page = context.pages()[0] ?? (await context.newPage());
  try {
    await run(page);
  } finally {
    if (options.screenshot) await page.screenshot({ path: options.screenshot }).catch(() => undefined);
  }
} catch (error) {
  failed = true;
  if (count === 0) console.log(`Bail out! ${error.message}`);
} finally {
  await context?.close();
  await rm(profile, { recursive: true, force: true });
}
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
