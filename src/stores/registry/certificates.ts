// Which certificates count for a registry: what the machine and the user trust (base/certificates.ts), and the certs.d
// directories of docker and podman, which hold authorities and client certificates of single hosts.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { beyondNode, readAuthorities, readCertificates, tlsContext } from '../../base/certificates.ts';
import type { Log } from '../../base/log.ts';
import { OnlayError } from '../../errors.ts';
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

/** Everything for TLS with `host` ("name" or "name:port"). Throws CONFIG_INVALID for files that are named and unusable. */
export async function tlsMaterial(
  host: string,
  { caFiles, insecure }: TlsSettings,
  environment: Environment,
  log: Log,
): Promise<TlsMaterial> {
  const own = await hostCertificates(host, environment);
  const { variables } = environment;
  const shared = await readAuthorities({ variables, files: environment, caFiles, log });
  const authorities = beyondNode([...shared, ...own.authorities]);
  const { certificates, keys } = own;
  const hash = createHash('sha256').update(String(insecure));
  for (const pem of [...authorities, ...certificates, ...keys]) hash.update(pem);
  return {
    fingerprint: hash.digest('hex'),
    verify: !insecure,
    context: () => tlsContext({ authorities, certificates, keys, where: host, log }),
  };
}

interface HostCertificates {
  readonly authorities: readonly string[];
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
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
    if (name.endsWith('.crt')) authorities.push(...(await readCertificates(path, environment)));
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
