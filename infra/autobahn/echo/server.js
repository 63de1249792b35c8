// Gives every WebSocket message back as it came; answers plain requests, so that it is seen to be healthy.
const http = require('http');
const { WebSocketServer } = require('ws');

const server = http.createServer((request, response) => response.end('ok\n'));
const sockets = new WebSocketServer({ server, perMessageDeflate: true, maxPayload: 64 * 1024 * 1024 });
sockets.on('connection', (socket) => {
  // What is wrong with a frame closes the socket with the right code, and is no news to anybody.
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(process.env.PORT || 0, process.env.HOST || '0.0.0.0', () => {
  console.log(`listening on ${server.address().port}`);
});
