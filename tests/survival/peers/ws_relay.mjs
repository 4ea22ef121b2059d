// `ws` as a relay, in the manner of its README: one listener for errors, one for
// messages. What the README has no word on, JSON and who is who, is guarded here.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { WebSocket, WebSocketServer } from "ws";

const clients = new Map();
const address = { host: "127.0.0.1", port: Number(process.argv[2]) };
const { TLS_KEY, TLS_CERTIFICATE } = process.env;
const server = new WebSocketServer(TLS_KEY ? { server: overTls() } : address);

function overTls() {
  const files = { key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERTIFICATE) };
  return createServer(files).listen(address);
}

server.on("connection", (socket, request) => {
  const id = decodeURIComponent(request.url.split("/")[1]);
  clients.set(id, socket);

  socket.on("error", console.error);
  socket.on("message", (data) => {
    try {
      const message = JSON.parse(data);
      const destination = clients.get(message.id);
      if (destination?.readyState === WebSocket.OPEN) {
        destination.send(JSON.stringify({ ...message, id }));
      }
    } catch (error) {
      console.error(error.message);
    }
  });
  socket.on("close", () => {
    if (clients.get(id) === socket) clients.delete(id);
  });
});
