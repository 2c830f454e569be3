// Which proxy a URL is reached through, from http_proxy, https_proxy, all_proxy and no_proxy as Go programs read them
// (golang.org/x/net/http/httpproxy): lower case wins, no_proxy may hold CIDR ranges, loopback is never proxied. Proxy
// credentials are the URL's user information and go to the proxy only.
import { isIP } from 'node:net';
import { OnlayError } from '../errors.ts';
import { inNetwork, isLoopbackHost, literalAddress } from './ip-address.ts';

type Variables = Readonly<Record<string, string | undefined>>;

const HTTP = ['http', 'https'] as const;

/**
 * The proxy for `url`, or undefined for a direct connection. Throws CONFIG_INVALID for a proxy whose scheme is not one
 * of `schemes` or that is no URL.
 */
export function proxyFor(url: URL, variables: Variables, schemes: readonly string[] = HTTP): URL | undefined {
  if (isLoopbackHost(url.hostname)) return undefined;
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const value = variable(variables, name) || variable(variables, 'all_proxy');
  if (value === '' || bypasses(url, variable(variables, 'no_proxy'))) return undefined;
  return parseProxy(value, name, schemes);
}

/** The URL of a proxy, which may be written without a scheme; `where` says where it is written. */
export function parseProxy(text: string, where: string, schemes: readonly string[] = HTTP): URL {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const proxy = URL.canParse(full) ? new URL(full) : undefined;
  if (!proxy?.hostname) throw unusable(where, 'it is no URL');
  const scheme = proxy.protocol.slice(0, -1);
  if (!schemes.includes(scheme)) throw unusable(where, `its scheme is ${scheme}`);
  return proxy;
}

/** The value of Proxy-Authorization for a proxy with user information. */
export function proxyAuthorization(proxy: URL): string | undefined {
  if (proxy.username === '' && proxy.password === '') return undefined;
  const user = `${decode(proxy.username)}:${decode(proxy.password)}`;
  return `Basic ${Buffer.from(user, 'utf8').toString('base64')}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function bypasses(url: URL, noProxy: string): boolean {
  const host = url.hostname.toLowerCase();
  const address = literalAddress(url);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      if (entry.includes('/')) return address !== undefined && inNetwork(address, entry);
      const [name, entryPort] = splitPort(entry);
      if (entryPort !== undefined && entryPort !== port) return false;
      // one address can be written in several ways
      if (address !== undefined) return inNetwork(address, `${name}/${isIP(name) === 6 ? 128 : 32}`);
      // Go: "a.b" is the host and what is below it, ".a.b" only what is below
      const suffix = name.replace(/^\*\./, '.');
      return suffix.startsWith('.') ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
    });
}

function splitPort(entry: string): [name: string, port: string | undefined] {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(entry);
  if (bracketed) return [bracketed[1] ?? '', bracketed[2]];
  if (isIP(entry) === 6) return [entry, undefined];
  const match = /^(.*?):(\d+)$/.exec(entry);
  return match ? [match[1] ?? '', match[2]] : [entry, undefined];
}

function variable(variables: Variables, name: string): string {
  // a CGI script gets the client's "Proxy:" header as HTTP_PROXY (httpoxy)
  const mayBeUpper = name !== 'http_proxy' || variables['REQUEST_METHOD'] === undefined;
  return (variables[name] || (mayBeUpper ? variables[name.toUpperCase()] : '') || '').trim();
}

function unusable(where: string, why: string): OnlayError {
  return new OnlayError('CONFIG_INVALID', `Cannot use the proxy of ${where}: ${why}`, {
    hint: 'proxies are written http://[USER:PASSWORD@]HOST:PORT',
  });
}
