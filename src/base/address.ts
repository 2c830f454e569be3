// What kind of place an IP address is. Servers that another server or an image names (token realms, redirects, upload
// locations, layer URLs, package repositories) must not lead where only this machine gets to (CVE-2026-48978,
// CVE-2026-33540): literals are checked before the connection, names when they are resolved, because a DNS name can
// point anywhere.
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isLoopback, literalAddress, networks } from './ip-address.ts';

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

/** An address that `url` names literally and that must not be reached; names are checked by `guardedLookup`. */
export function forbiddenLiteral(url: URL, reach: Reach): string | undefined {
  const address = literalAddress(url);
  return address !== undefined && !mayReach(address, reach) ? address : undefined;
}

/** Resolves names as ever, but fails with `forbidden` where one leads to an address that must not be reached. */
export function guardedLookup(reach: Reach, forbidden: (address: string) => Error): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      const bad = error ? undefined : addresses.find(({ address }) => !mayReach(address, reach));
      const first = addresses?.[0];
      if (error || bad || !first) callback(bad ? forbidden(bad.address) : error, []);
      else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
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
