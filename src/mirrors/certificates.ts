// Which certificate authorities are trusted: Node's own, and what the machine's administrator added, which Node does
// not read by itself: the system bundle (or SSL_CERT_FILE instead of it), NODE_EXTRA_CA_CERTS, and --ca files.
import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { OnlayError } from '../errors.ts';
import type { Environment } from './proxy.ts';

/** Debian and Alpine, Fedora and EL, Alpine and BSD, SUSE: the first that exists counts. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
  '/etc/ssl/ca-bundle.pem',
];

/** The trust of connections. Throws CONFIG_INVALID when a --ca file cannot be read or holds no certificate. */
export function secureContext(options: {
  readonly environment: Environment;
  readonly caFiles: readonly string[];
  /** PEM, in addition. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}): SecureContext {
  const { environment } = options;
  const stated = environment['SSL_CERT_FILE'];
  const system = stated ? [stated] : BUNDLES;
  const ca: string[] = [...rootCertificates];
  for (const path of system) {
    const bundle = readOptional(path);
    if (bundle === undefined) continue;
    ca.push(bundle);
    break;
  }
  const extra = environment['NODE_EXTRA_CA_CERTS'];
  const more = extra ? readOptional(extra) : undefined;
  if (more !== undefined) ca.push(more);
  for (const path of options.caFiles) ca.push(readRequired(path));
  if (options.ca !== undefined) ca.push(options.ca);
  try {
    return createSecureContext({
      // most of the system's are Node's as well, and each costs 0.15 ms
      ca: [...distinct(ca)],
      ...(options.cert === undefined ? {} : { cert: options.cert }),
      ...(options.key === undefined ? {} : { key: options.key }),
    });
  } catch (error) {
    throw new OnlayError('CONFIG_INVALID', 'Cannot use a certificate or key for TLS: it is not valid PEM', {
      cause: error,
    });
  }
}

/** The certificates of several PEM texts, each once. */
function distinct(texts: readonly string[]): readonly string[] {
  const blocks = new Map<string, string>();
  for (const block of texts
    .join('\n')
    .match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END [^-]*-----/g) ?? [])
    blocks.set(block.replace(/\s/g, ''), block);
  return [...blocks.values()];
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function readRequired(path: string): string {
  const text = readOptional(path);
  if (text === undefined) throw new OnlayError('CONFIG_INVALID', `Cannot read the certificate file ${path}`);
  if (!text.includes('-----BEGIN CERTIFICATE-----') && !text.includes('-----BEGIN TRUSTED CERTIFICATE-----'))
    throw new OnlayError('CONFIG_INVALID', `The certificate file ${path} holds no PEM certificate`);
  return text;
}
