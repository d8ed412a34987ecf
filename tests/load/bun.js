// Bun as a chat server over WebSocket: what one says, everyone hears. `load compare` sets
// Madang's WebSocket beside it. Usage: bun bun.js PORT
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch: (request, server) =>
    server.upgrade(request) ? undefined : new Response("WebSocket only\n", { status: 426 }),
  websocket: {
    open: (socket) => socket.subscribe("room"),
    message(socket, text) {
      socket.publish("room", text);
      socket.send(text);
    },
  },
});
