// Gives every WebSocket message back as it came; answers plain requests, so that it is seen to be healthy.
const http = require('http');
const { WebSocketServer } = require('ws');

const server = http.createServer((request, response) => response.end('ok\n'));
// The suite sends messages of 65,537 frames, more than this server takes by itself.
const limits = { maxPayload: 64 * 1024 * 1024, maxFragments: 0, maxBufferedChunks: 0 };
const sockets = new WebSocketServer({ server, perMessageDeflate: true, ...limits });
sockets.on('connection', (socket) => {
  // What is wrong with a frame closes the socket with the right code, and is no news to anybody.
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(process.env.PORT || 0, process.env.HOST || '0.0.0.0', () => {
  console.log(`listening on ${server.address().port}`);
});
