// Docker credential helpers: https://github.com/docker/docker-credential-helpers. A helper is a program named
// docker-credential-NAME that speaks JSON on its standard streams. It is run without a shell, for a limited time, and
// nothing of what it writes appears in a message.
import { OnlayError } from '../../errors.ts';
import type { Environment } from './environment.ts';

export type HelperAnswer =
  | { readonly kind: 'found'; readonly username: string; readonly secret: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: string };

const NAME = /^[A-Za-z0-9._-]{1,100}$/;
const NOT_FOUND =
  /credentials not found in native keychain|no credentials server URL|no credentials username|no usable credentials/i;

export async function askHelper(
  name: string,
  serverKey: string,
  environment: Environment,
): Promise<HelperAnswer> {
  const result = await runHelper(name, 'get', serverKey, environment);
  if (result.kind === 'failed') return result;
  if (result.code !== 0)
    return NOT_FOUND.test(result.stdout)
      ? { kind: 'none' }
      : { kind: 'failed', reason: `docker-credential-${name} ended with status ${result.code}` };
  const answer = parseAnswer(result.stdout);
  if (!answer) return { kind: 'failed', reason: `docker-credential-${name} did not answer with JSON` };
  return answer.secret === '' ? { kind: 'none' } : { kind: 'found', ...answer };
}

/** Throws CONFIG_INVALID when the helper cannot do it. */
export async function storeInHelper(
  name: string,
  entry: { readonly serverKey: string; readonly username: string; readonly secret: string },
  environment: Environment,
): Promise<void> {
  const input = JSON.stringify({
    ServerURL: entry.serverKey,
    Username: entry.username,
    Secret: entry.secret,
  });
  await mustRun(name, 'store', input, environment);
}

/** Forgetting what is not there is no failure. */
export async function eraseFromHelper(
  name: string,
  serverKey: string,
  environment: Environment,
): Promise<void> {
  await mustRun(name, 'erase', serverKey, environment);
}

async function mustRun(name: string, action: string, input: string, environment: Environment): Promise<void> {
  const result = await runHelper(name, action, input, environment);
  if (result.kind === 'exited' && (result.code === 0 || NOT_FOUND.test(result.stdout))) return;
  const reason =
    result.kind === 'failed' ? result.reason : `docker-credential-${name} ended with status ${result.code}`;
  throw new OnlayError('CONFIG_INVALID', `Cannot ${action} credentials: ${reason}`, {
    hint: 'correct "credsStore" or "credHelpers" in the docker config file, or install the helper',
  });
}

async function runHelper(
  name: string,
  action: string,
  input: string,
  environment: Environment,
): Promise<
  | { readonly kind: 'exited'; readonly code: number; readonly stdout: string }
  | { kind: 'failed'; reason: string }
> {
  if (!NAME.test(name))
    return {
      kind: 'failed',
      reason: `${JSON.stringify(name.slice(0, 100))} is no name of a credential helper`,
    };
  const result = await environment.run(`docker-credential-${name}`, [action], input);
  switch (result.kind) {
    case 'missing':
      return { kind: 'failed', reason: `the program docker-credential-${name} is not installed` };
    case 'failed':
      return { kind: 'failed', reason: `docker-credential-${name} failed: ${result.reason}` };
    case 'exited':
      return result;
  }
}

function parseAnswer(stdout: string): { username: string; secret: string } | undefined {
  try {
    const { Username, Secret } = JSON.parse(stdout) as { Username?: unknown; Secret?: unknown };
    if (typeof Secret !== 'string') return undefined;
    return { username: typeof Username === 'string' ? Username : '', secret: Secret };
  } catch {
    return undefined;
  }
}
