// What kind of place an IP address is. Servers that a registry names (token realms, redirects, upload locations, layer
// URLs) must not lead into networks the registry itself is not part of (CVE-2026-48978, CVE-2026-33540): literals are
// checked before the connection, names when they are resolved, because a DNS name can point anywhere.
import { BlockList, isIP } from 'node:net';

export type AddressKind = 'metadata' | 'loopback' | 'private' | 'public';

/** Where a connection may lead: anywhere, anywhere but cloud metadata services, or public addresses only. */
export type Reach = 'any' | 'no-metadata' | 'public';

export function addressKind(address: string): AddressKind {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  const bare = address.replace(/%.*$/, '');
  if (METADATA.check(bare, family)) return 'metadata';
  if (LOOPBACK.check(bare, family)) return 'loopback';
  if (PRIVATE.check(bare, family)) return 'private';
  return 'public';
}

export function mayReach(address: string, reach: Reach): boolean {
  if (reach === 'any') return true;
  const kind = addressKind(address);
  return kind === 'public' || (reach === 'no-metadata' && kind !== 'metadata');
}

/** The IP address that is the host of `url`, if it is one. */
export function literalAddress(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? undefined : host;
}

/** "localhost", "x.localhost", 127.0.0.0/8, ::1. Takes a host name without port; anchored on purpose. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (isIP(host) !== 0) return addressKind(host) === 'loopback';
  return host === 'localhost' || host.endsWith('.localhost');
}

/** True when `address` is in `network`, "10.0.0.0/8" or "fd00::/8". False for what is no network. */
export function inNetwork(address: string, network: string): boolean {
  const match = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/.exec(network);
  const family = isIP(match?.[1] ?? '');
  if (!match?.[1] || family === 0 || Number(match[2]) > (family === 4 ? 32 : 128)) return false;
  return blockList([match[0]]).check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/');
    list.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

// BlockList holds IPv4-mapped IPv6 addresses against the IPv4 rules; NAT64 prefixes it does not know
const METADATA = blockList([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  '::/128',
  'fe80::/10',
  'fd00:ec2::254/128',
  '64:ff9b::a9fe:0/112',
]);
const LOOPBACK = blockList(['127.0.0.0/8', '::1/128']);
const PRIVATE = blockList([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
  'fc00::/7',
  'fec0::/10',
  'ff00::/8',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
]);
