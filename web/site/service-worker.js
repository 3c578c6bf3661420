// Keeps every file of one version of Inkling, so that it works without a network after the first
// visit and never mixes two versions. `cargo xtask web` fills in the version and the files.

const VERSION = "@VERSION@";
const FILES = ["@FILES@"];
const CACHE = `inkling-${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(keepFiles());
});

// The page asks for it before it loads anything of the older version.
self.addEventListener("message", (event) => {
  if (event.data === "activate") {
    self.skipWaiting();
  }
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOlderVersions().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method === "GET" && new URL(url).origin === self.location.origin) {
    event.respondWith(answer(event.request, mode === "navigate"));
  }
});

async function keepFiles() {
  const cache = await caches.open(CACHE);
  // Past the browser's own cache, which may hold files of an older version.
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
}

async function dropOlderVersions() {
  const names = await caches.keys();
  const older = names.filter((name) => name.startsWith("inkling-") && name !== CACHE);
  await Promise.all(older.map((name) => caches.delete(name)));
}

async function answer(request, isPage) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: isPage });
  return kept ?? fetch(request);
}
