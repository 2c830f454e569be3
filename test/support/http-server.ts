// HTTP servers for tests: on a free loopback port, with a log of what they have seen, closed with everything that is
// still open.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Set when the answer is complete or the connection is gone. */
  status: number | undefined;
}

export interface TestServer extends AsyncDisposable {
  /** "127.0.0.1:5000". */
  readonly host: string;
  /** "http://127.0.0.1:5000". */
  readonly url: string;
  readonly requests: SeenRequest[];
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Starts a server; with `tls` it speaks https. */
export async function startServer(
  handler: Handler,
  options: { readonly tls?: ServerOptions; readonly port?: number; readonly address?: string } = {},
): Promise<TestServer> {
  const { tls, port = 0, address = '127.0.0.1' } = options;
  const requests: SeenRequest[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url = '', headers } = request;
    const seen: SeenRequest = { method, path: url, headers, status: undefined };
    requests.push(seen);
    response.on('close', () => (seen.status = response.headersSent ? response.statusCode : undefined));
    Promise.resolve(handler(request, response)).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  };
  const server = tls ? createSecureServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
  const host = `${address}:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `${tls ? 'https' : 'http'}://${host}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
