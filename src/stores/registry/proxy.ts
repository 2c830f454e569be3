// Which proxy a URL is reached through, from http_proxy, https_proxy, all_proxy and no_proxy as Go programs read them (lower case
// wins, CIDR works, loopback is never proxied); undici's own reading knows no CIDR. Proxy credentials are the URL's user
// information and go to the proxy only.
import { isIP } from 'node:net';
import { OnlayError } from '../../errors.ts';
import { inNetwork, isLoopbackHost, literalAddress } from './address.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** The proxy for `url`, or undefined for a direct connection. Throws CONFIG_INVALID for a proxy that cannot be used. */
export function proxyFor(url: URL, env: Variables): URL | undefined {
  if (isLoopbackHost(url.hostname)) return undefined;
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const value = variable(env, name) || variable(env, 'all_proxy');
  if (value === '' || bypasses(url, variable(env, 'no_proxy'))) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (!proxy?.hostname) throw unusable(name, 'it is no URL');
  if (proxy.protocol !== 'http:' && proxy.protocol !== 'https:')
    throw unusable(name, `its scheme is ${proxy.protocol.slice(0, -1)}`);
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
      if (address !== undefined) return name === address;
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

function variable(env: Variables, name: string): string {
  // a CGI script gets the client's "Proxy:" header as HTTP_PROXY (httpoxy)
  const upper = name === 'http_proxy' && env['REQUEST_METHOD'] !== undefined ? undefined : name.toUpperCase();
  return (env[name] || (upper === undefined ? '' : env[upper]) || '').trim();
}

function unusable(name: string, why: string): OnlayError {
  return new OnlayError('CONFIG_INVALID', `Cannot use the proxy of ${name}: ${why}`, {
    hint: 'proxies are written http://[USER:PASSWORD@]HOST:PORT',
  });
}
