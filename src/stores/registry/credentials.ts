// Where credentials come from, in order: what the user gave, --authfile (then nothing else), DOCKER_AUTH_CONFIG,
// REGISTRY_AUTH_FILE (then nothing else), podman's files, docker's config with its helpers, ~/.dockercfg. A source that
// fails never leads to another host: keys are matched against the host that is asked.
import { join } from 'node:path';
import { hasCode, messageOf, OnlayError } from '../../errors.ts';
import { findKeyed, parseAuthFile, type AuthEntry, type AuthFile } from './auth-file.ts';
import { askHelper } from './credential-helper.ts';
import { configHomeOf, homeOf, type Environment } from './environment.ts';

export type Credential = {
  /** Where it was found, for messages: "docker config /root/.docker/config.json". */
  readonly source: string;
} & (
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** A refresh token: exchanged for access tokens by POST. */
  | { readonly kind: 'identity-token'; readonly username: string; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: 'registry-token'; readonly token: string }
);

/** What of a credential must not appear anywhere, in the forms it is sent in. */
export function secretsOf(credential: Credential): string[] {
  if (credential.kind === 'registry-token') return [credential.token];
  const secret = credential.kind === 'password' ? credential.password : credential.token;
  return [secret, Buffer.from(`${credential.username}:${secret}`, 'utf8').toString('base64')];
}

export interface CredentialOptions {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly registryToken?: string | undefined;
  readonly authfile?: string | undefined;
}

export interface CredentialTarget {
  /** As in references and credential files: "docker.io", "host:5000". */
  readonly domain: string;
  readonly repository: string;
  /** What helpers know it by: "https://index.docker.io/v1/" for Docker Hub. */
  readonly serverKey: string;
}

export interface CredentialSearch {
  readonly credential: Credential | undefined;
  /** Sources that could not be asked: reason enough to refuse a push, a warning for a pull. */
  readonly problems: readonly string[];
}

/** Searches all sources. Throws USAGE or CONFIG_INVALID when what the user named cannot be used. */
export async function findCredential(
  target: CredentialTarget,
  options: CredentialOptions,
  environment: Environment,
): Promise<CredentialSearch> {
  const given = givenCredential(options);
  if (given) return { credential: given, problems: [] };
  const problems: string[] = [];
  for (const source of sources(options, environment)) {
    try {
      const bytes = await source.read();
      if (!bytes) continue;
      const credential = await inFile(
        parseAuthFile(bytes, source.name),
        source.name,
        target,
        environment,
        problems,
      );
      if (credential) return { credential, problems };
    } catch (error) {
      // a file in a default place may belong to another program or user
      if (source.required || !hasCode(error, 'CONFIG_INVALID')) throw error;
      problems.push(messageOf(error));
    }
  }
  return { credential: undefined, problems };
}

function givenCredential({ username, password, registryToken }: CredentialOptions): Credential | undefined {
  if (registryToken)
    return { kind: 'registry-token', token: registryToken, source: 'the given registry token' };
  if (username === undefined && password === undefined) return undefined;
  if (!username || password === undefined)
    throw new OnlayError('USAGE', 'A user name and a password are needed together');
  return { kind: 'password', username, password, source: 'the given user name and password' };
}

interface Source {
  readonly name: string;
  readonly required: boolean;
  read(): Promise<Uint8Array | undefined>;
}

function sources({ authfile }: CredentialOptions, environment: Environment): Source[] {
  const { variables } = environment;
  const file = (kind: string, path: string, required = false): Source => ({
    name: `${kind} ${path}`,
    required,
    read: () => environment.readFile(path),
  });
  if (authfile !== undefined) return [namedFile(authfile, environment)];
  const inline = variables['DOCKER_AUTH_CONFIG'];
  const first: Source[] = inline
    ? [{ name: 'DOCKER_AUTH_CONFIG', required: true, read: async () => Buffer.from(inline, 'utf8') }]
    : [];
  const named = variables['REGISTRY_AUTH_FILE'];
  if (named) return [...first, { ...file('REGISTRY_AUTH_FILE', named), required: true }];
  const home = homeOf(environment);
  const configHome = configHomeOf(environment);
  const runtime = variables['XDG_RUNTIME_DIR'] || `/run/containers/${process.getuid?.() ?? 0}`;
  const runtimeFile = variables['XDG_RUNTIME_DIR']
    ? join(runtime, 'containers/auth.json')
    : join(runtime, 'auth.json');
  const docker = variables['DOCKER_CONFIG'] || (home === undefined ? undefined : join(home, '.docker'));
  return [
    ...first,
    file('auth file', runtimeFile),
    ...(configHome === undefined ? [] : [file('auth file', join(configHome, 'containers/auth.json'))]),
    ...(docker === undefined ? [] : [file('docker config', join(docker, 'config.json'))]),
    ...(home === undefined ? [] : [file('docker config', join(home, '.dockercfg'))]),
  ];
}

// a mounted pull secret is a directory with the key of the secret as file name
function namedFile(path: string, environment: Environment): Source {
  const candidates = ['.dockerconfigjson', '.dockercfg', 'config.json', 'auth.json'];
  return {
    name: `auth file ${path}`,
    required: true,
    read: async () => {
      const names = await environment.readDirectory(path);
      const name = candidates.find((candidate) => names?.includes(candidate));
      const bytes = await environment.readFile(name === undefined ? path : join(path, name));
      if (bytes) return bytes;
      throw new OnlayError('CONFIG_INVALID', `Cannot read credentials from ${path}: there is no such file`);
    },
  };
}

async function inFile(
  file: AuthFile,
  source: string,
  target: CredentialTarget,
  environment: Environment,
  problems: string[],
): Promise<Credential | undefined> {
  const { domain, repository, serverKey } = target;
  const helper = findKeyed(file.helpers, domain, repository)?.value ?? file.store;
  if (helper !== undefined) {
    const answer = await askHelper(helper, serverKey, environment);
    if (answer.kind === 'found') return fromHelper(answer, `docker-credential-${helper}`);
    if (answer.kind === 'failed') problems.push(answer.reason);
  }
  const entry = findKeyed(file.entries, domain, repository);
  return entry && fromEntry(entry.value, source);
}

function fromHelper({ username, secret }: { username: string; secret: string }, source: string): Credential {
  return username === '<token>'
    ? { kind: 'identity-token', username: '', token: secret, source }
    : { kind: 'password', username, password: secret, source };
}

function fromEntry(entry: AuthEntry, source: string): Credential {
  const { username = '', password = '', identityToken, registryToken } = entry;
  if (registryToken !== undefined) return { kind: 'registry-token', token: registryToken, source };
  if (identityToken !== undefined) return { kind: 'identity-token', username, token: identityToken, source };
  return { kind: 'password', username, password, source };
}
