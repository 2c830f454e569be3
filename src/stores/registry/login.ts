// `login` and `logout`: credentials are tried against the registry, then written where docker and podman read them too:
// the helper the docker config names, else the file itself. The file is replaced as a whole, readable by its owner only,
// and keeps all other fields.
import { randomBytes } from 'node:crypto';
import { chmod, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../../base/make-directory.ts';
import { OnlayError } from '../../errors.ts';
import { parseReference, type RegistryReference } from '../../oci/reference.ts';
import { editAuths, findKeyed, isKeyOf, parseAuthFile } from './auth-file.ts';
import type { Call } from './client.ts';
import { eraseFromHelper, storeInHelper } from './credential-helper.ts';
import { homeOf, systemEnvironment, type Environment } from './environment.ts';
import { openHost, type RegistryOptions } from './open.ts';

export interface LoginOptions extends RegistryOptions {
  /** "docker.io", "host:5000". */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

export interface LogoutOptions {
  readonly registry: string;
  readonly authfile?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Tries the credentials and stores them. Throws AUTH_DENIED when the registry refuses them (nothing is stored then),
 * CONFIG_INVALID when they cannot be stored.
 */
export async function login(options: LoginOptions): Promise<{ readonly storedIn: string }> {
  const reference = parseRegistry(options.registry);
  // RFC 7617: the first colon ends the name
  if (options.username.includes(':')) throw new OnlayError('USAGE', 'A user name holds no colon');
  const environment = systemEnvironment(options.env);
  await tryCredentials(reference, options, environment);
  const path = authPath(options, environment);
  const { username, password } = options;
  const helper = await helperFor(path, reference, environment);
  if (helper !== undefined) {
    await storeInHelper(
      helper,
      { serverKey: reference.credentialKey, username, secret: password },
      environment,
    );
    return { storedIn: `docker-credential-${helper}` };
  }
  await editAuthFile(path, environment, (auths) => {
    for (const key of Object.keys(auths)) if (isKeyOf(key, reference.domain)) delete auths[key];
    auths[reference.credentialKey] = {
      auth: Buffer.from(`${username}:${password}`, 'utf8').toString('base64'),
    };
    return true;
  });
  return { storedIn: path };
}

/** Removes stored credentials; `removed` is false when there were none. Throws CONFIG_INVALID. */
export async function logout(options: LogoutOptions): Promise<{ readonly removed: boolean }> {
  const reference = parseRegistry(options.registry);
  const environment = systemEnvironment(options.env);
  const path = authPath(options, environment);
  const helper = await helperFor(path, reference, environment);
  if (helper !== undefined) await eraseFromHelper(helper, reference.credentialKey, environment);
  const removed = await editAuthFile(path, environment, (auths) => {
    const keys = Object.keys(auths).filter((key) => isKeyOf(key, reference.domain));
    for (const key of keys) delete auths[key];
    return keys.length > 0;
  });
  return { removed: removed || helper !== undefined };
}

function parseRegistry(text: string): RegistryReference {
  const host = text.replace(/^https?:\/\//i, '').replace(/(?:\/v[12])?\/*$/, '');
  // what a reference would take for a host
  if (/^[^/]+$/.test(host) && (host === 'localhost' || /[.:]/.test(host))) return parseReference(`${host}/x`);
  throw new OnlayError(
    'REFERENCE_INVALID',
    `Cannot log in to ${JSON.stringify(text.slice(0, 100))}: it is no host`,
    {
      hint: 'a registry is named HOST or HOST:PORT, Docker Hub docker.io',
    },
  );
}

async function tryCredentials(
  reference: RegistryReference,
  options: LoginOptions,
  environment: Environment,
): Promise<void> {
  const client = openHost(reference, options, environment);
  const call: Call = {
    method: 'GET',
    target: '/v2/',
    doing: `log in to ${reference.domain}`,
    need: { access: 'login' },
  };
  const answer = await client.call(call);
  if (!answer.ok) throw await client.refused(call, answer);
  await answer.discard();
}

function authPath(options: { readonly authfile?: string | undefined }, environment: Environment): string {
  const { variables } = environment;
  const named = options.authfile ?? (variables['REGISTRY_AUTH_FILE'] || undefined);
  if (named !== undefined) return named;
  const home = homeOf(environment);
  const directory = variables['DOCKER_CONFIG'] || (home === undefined ? undefined : join(home, '.docker'));
  if (directory !== undefined) return join(directory, 'config.json');
  throw new OnlayError('CONFIG_INVALID', 'Cannot store credentials: there is no home directory', {
    hint: 'set HOME or DOCKER_CONFIG, or name a file with --authfile',
  });
}

async function helperFor(
  path: string,
  { domain }: RegistryReference,
  environment: Environment,
): Promise<string | undefined> {
  const bytes = await environment.readFile(path);
  if (!bytes) return undefined;
  const file = parseAuthFile(bytes, path);
  return findKeyed(file.helpers, domain, '')?.value ?? file.store;
}

async function editAuthFile(
  path: string,
  environment: Environment,
  edit: (auths: Record<string, unknown>) => boolean,
): Promise<boolean> {
  const { root, auths } = editAuths(await environment.readFile(path), path);
  if (!edit(auths)) return false;
  // docker indents with tabs
  await replacePrivate(path, `${JSON.stringify(root, undefined, '\t')}\n`);
  return true;
}

async function replacePrivate(path: string, text: string): Promise<void> {
  try {
    await makeDirectory(dirname(path), 0o700);
    // a link (to a dotfiles repository, say) stays a link
    const target = await realpath(path).catch(() => path);
    const temporary = join(dirname(target), `.onlay-${randomBytes(8).toString('hex')}.tmp`);
    try {
      await writeFile(temporary, text, { mode: 0o600, flag: 'wx', flush: true });
      await chmod(temporary, 0o600);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'error';
    throw new OnlayError('CONFIG_INVALID', `Cannot write credentials to ${path}: ${code}`, {
      hint: 'name another file with --authfile, or set DOCKER_CONFIG',
      cause,
    });
  }
}
