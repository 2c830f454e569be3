// What kind of place an IP address is. Servers that a registry names (token realms, redirects, upload locations, layer
// URLs) must not lead into networks the registry itself is not part of (CVE-2026-48978, CVE-2026-33540): literals are
// checked before the connection, names when they are resolved, because a DNS name can point anywhere.
import { isLoopback, networks } from '../../base/ip-address.ts';

export type AddressKind = 'metadata' | 'loopback' | 'private' | 'public';

/** Where a connection may lead: anywhere, anywhere but cloud metadata services, or public addresses only. */
export type Reach = 'any' | 'no-metadata' | 'public';

export function addressKind(address: string): AddressKind {
  if (isMetadata(address)) return 'metadata';
  if (isLoopback(address)) return 'loopback';
  if (isPrivate(address)) return 'private';
  return 'public';
}

export function mayReach(address: string, reach: Reach): boolean {
  if (reach === 'any') return true;
  const kind = addressKind(address);
  return kind === 'public' || (reach === 'no-metadata' && kind !== 'metadata');
}

// NAT64 prefixes are not mapped to IPv4 by themselves
const isMetadata = networks([
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
const isPrivate = networks([
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
