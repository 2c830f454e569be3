// References to images in registries, "name[:tag][@digest]": the grammar of distribution/reference
// (https://pkg.go.dev/github.com/distribution/reference) with Docker Hub's short names. More is accepted than older tools
// do (IPv6 hosts, tag and digest together), nothing that a registry would refuse.
import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { OnlayError } from '../errors.ts';
import { isDigest, type Digest } from './digest.ts';

export interface RegistryReference {
  /** Lower case, with the port if there is one: "docker.io", "localhost:5000", "[::1]:5000". */
  readonly domain: string;
  /** Repository: "library/nginx". */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
  /** Where its API is: the domain, but registry-1.docker.io for Docker Hub. */
  readonly apiHost: string;
  /** Key of its credentials in Docker's config file. */
  readonly credentialKey: string;
  /** Fully qualified: "docker.io/library/nginx:1.27@sha256:…". */
  toString(): string;
}

/** Reads a reference. A missing tag stays missing. Throws REFERENCE_INVALID with a hint. */
export function parseReference(text: string): RegistryReference {
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest?.includes('/') || /^[^/@]*:\/\/[^/]*@/.test(text))
    throw new OnlayError(
      'REFERENCE_INVALID',
      'Cannot read image reference: it holds a user name or password',
      {
        hint: 'store credentials with: onlay login HOST',
      },
    );
  refuseStrangeText(text);
  if (digest !== undefined && !isDigest(digest))
    throw bad(
      text,
      `${show(digest)} is no digest`,
      'a digest is sha256: and 64 lower-case hexadecimal digits',
    );
  const colon = name.lastIndexOf(':');
  const hasTag = colon > name.lastIndexOf('/') && !name.endsWith(']');
  const tag = hasTag ? name.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw bad(text, `${show(tag)} is no tag`, TAG_RULE);
  const { domain, path } = splitName(hasTag ? name.slice(0, colon) : name, text);
  return new Reference(domain, path, tag, digest);
}

/** The same repository with another tag or digest; what is not named is left out. */
export function referenceTo(
  reference: RegistryReference,
  point: { readonly tag?: string; readonly digest?: Digest },
): RegistryReference {
  if (point.tag !== undefined && !TAG.test(point.tag)) throw bad(point.tag, 'it is no tag', TAG_RULE);
  return new Reference(reference.domain, reference.path, point.tag, point.digest);
}

/** As text: fully qualified, or as Docker shows it ("nginx:1.27") with `familiar`. */
export function formatReference(reference: RegistryReference, style: 'full' | 'familiar' = 'full'): string {
  const hub = style === 'familiar' && reference.domain === 'docker.io';
  const name = hub
    ? reference.path.replace(/^library\/(?=[^/]+$)/, '')
    : `${reference.domain}/${reference.path}`;
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return `${name}${tag}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

class Reference implements RegistryReference {
  readonly domain: string;
  readonly path: string;
  declare readonly tag?: string;
  declare readonly digest?: Digest;
  readonly apiHost: string;
  readonly credentialKey: string;

  constructor(domain: string, path: string, tag: string | undefined, digest: Digest | undefined) {
    this.domain = domain;
    this.path = path;
    if (tag !== undefined) this.tag = tag;
    if (digest !== undefined) this.digest = digest;
    this.apiHost = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
    this.credentialKey = domain === 'docker.io' ? 'https://index.docker.io/v1/' : domain;
  }

  toString(): string {
    return formatReference(this);
  }
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const TAG_RULE = 'a tag has 1 to 128 letters, digits, "_", "." and "-", and does not start with "." or "-"';
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const HOST = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;
const MAX_PATH = 255;

function refuseStrangeText(text: string): void {
  if (text === '') throw bad(text, 'it is empty');
  if (text.length > 1024) throw bad(text, 'it is too long');
  if (/[\u0080-\uffff]/.test(text)) {
    const host = text.split('/', 1)[0] ?? '';
    const ascii = text.includes('/') ? domainToASCII(host) : '';
    throw bad(
      text,
      'it holds characters outside ASCII',
      ascii === '' ? undefined : `write the host name in punycode: ${ascii}`,
    );
  }
  if (/[^!-~]/.test(text)) throw bad(text, 'it holds white space or control characters');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  if (scheme) throw bad(text, `it starts with ${show(scheme[0])}`, `leave ${scheme[0]} out`);
  if (/^\.{0,2}\//.test(text))
    throw bad(
      text,
      'it looks like a file name',
      'a directory is named oci:DIR, a file oci-archive:FILE or docker-archive:FILE',
    );
}

// The first component is a host if it can be nothing else; a name without "/" is always Docker Hub's.
function splitName(name: string, text: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isHost = first === 'localhost' || /[.:]/.test(first);
  if (!isHost) {
    if (slash === -1 && /^[0-9a-f]{64}$/.test(name))
      throw bad(text, 'it is an image ID', 'name the repository: NAME@sha256:DIGEST');
    checkPath(name, text);
    return { domain: 'docker.io', path: slash === -1 ? `library/${name}` : name };
  }
  const path = name.slice(slash + 1);
  const domain = parseHost(first, text);
  checkPath(path, text);
  if (domain !== 'docker.io' && domain !== 'index.docker.io') return { domain, path };
  return { domain: 'docker.io', path: path.includes('/') ? path : `library/${path}` };
}

function parseHost(host: string, text: string): string {
  const bracketed = /^\[([0-9A-Fa-f:.]*)\](?::(.*))?$/.exec(host);
  const plain = /^([^:]*)(?::([^:]*))?$/.exec(host);
  const [, address, port] = bracketed ?? plain ?? [];
  if (address === undefined)
    throw bad(text, `${show(host)} is no host name`, 'write an IPv6 address in brackets: [::1]:5000/name');
  if (bracketed ? !isIPv6(address) : !HOST.test(address) || address.length > 253)
    throw bad(
      text,
      `${show(host)} is no host name`,
      address.includes('_') ? 'host names hold no "_"' : undefined,
    );
  if (port !== undefined && !(/^[0-9]{1,5}$/.test(port) && Number(port) <= 65535))
    throw bad(text, `${show(port)} is no port`);
  return host.toLowerCase();
}

function checkPath(path: string, text: string): void {
  if (path.length > MAX_PATH) throw bad(text, `the repository name is longer than ${MAX_PATH} characters`);
  for (const component of path.split('/')) {
    if (COMPONENT.test(component)) continue;
    if (component === '') throw bad(text, 'the repository name has an empty part');
    if (/[A-Z]/.test(component))
      throw bad(text, `${show(component)} holds capital letters`, 'repository names are lowercase');
    throw bad(
      text,
      `${show(component)} cannot be part of a repository name`,
      'its parts are lower-case letters and digits, joined by ".", "_", "__" or "-"',
    );
  }
}

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function bad(text: string, why: string, hint?: string): OnlayError {
  return new OnlayError('REFERENCE_INVALID', `Cannot read image reference ${show(text)}: ${why}`, { hint });
}
