// Which certificate authorities are trusted beyond Node's own: the system's bundle (or SSL_CERT_FILE instead of it),
// SSL_CERT_DIR, NODE_EXTRA_CA_CERTS, and files the user names. Node 20 reads none of the system's by itself, and giving
// `ca` to TLS replaces its roots, so the whole is put together here. Certificates of single hosts are the adapters' matter.
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { messageOf, OnlayError } from '../errors.ts';
import type { Files } from './files.ts';
import type { Log } from './log.ts';

/** Debian and Alpine, Fedora and EL, SUSE, BSD: the first that exists counts. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const MAX_DIRECTORY_FILES = 2000;

export interface AuthoritySources {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly files: Files;
  /** Files named by the user; they must exist. */
  readonly caFiles: readonly string[];
  readonly log: Log;
}

/** PEM of what the machine and the user trust, in the order of the sources. Throws CONFIG_INVALID for a named file. */
export async function readAuthorities(sources: AuthoritySources): Promise<readonly string[]> {
  const { files, caFiles } = sources;
  const named = await Promise.all(caFiles.map((path) => readCertificates(path, files)));
  return [...(await systemAuthorities(sources)), ...named.flat()];
}

/** The certificates of a file that must exist and hold nothing else in PEM. Throws CONFIG_INVALID. */
export async function readCertificates(path: string, files: Files): Promise<readonly string[]> {
  const bytes = await files.readFile(path);
  if (!bytes)
    throw new OnlayError('CONFIG_INVALID', `Cannot read the certificate file ${path}: there is no such file`);
  const pems = certificatesIn(bytes);
  if (pems.length === 0 || !pems.every(isCertificate))
    throw new OnlayError(
      'CONFIG_INVALID',
      `Cannot read the certificate file ${path}: it holds no valid PEM certificate`,
      { hint: 'convert it with: openssl x509 -inform DER -in FILE' },
    );
  return pems;
}

/** Every block that says it is a certificate. */
export function certificatesIn(bytes: Uint8Array): readonly string[] {
  const text = Buffer.from(bytes).toString('latin1').replaceAll('\r', '');
  return text.match(/-----BEGIN ((?:TRUSTED )?CERTIFICATE)-----[^-]*-----END \1-----/g) ?? [];
}

export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Each certificate once, without those Node trusts by itself: the system's are mostly the same, in other line lengths. */
export function beyondNode(pems: readonly string[]): readonly string[] {
  const distinct = new Map(pems.map((pem) => [unbroken(pem), pem]));
  for (const pem of rootCertificates) distinct.delete(unbroken(pem));
  return [...distinct.values()];
}

function unbroken(pem: string): string {
  return pem.replaceAll('\n', '');
}

export interface TlsIdentity {
  /** PEM, beyond Node's own. */
  readonly authorities: readonly string[];
  /** PEM of client certificates with their keys, in the same order. */
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
  /** Names the other side in errors. */
  readonly where: string;
  readonly log: Log;
}

/** Node's roots and `authorities`, with a client certificate. Throws CONFIG_INVALID when that cannot be used. */
export function tlsContext({ authorities, certificates, keys, where, log }: TlsIdentity): SecureContext {
  const client = certificates.length > 0 ? { cert: [...certificates], key: [...keys] } : {};
  try {
    const context = createSecureContext(client);
    // adding to Node's roots takes a quarter of the time of parsing them all again
    const { addCACert } = context.context as { addCACert?: (this: unknown, pem: string) => void };
    if (!addCACert) return createSecureContext({ ...client, ca: [...rootCertificates, ...authorities] });
    let unreadable = 0;
    for (const pem of authorities)
      try {
        addCACert.call(context.context, pem);
      } catch {
        unreadable++;
      }
    if (unreadable > 0) log.warn('certificates of the bundle cannot be read', { count: unreadable });
    return context;
  } catch (cause) {
    throw new OnlayError(
      'CONFIG_INVALID',
      `Cannot use the client certificate for ${where}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

async function systemAuthorities({ variables, files, log }: AuthoritySources): Promise<readonly string[]> {
  const pems: string[] = [];
  const add = async (path: string): Promise<boolean> => {
    const bytes = await files.readFile(path);
    if (bytes) pems.push(...certificatesIn(bytes));
    return bytes !== undefined;
  };
  const file = variables['SSL_CERT_FILE'];
  if (file && !(await add(file))) log.warn('SSL_CERT_FILE does not exist', { file });
  if (!file) for (const path of BUNDLES) if (await add(path)) break;
  for (const directory of (variables['SSL_CERT_DIR'] ?? '').split(':')) {
    if (directory === '') continue;
    for (const name of ((await files.readDirectory(directory)) ?? []).slice(0, MAX_DIRECTORY_FILES))
      if (!/\.(?:key|md|txt)$/i.test(name)) await add(join(directory, name)).catch(() => false);
  }
  const extra = variables['NODE_EXTRA_CA_CERTS'];
  if (extra && !(await add(extra))) log.warn('NODE_EXTRA_CA_CERTS does not exist', { file: extra });
  return pems;
}
