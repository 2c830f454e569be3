// A mirror on loopback: serves a map of paths, or a directory.
import { startServer } from './http-server.ts';
import type { TestServer } from './http-server.ts';

/** `files` is read at each request, so that tests can change it. 404 for what is not in it. */
export function serveFiles(files: ReadonlyMap<string, Uint8Array>): Promise<TestServer> {
  return startServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname).slice(1);
    const content = files.get(path) ?? files.get(encodeURI(path));
    if (content) response.writeHead(200, { 'content-length': content.length }).end(content);
    else response.writeHead(404).end();
  });
}
