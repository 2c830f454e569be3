// Where an image is, as the user writes it: the table "Image references" of the command line. A transport prefix wins
// over the same word as an image name; file and directory names hold no ":", as with skopeo.
import { OnlayError } from '../errors.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { formatReference, parseReference, referenceTo, type RegistryReference } from '../oci/reference.ts';

export type Target =
  | { readonly kind: 'registry'; readonly reference: RegistryReference }
  | { readonly kind: 'layout'; readonly directory: string; readonly tag?: string; readonly digest?: Digest }
  | ({ readonly kind: 'archive'; readonly format: 'oci' | 'docker'; readonly file: string } & ArchiveImage)
  /** Standard input or output. */
  | ({ readonly kind: 'stream'; readonly format: 'oci' | 'docker' } & ArchiveImage)
  | { readonly kind: 'daemon'; readonly program: 'docker' | 'podman'; readonly image: string };

interface ArchiveImage {
  /** Tag or reference of one image of several. */
  readonly image?: string;
  readonly digest?: Digest;
}

/** Reads any form of the table. Throws REFERENCE_INVALID with a hint. */
export function parseTransport(text: string): Target {
  if (text === '-') return { kind: 'stream', format: 'docker' };
  if (text.startsWith('docker://'))
    return { kind: 'registry', reference: parseReference(text.slice('docker://'.length)) };
  const colon = text.indexOf(':');
  const rest = text.slice(colon + 1);
  switch (text.slice(0, Math.max(colon, 0))) {
    case 'oci':
      return parseLayout(rest, text);
    case 'oci-archive':
      return parseArchive('oci', rest, text);
    case 'docker-archive':
      return parseArchive('docker', rest, text);
    case 'docker-daemon':
      return { kind: 'daemon', program: 'docker', image: parseDaemonImage(rest, text) };
    case 'podman':
      return { kind: 'daemon', program: 'podman', image: parseDaemonImage(rest, text) };
    default:
      refuseOtherTransports(text);
      return { kind: 'registry', reference: parseReference(text) };
  }
}

/** The text that `parseTransport` reads as `target`; registries fully qualified. */
export function formatTarget(target: Target): string {
  switch (target.kind) {
    case 'registry':
      return String(target.reference);
    case 'layout':
      return `oci:${target.directory}${suffix(target.tag, target.digest)}`;
    case 'archive':
      return `${target.format}-archive:${target.file}${suffix(target.image, target.digest)}`;
    case 'stream':
      return target.image === undefined && target.digest === undefined
        ? '-'
        : `${target.format}-archive:-${suffix(target.image, target.digest)}`;
    case 'daemon':
      return `${target.program === 'docker' ? 'docker-daemon' : 'podman'}:${target.image}`;
    default:
      return target satisfies never;
  }
}

/** What `ImageStore.resolve` is asked for: the digest counts where there is one; "latest" is a registry's default. */
export function pointOf(target: Target): { readonly tag?: string; readonly digest?: Digest } {
  if (target.kind === 'daemon') return {};
  if (target.kind === 'registry') {
    const { tag = 'latest', digest } = target.reference;
    return digest === undefined ? { tag } : { digest };
  }
  const tag = target.kind === 'layout' ? target.tag : target.image;
  if (target.digest !== undefined) return { digest: target.digest };
  return tag === undefined ? {} : { tag };
}

/** The name under which an image is put there (`putDocument`); undefined when the user gave none. */
export function nameOf(target: Target): string | undefined {
  switch (target.kind) {
    case 'registry':
      return target.reference.tag;
    case 'layout':
      return target.tag;
    case 'daemon':
      return dockerName(target.image);
    case 'archive':
    case 'stream':
      return target.image;
    default:
      return target satisfies never;
  }
}

function suffix(name: string | undefined, digest: Digest | undefined): string {
  return `${name === undefined ? '' : `:${name}`}${digest === undefined ? '' : `@${digest}`}`;
}

function parseLayout(rest: string, text: string): Target {
  const { path, name, digest } = splitPath(rest, text, 'oci:DIR[:TAG]');
  return {
    kind: 'layout',
    directory: path,
    ...(name !== undefined && { tag: name }),
    ...(digest !== undefined && { digest }),
  };
}

function parseArchive(format: 'oci' | 'docker', rest: string, text: string): Target {
  const { path, name, digest } = splitPath(
    rest,
    text,
    `${format}-archive:FILE[:${format === 'oci' ? 'TAG' : 'REF'}]`,
  );
  const image = name !== undefined && format === 'docker' ? dockerName(name) : name;
  const which = { ...(image !== undefined && { image }), ...(digest !== undefined && { digest }) };
  return path === '-'
    ? { kind: 'stream', format, ...which }
    : { kind: 'archive', format, file: path, ...which };
}

/** As `docker images` shows it, with a tag. */
function dockerName(name: string): string {
  const reference = parseReference(name);
  return formatReference(referenceTo(reference, { tag: reference.tag ?? 'latest' }), 'familiar');
}

function splitPath(
  rest: string,
  text: string,
  form: string,
): { path: string; name?: string; digest?: Digest } {
  const at = rest.lastIndexOf('@');
  const after = rest.slice(at + 1);
  if (at !== -1 && isDigest(after)) return { ...splitName(rest.slice(0, at), text, form), digest: after };
  if (at !== -1 && /^sha(?:256|512):/.test(after))
    throw bad(
      text,
      `${JSON.stringify(after.slice(0, 80))} is no digest`,
      'a digest is sha256: and 64 lower-case hexadecimal digits',
    );
  return splitName(rest, text, form);
}

function splitName(rest: string, text: string, form: string): { path: string; name?: string } {
  const colon = rest.indexOf(':');
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const name = colon === -1 ? undefined : rest.slice(colon + 1);
  if (path === '' || path.includes('\0')) throw bad(text, 'it names no file', `the form is ${form}`);
  if (name === '') throw bad(text, 'nothing follows the last ":"', `the form is ${form}`);
  return { path, ...(name !== undefined && { name }) };
}

// an ID, or a reference in the daemon's own spelling; it becomes an argument of a program
function parseDaemonImage(rest: string, text: string): string {
  if (rest.startsWith('//'))
    throw bad(text, 'it is written like a URL', 'leave the slashes out: docker-daemon:NAME:TAG');
  if (!/^(?:sha256:)?[0-9a-f]{12,64}$/.test(rest)) parseReference(rest);
  return rest;
}

function refuseOtherTransports(text: string): void {
  const found = /^(dir|containers-storage|ostree|sif|tarball|docker-tar|oci-dir|file):(.*)$/s.exec(text);
  if (found && /^(?:\/|\.|.*\/)/.test(found[2] as string))
    throw bad(text, `transport ${found[1]}: is not supported`, FORMS);
}

const FORMS =
  'use NAME:TAG, oci:DIR:TAG, oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, podman:NAME, or - for standard input and output';

function bad(text: string, why: string, hint: string): OnlayError {
  return new OnlayError(
    'REFERENCE_INVALID',
    `Cannot read image reference ${JSON.stringify(text.slice(0, 200))}: ${why}`,
    { hint },
  );
}
