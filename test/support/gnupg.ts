// Throw-away keys of the real GnuPG, in a home directory of their own, for tests of signatures. Nothing outlives the
// test: keys, agent and directory go with `await using`.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface GnuPg extends Disposable {
  /** Runs gpg with `arguments_`, `input` on its standard input; returns its standard output. */
  run(arguments_: readonly string[], input?: Uint8Array | string): Buffer;
  /** Makes a key without a passphrase; answers its fingerprint. `time` (seconds) fakes the clock. */
  generate(
    user: string,
    options?: { algorithm?: string; usage?: string; expires?: string; time?: number },
  ): string;
  /** Binary export of public keys. */
  export(...fingerprints: readonly string[]): Buffer;
  /** Revokes the key with the certificate that gpg made with it. */
  revoke(fingerprint: string): void;
}

/** undefined when there is no gpg on this machine. */
export function gnuPg(): GnuPg | undefined {
  try {
    execFileSync('gpg', ['--version'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  // short, because the agent's socket lies in it
  const home = mkdtempSync(join(tmpdir(), 'gpg-'));
  const run: GnuPg['run'] = (arguments_, input) =>
    execFileSync(
      'gpg',
      [
        '--batch',
        '--yes',
        '--quiet',
        '--no-permission-warning',
        '--pinentry-mode',
        'loopback',
        '--passphrase',
        '',
        '--trust-model',
        'always',
        ...arguments_,
      ],
      {
        env: { ...process.env, GNUPGHOME: home, LC_ALL: 'C' },
        ...(input === undefined ? {} : { input }),
        stdio: ['pipe', 'pipe', 'pipe'],
        maxBuffer: 64 << 20,
      },
    );
  return {
    run,
    generate(user, options = {}) {
      const clock = options.time === undefined ? [] : ['--faked-system-time', `${options.time}!`];
      run([
        ...clock,
        '--quick-generate-key',
        user,
        options.algorithm ?? 'ed25519',
        options.usage ?? 'sign',
        options.expires ?? 'never',
      ]);
      const listed = run(['--with-colons', '--list-keys', `=${user}`]).toString();
      return (/^fpr:+([0-9A-F]{40}):/m.exec(listed) as RegExpExecArray)[1] as string;
    },
    export: (...fingerprints) => run(['--export', ...fingerprints]),
    revoke(fingerprint) {
      const directory = join(home, 'openpgp-revocs.d');
      const name = readdirSync(directory).find((name) => name.startsWith(fingerprint)) as string;
      const file = join(home, 'revocation.asc');
      // gpg guards against accidents with a colon before the armor
      writeFileSync(file, readFileSync(join(directory, name), 'latin1').replace(':-----BEGIN', '-----BEGIN'));
      run(['--import', file]);
    },
    [Symbol.dispose]() {
      try {
        execFileSync('gpgconf', ['--kill', 'all'], {
          env: { ...process.env, GNUPGHOME: home },
          stdio: 'ignore',
        });
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    },
  };
}
