// The adapter as a program's stdin and stdout, or as a server for one session a connection.
import { createServer, type Server } from 'node:net';
import { Session, type SessionOptions } from '../session';

export function serveStdio(options: SessionOptions): void {
  const { connection } = new Session(options);
  connection.on('close', () => process.exit(0));
  process.stdout.on('finish', () => process.exit(0));
  connection.start(process.stdin, process.stdout);
}

/** Only this machine can connect. @returns the server, which listens */
export function serveTcp(port: number, options: SessionOptions): Promise<Server> {
  // Small messages must not wait for the client's acknowledgements: that costs 40 ms a stop.
  const server = createServer({ noDelay: true }, socket => new Session(options).connection.start(socket, socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
