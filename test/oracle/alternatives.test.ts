// update-alternatives beside the real tool of dpkg: sequences of its commands on made roots, where files of choices and
// links come, go and are turned elsewhere in between. Every link and record must be the same.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { runEffects } from '../../src/effects/index.ts';
import { createDraft } from '../../src/rootfs/draft.ts';
import { randomNumbers } from '../support/random.ts';
import { missingTools, rootFromDirectory } from '../support/root-from-directory.ts';

const CASES = 120;
const work = mkdtempSync(join(tmpdir(), 'alternatives-'));
after(() => rmSync(work, { recursive: true, force: true }));

test('links and records are those of the real update-alternatives', async (t) => {
  const missing = missingTools('update-alternatives');
  if (missing !== undefined) return t.skip(missing);
  const random = randomNumbers(20_261_121);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const command = (): string => {
    const name = pick(['x', 'y']);
    const path = `/opt/${pick(['a', 'b', 'c'])}`;
    const slave = (of: string): string =>
      random() < 0.5 ? ` --slave /usr/bin/${name}-${of} ${name}-${of} /opt/${pick(['m', 'n', 'o'])}` : '';
    return pick([
      `--install /usr/bin/${name} ${name} ${path} ${pick([-5, 10, 20])}${slave('t')}${slave('s')}`,
      `--install /usr/bin/${name} ${name} ${path} ${pick([10, 30])}${slave('s')}`,
      `--remove ${name} ${path}`,
      `--set ${name} ${path}`,
      `--auto ${name}`,
      `--remove-all ${name}`,
    ]);
  };
  const real = (root: string, commands: readonly string[]): void => {
    for (const words of commands)
      spawnSync('update-alternatives', ['--quiet', '--root', root, ...words.split(' ')]);
  };
  let changed = 0;
  for (let number = 0; number < CASES; number++) {
    const root = join(work, String(number));
    for (const path of ['etc/alternatives', 'usr/bin', 'opt', 'var/lib/dpkg/alternatives', 'var/log'])
      mkdirSync(join(root, path), { recursive: true });
    for (const name of ['a', 'b', 'c', 'm', 'n', 'o'])
      if (random() < 0.9) writeFileSync(join(root, 'opt', name), '');
    writeFileSync(join(root, 'usr/bin/update-alternatives'), '', { mode: 0o755 });
    real(root, Array.from({ length: 4 }, command));
    for (const name of [
      'opt/a',
      'opt/m',
      'usr/bin/x',
      'usr/bin/x-s',
      'etc/alternatives/x',
      'etc/alternatives/y',
    ])
      if (random() < 0.1) rmSync(join(root, name), { force: true });
    for (const name of ['usr/bin/x', 'usr/bin/y-t', 'etc/alternatives/x', 'etc/alternatives/y-s']) {
      const chance = random();
      if (chance > 0.15) continue;
      rmSync(join(root, name), { force: true });
      if (chance < 0.05 && name.startsWith('usr')) writeFileSync(join(root, name), 'a file');
      else symlinkSync(pick(['/opt/c', '/opt/gone', '/usr/bin']), join(root, name));
    }
    rmSync(join(root, 'var/log'), { recursive: true });
    const before = await rootFromDirectory(root, () => true);
    const commands = Array.from({ length: 1 + Math.floor(random() * 4) }, command);
    real(root, commands);
    const expected = await rootFromDirectory(root, () => true);
    const draft = createDraft(before);
    const body = commands.map((words) => `update-alternatives ${words} || true\n`).join('');
    const [verdict] = await runEffects({
      family: 'dpkg',
      draft,
      packages: [{ name: 'p', arch: 'all', from: undefined, to: '1' }],
      scripts: [{ package: 'p', script: 'postinst', interpreter: '/bin/sh', body }],
      imageArch: 'amd64',
      epoch: 0,
      log: silentLog,
      compareVersions: () => 0,
      warn: (message) => assert.fail(message),
    });
    const listing = (view: typeof before): string[] =>
      ['etc/alternatives', 'usr/bin', 'var/lib/dpkg/alternatives'].flatMap((directory) =>
        [...view.walk(directory)].map(
          ({ path, type, link }) =>
            `${path} ${type} ${link} ${type === 'file' ? Buffer.from(view.read(path) ?? []).toString('latin1') : ''}`,
        ),
      );
    assert.ok(verdict?.action !== 'not-run', `${number}: ${body}${verdict?.by}`);
    assert.deepEqual(
      listing(draft),
      listing(expected),
      `case ${number}:\n${listing(before).join('\n')}\n${body}`,
    );
    if (verdict?.action === 'emulated') changed++;
  }
  t.diagnostic(`${CASES} cases, ${changed} with changes`);
});
