// A WebSocket server on the npm package ws: echoes, in the ways that its paths say.
//
// usage: node websocket_server.mjs FOLDER_OF_WS (deflate|plain)
//
// Prints its port, serves until SIGTERM, and prints then what it has seen, as JSON. Paths as in websocket_server.py.

import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, compression] = process.argv.slice(2);
const { WebSocketServer } = createRequire(join(folder, "package.json"))("ws");
const PIECE = 1000;

const seen = {};
const count = (what, by = 1) => (seen[what] = (seen[what] ?? 0) + by);

// The pieces of a message; a ping is answered before the next one goes.
async function fragments(socket, message, binary) {
  for (let start = 0; start < message.length; start += PIECE) {
    if (start > 0) {
      const pong = new Promise((done) => socket.once("pong", done));
      socket.ping(String(start));
      await pong;
      count("pongs");
    }
    const fin = start + PIECE >= message.length;
    socket.send(message.subarray(start, start + PIECE), { binary, fin });
  }
}

function push(socket) {
  let number = 0;
  const timer = setInterval(() => {
    socket.send(JSON.stringify({ type: "push", id: number++ }));
    count("pushes");
  }, 10);
  socket.on("close", () => clearInterval(timer));
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 64 << 20,
  perMessageDeflate: compression === "deflate" && { threshold: 0 },
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
});
server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket, request) => {
  count("connections");
  count("compressed", socket.extensions.includes("permessage-deflate") ? 1 : 0);
  socket.on("error", () => count("errors"));
  socket.on("close", (code) => count(`closed ${code === 1005 || code === 1006 ? "none" : code}`));
  if (request.url === "/push") push(socket);
  socket.on("message", (message, binary) => {
    count("messages");
    count("bytes", binary ? message.length : message.toString().length);
    if (request.url === "/fragments" && message.length > PIECE) fragments(socket, message, binary);
    else socket.send(message, { binary });
  });
});
process.on("SIGTERM", () => {
  console.log(JSON.stringify(seen));
  process.exit(0);
});
