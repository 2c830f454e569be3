// A forward proxy: CONNECT for https, whole URLs for http; with a password if one is set. Its log holds what it was asked
// for and with which credentials.
import { createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface ProxyRequest {
  readonly method: string;
  /** "host:port" or the URL. */
  readonly target: string;
  readonly authorization: string | undefined;
}

export interface ConnectProxy extends AsyncDisposable {
  readonly host: string;
  readonly requests: ProxyRequest[];
}

/** `resolve` maps a requested "host:port" to where it really is. */
export async function startConnectProxy(
  resolve: (authority: string) => string,
  authorization?: string,
): Promise<ConnectProxy> {
  const requests: ProxyRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '');
    requests.push({
      method: request.method ?? '',
      target: url.href,
      authorization: request.headers['proxy-authorization'],
    });
    const { 'proxy-authorization': own, ...headers } = request.headers;
    if (own !== authorization) return void response.writeHead(407).end();
    const [host = '', port = ''] = resolve(url.host).split(':');
    const path = url.pathname + url.search;
    const outgoing = httpRequest({ host, port, method: request.method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    return void request.pipe(outgoing);
  });
  server.on('connect', (request, client: Socket) => {
    const target = request.url ?? '';
    requests.push({ method: 'CONNECT', target, authorization: request.headers['proxy-authorization'] });
    sockets.add(client);
    client.on('error', () => {});
    if (request.headers['proxy-authorization'] !== authorization)
      return void client.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
    const [host = '', port = ''] = resolve(target).split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    sockets.add(upstream);
    return void upstream.on('error', () => client.destroy());
  });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise<void>((done) => void server.close(() => done()));
    },
  };
}
