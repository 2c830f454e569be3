// Which certificates count for a registry: the system's bundle, Node's own roots, SSL_CERT_FILE and SSL_CERT_DIR,
// NODE_EXTRA_CA_CERTS, the certs.d directories of docker and podman, and files the user names. Node 20 reads none of
// the system's by itself, and giving `ca` replaces its roots, so the whole list is put together here.
import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import type { Log } from '../../base/log.ts';
import { messageOf, OnlayError } from '../../errors.ts';
import { homeOf, type Environment } from './environment.ts';

export interface TlsSettings {
  /** Files named by the user; they must exist. */
  readonly caFiles: readonly string[];
  /** Do not verify the server's certificate. */
  readonly insecure: boolean;
}

export interface TlsMaterial {
  /** Equal for equal material: connections may be shared. */
  readonly fingerprint: string;
  readonly verify: boolean;
  /** Built anew with every call. */
  context(): SecureContext;
}

const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const MAX_DIRECTORY_FILES = 2000;

/** Everything for TLS with `host` ("name" or "name:port"). Throws CONFIG_INVALID for files that are named and unusable. */
export async function tlsMaterial(
  host: string,
  settings: TlsSettings,
  environment: Environment,
  log: Log,
): Promise<TlsMaterial> {
  const own = await hostCertificates(host, environment);
  const named = await Promise.all(settings.caFiles.map((path) => requiredFile(path, environment)));
  const listed = [...(await systemAuthorities(environment, log)), ...own.authorities, ...named.flat()];
  const authorities = new Map(listed.map((pem) => [unbroken(pem), pem]));
  // Node's own and the system's are mostly the same, with lines of other lengths
  for (const pem of rootCertificates) authorities.delete(unbroken(pem));
  const hash = createHash('sha256').update(String(settings.insecure));
  for (const pem of [...authorities.keys(), ...own.certificates, ...own.keys]) hash.update(pem);
  return {
    fingerprint: hash.digest('hex'),
    verify: !settings.insecure,
    context: () => buildContext([...authorities.values()], own, host, log),
  };
}

interface HostCertificates {
  readonly authorities: readonly string[];
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
}

function buildContext(
  authorities: readonly string[],
  own: HostCertificates,
  host: string,
  log: Log,
): SecureContext {
  const client = own.certificates.length > 0 ? { cert: [...own.certificates], key: [...own.keys] } : {};
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
      `Cannot use the client certificate for ${host}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

async function systemAuthorities(environment: Environment, log: Log): Promise<readonly string[]> {
  const { variables } = environment;
  const pems: string[] = [];
  const add = async (path: string): Promise<boolean> => {
    const bytes = await environment.readFile(path);
    if (bytes) pems.push(...certificatesIn(bytes));
    return bytes !== undefined;
  };
  const file = variables['SSL_CERT_FILE'];
  if (file && !(await add(file))) log.warn('SSL_CERT_FILE does not exist', { file });
  if (!file) for (const path of BUNDLES) if (await add(path)) break;
  for (const directory of (variables['SSL_CERT_DIR'] ?? '').split(':')) {
    if (directory === '') continue;
    for (const name of ((await environment.readDirectory(directory)) ?? []).slice(0, MAX_DIRECTORY_FILES))
      if (!/\.(?:key|md|txt)$/i.test(name)) await add(join(directory, name)).catch(() => false);
  }
  const extra = variables['NODE_EXTRA_CA_CERTS'];
  if (extra && !(await add(extra))) log.warn('NODE_EXTRA_CA_CERTS does not exist', { file: extra });
  return pems;
}

// the first directory that exists counts, as in containers-certs.d(5)
async function hostCertificates(host: string, environment: Environment): Promise<HostCertificates> {
  const home = homeOf(environment);
  const parents = [
    ...(home === undefined ? [] : [join(home, '.config/containers/certs.d')]),
    '/etc/containers/certs.d',
    ...(home === undefined ? [] : [join(home, '.config/docker/certs.d')]),
    '/etc/docker/certs.d',
  ];
  for (const parent of parents) {
    const directory = join(parent, host);
    const names = await environment.readDirectory(directory);
    if (names) return readHostDirectory(directory, names, environment);
  }
  return { authorities: [], certificates: [], keys: [] };
}

async function readHostDirectory(
  directory: string,
  names: readonly string[],
  environment: Environment,
): Promise<HostCertificates> {
  const authorities: string[] = [];
  const certificates: string[] = [];
  const keys: string[] = [];
  for (const name of names) {
    const path = join(directory, name);
    if (name.endsWith('.crt')) authorities.push(...(await requiredFile(path, environment)));
    if (!name.endsWith('.cert')) continue;
    const keyPath = join(directory, name.replace(/\.cert$/, '.key'));
    const [certificate, key] = [await environment.readFile(path), await environment.readFile(keyPath)];
    if (!certificate || !key)
      throw new OnlayError(
        'CONFIG_INVALID',
        `Cannot use the client certificate ${path}: there is no ${keyPath}`,
        { hint: 'a client certificate is NAME.cert with NAME.key, an authority is NAME.crt' },
      );
    certificates.push(Buffer.from(certificate).toString('latin1'));
    keys.push(Buffer.from(key).toString('latin1'));
  }
  return { authorities, certificates, keys };
}

async function requiredFile(path: string, environment: Environment): Promise<readonly string[]> {
  const bytes = await environment.readFile(path);
  if (!bytes)
    throw new OnlayError('CONFIG_INVALID', `Cannot read certificates from ${path}: there is no such file`);
  const pems = certificatesIn(bytes);
  if (pems.length === 0 || !pems.every(isCertificate))
    throw new OnlayError(
      'CONFIG_INVALID',
      `Cannot read certificates from ${path}: it holds no valid PEM certificate`,
      {
        hint: 'convert it with: openssl x509 -inform DER -in FILE',
      },
    );
  return pems;
}

function certificatesIn(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('latin1').replaceAll('\r', '');
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
}

function unbroken(pem: string): string {
  return pem.replaceAll('\n', '');
}
