// Measures one peer, `/?peer=tensorflow` or `/?peer=inkling`, and posts to the server that opened the page:
// each line of JSON to /progress as it comes, an array of all to /result, an error outside a row to /failure.

const PEERS = { tensorflow: "./tensorflow.js", inkling: "./inkling.js" };

const log = document.getElementById("log");

// One request after another, so that lines arrive in the order in which they were written.
let posts = Promise.resolve();
function post(address, text) {
  log.textContent += `${text}\n`;
  posts = posts.then(() => fetch(address, { method: "POST", body: text })).catch(() => {});
  return posts;
}

function describe(value) {
  if (value instanceof Error) {
    // Chromium's stack begins with the message.
    return value.stack || `${value.name}: ${value.message}`;
  }
  return String(value);
}

// A Rust panic inside a spawned task never settles its promise: it only arrives here.
window.addEventListener("error", (event) => {
  post("/failure", describe(event.error ?? event.message));
});
window.addEventListener("unhandledrejection", (event) => {
  post("/failure", describe(event.reason));
});

async function readRows() {
  const response = await fetch("/rows.json");
  if (!response.ok) {
    throw new Error(`rows.json: ${response.status}`);
  }
  return response.json();
}

async function importPeer() {
  const peer = new URLSearchParams(location.search).get("peer");
  if (!Object.hasOwn(PEERS, peer)) {
    throw new Error(`the address names no peer: ?peer=${Object.keys(PEERS).join(" or ?peer=")}`);
  }
  return import(PEERS[peer]);
}

try {
  const [list, { measure }] = await Promise.all([readRows(), importPeer()]);
  const lines = [];
  await measure(list, (line) => {
    lines.push(line);
    return post("/progress", line);
  });
  await post("/result", `[${lines.join(",\n")}]`);
} catch (error) {
  await post("/failure", describe(error));
}
