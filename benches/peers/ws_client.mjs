// A load on a WebSocket server by the client of the npm package ws.
//
// usage: node ws_client.mjs FOLDER_OF_WS URL CONNECTIONS SECONDS MESSAGE
//
// Each connection sends the message, waits for the next one that comes, and so on. Prints one JSON object: messages
// answered, the seconds that took, and the CPU time spent meanwhile; connecting is before that.

import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, url, connections, seconds, message] = process.argv.slice(2);
const { WebSocket } = createRequire(join(folder, "package.json"))("ws");

// No compression, as for the others.
const open = () =>
  new Promise((done, failed) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.once("open", () => done(socket));
    socket.once("error", failed);
  });

const converse = (socket, deadline) =>
  new Promise((done, failed) => {
    let answered = 0;
    socket.once("close", () => failed(new Error("the server closed")));
    socket.on("message", (answer, binary) => {
      if (binary || answer.toString() !== message) failed(new Error(`${answer} came for ${message}`));
      answered += 1;
      if (performance.now() < deadline) socket.send(message);
      else done(answered);
    });
    socket.send(message);
  });

const sockets = await Promise.all(Array.from({ length: Number(connections) }, open));
const before = process.cpuUsage();
const start = performance.now();
const deadline = start + Number(seconds) * 1000;
const counts = await Promise.all(sockets.map((socket) => converse(socket, deadline)));
const elapsed = (performance.now() - start) / 1000;
const used = process.cpuUsage(before);
console.log(
  JSON.stringify({
    requests: counts.reduce((sum, count) => sum + count, 0),
    seconds: elapsed,
    cpu_user_s: used.user / 1e6,
    cpu_system_s: used.system / 1e6,
  }),
);
for (const socket of sockets) socket.terminate();
