// `onlay login` and `onlay logout`: credentials where docker and podman keep theirs. The password comes from standard
// input only, so that it stands in no process list and no history.
import { OnlayError } from '../../errors.ts';
import { collect } from '../../base/streams.ts';
import type { RunStreams } from '../streams.ts';
import type { OutputFlags, TransportFlags } from '../options.ts';
import { openSession } from '../session.ts';

export type LoginFlags = TransportFlags &
  OutputFlags & { readonly username?: string; readonly passwordStdin?: boolean };

export async function login(host: string, flags: LoginFlags, streams: RunStreams): Promise<number> {
  if (flags.username === undefined || flags.passwordStdin !== true)
    throw new OnlayError('USAGE', 'A user name and a password are needed', {
      hint: `onlay login ${host} --username NAME --password-stdin <FILE`,
    });
  const bytes = await collect(streams.stdin, { limit: 1024 * 1024, what: 'the password on standard input' });
  const password = Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (password === '') throw new OnlayError('USAGE', 'The password on standard input is empty');
  await using session = await openSession(flags, streams);
  const registry = await import('../../stores/registry/index.ts');
  const { storedIn } = await registry.login({
    ...session.stores.registry,
    registry: host,
    username: flags.username,
    password,
  });
  if (flags.json) streams.stdout.write(document({ host, loggedIn: true, storedIn }));
  else session.terminal.log.info(`Logged in to ${host}; the credentials are in ${storedIn}`);
  return 0;
}

export async function logout(host: string, flags: LoginFlags, streams: RunStreams): Promise<number> {
  await using session = await openSession(flags, streams);
  const registry = await import('../../stores/registry/index.ts');
  const { removed } = await registry.logout({ registry: host, authfile: flags.authfile, env: streams.env });
  if (flags.json) streams.stdout.write(document({ host, loggedIn: false, removed }));
  else session.terminal.log.info(removed ? `Logged out of ${host}` : `There were no credentials for ${host}`);
  return 0;
}

function document(fields: object): string {
  return `${JSON.stringify({ schemaVersion: 1, ...fields }, null, 2)}\n`;
}
