// Which proxy a URL is fetched through, by the environment: http_proxy, https_proxy, all_proxy and no_proxy, in lower
// or upper case, lower case first. no_proxy holds '*', hosts and domains, host:port, addresses and CIDR ranges, as Go
// programs read it (golang.org/x/net/http/httpproxy); loopback is never proxied.
import { BlockList, isIP, isIPv6 } from 'node:net';
import { OnlayError } from '../errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** URL of the proxy for `url`, or undefined for a direct connection. Throws CONFIG_INVALID for a proxy that is no URL. */
export function proxyFor(url: URL, environment: Environment): string | undefined {
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const proxy = variable(environment, name) || variable(environment, 'all_proxy');
  if (!proxy || bypasses(url, variable(environment, 'no_proxy') ?? '')) return undefined;
  return parseProxy(proxy, name);
}

/** Checks the URL of a proxy; a scheme may be missing. `where` names its origin. */
export function parseProxy(proxy: string, where: string): string {
  const url = proxy.includes('://') ? proxy : `http://${proxy}`;
  let scheme: string;
  try {
    scheme = new URL(url).protocol;
  } catch {
    throw new OnlayError('CONFIG_INVALID', `The proxy of ${where} is not a URL`);
  }
  if (!['http:', 'https:', 'socks5:', 'socks:'].includes(scheme))
    throw new OnlayError('CONFIG_INVALID', `The proxy of ${where} has the unsupported scheme ${scheme}`);
  return url;
}

function variable(environment: Environment, name: string): string | undefined {
  return environment[name] ?? environment[name.toUpperCase()];
}

/** True when `noProxy` or the nature of the host excludes `url` from proxying. */
export function bypasses(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || host.endsWith('.localhost') || inRanges(host, LOOPBACK)) return true;
  return noProxy
    .split(/[,\s]+/)
    .filter((entry) => entry !== '')
    .some((entry) => matches(entry.toLowerCase(), host, port));
}

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inRanges(host, [entry]);
  const [, name = '', wantedPort] = /^(\[[^\]]*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
  if (bare === '') return false;
  if (isIP(bare) !== 0) return sameAddress(bare, host);
  // ".example.org" stands for subdomains only, "example.org" for itself and its subdomains
  return host.endsWith(`.${bare}`) || (host === bare && !/^\*?\./.test(name));
}

function sameAddress(a: string, b: string): boolean {
  return isIP(b) !== 0 && inRanges(b, [`${a}/${isIPv6(a) ? 128 : 32}`]);
}

function inRanges(host: string, ranges: readonly string[]): boolean {
  if (isIP(host) === 0) return false;
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix = ''] = range.split('/');
    const family = isIPv6(network) ? 'ipv6' : 'ipv4';
    if (isIP(network) === 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 'ipv6' ? 128 : 32))
      continue;
    list.addSubnet(network, Number(prefix), family);
  }
  return list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}
