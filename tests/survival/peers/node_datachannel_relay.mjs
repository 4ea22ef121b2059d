// libdatachannel's WebSocketServer as a relay, in the manner of the example
// signalling servers: the id is in the path, `id` in a message is exchanged.
// Those parse unguarded and keep their clients in a plain object, and so does this.

import nodeDataChannel from "node-datachannel";

const clients = {};
const { TLS_KEY, TLS_CERTIFICATE } = process.env;
const server = new nodeDataChannel.WebSocketServer({
  bindAddress: "127.0.0.1",
  port: Number(process.argv[2]),
  ...(TLS_KEY && { enableTls: true, certificatePemFile: TLS_CERTIFICATE, keyPemFile: TLS_KEY }),
});

server.onClient((socket) => {
  let id = "";

  socket.onOpen(() => {
    id = socket.path().split("/")[1];
    clients[id] = socket;
  });
  socket.onMessage((data) => {
    const message = JSON.parse(data);
    const destination = clients[message.id];
    if (!destination) {
      console.error("a peer is not found");
      return;
    }
    message.id = id;
    destination.sendMessage(JSON.stringify(message));
  });
  socket.onClosed(() => {
    delete clients[id];
  });
  socket.onError((error) => console.error(error));
});

// The server ends when it is collected as garbage: something has to hold it.
setInterval(() => server.port(), 60_000);
