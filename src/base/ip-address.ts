// IP addresses and networks as they appear in URLs and settings.
import { BlockList, isIP } from 'node:net';

/** The IP address that is the host of `url`, if it is one. */
export function literalAddress(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? undefined : host;
}

/** "localhost", "x.localhost", 127.0.0.0/8, ::1. Takes a host name without port; anchored on purpose. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isIP(host) !== 0) return isLoopback(host);
  return host === 'localhost' || host.endsWith('.localhost');
}

/** True when `address` is in `network`, "10.0.0.0/8" or "fd00::/8". False for what is no network. */
export function inNetwork(address: string, network: string): boolean {
  const match = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/.exec(network);
  const family = isIP(match?.[1] ?? '');
  if (!match?.[1] || family === 0 || Number(match[2]) > (family === 4 ? 32 : 128)) return false;
  return networks([match[0]])(address);
}

/** Whether an address is in one of the networks. IPv4-mapped IPv6 addresses are held against those of IPv4. */
export function networks(all: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of all) {
    const [address = '', prefix = ''] = network.split('/');
    list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (address) => {
    const bare = address.replace(/%.*$/, '');
    return list.check(bare, familyOf(bare));
  };
}

/** 127.0.0.0/8 and ::1. */
export const isLoopback: (address: string) => boolean = networks(['127.0.0.0/8', '::1/128']);

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
