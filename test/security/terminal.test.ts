// Text of an image reaches people's terminals: it must not move the cursor, change the title or forge lines.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openTerminal } from '../../src/cli/terminal.ts';
import { OnlayError } from '../../src/errors.ts';
import { openLayout } from '../../src/stores/layout/index.ts';
import { layerOf, putImage } from '../support/images.ts';
import { runInProcess } from '../support/in-process.ts';

// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
const EVIL = 'Debian\u001b]0;owned\u0007\u009b31m \u202e99\rok';

test('names of distros, packages and files are shown without control characters', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onlay-terminal-'));
  try {
    const store = await openLayout(join(folder, 'layout'), { create: true });
    const status = 'Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\u001b[2J\n\n';
    const image = async (extra: string) => ({
      layers: [
        await layerOf([
          { name: 'etc/os-release', content: `ID=debian\nVERSION_ID="12"\nPRETTY_NAME="${EVIL}"\n` },
          { name: 'var/lib/dpkg/status', content: status },
          { name: `tmp/${extra}`, content: 'x' },
        ]),
      ],
    });
    await putImage(store, await image('a'), 'a');
    await putImage(store, await image(`b\u001b[31m`), 'b');
    const layout = `oci:${folder}/layout`;
    for (const args of [
      ['inspect', `${layout}:a`],
      ['diff', `${layout}:a`, `${layout}:b`],
      ['verify', `${layout}:b`],
      ['plan', '-i', `${layout}:a`],
    ]) {
      const { stdout, stderr } = await runInProcess(args);
      assert.notEqual(stdout + stderr, '', args[0]);
      assert.doesNotMatch(stdout + stderr, CONTROL, args.join(' '));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('so are messages, labels of progress and errors', () => {
  let said = '';
  const stream = {
    write: (text: string) => void (said += text),
    isTTY: false,
  } as unknown as NodeJS.WriteStream;
  const terminal = openTerminal({ stream, mode: 'plain', warnings: [], debug: false, color: false });
  terminal.log.warn('Odd', { name: EVIL });
  terminal.progress.start(EVIL).done(EVIL);
  const { message, hint } = new OnlayError('INTERNAL', EVIL, { hint: EVIL });
  terminal.error(message, hint);
  assert.match(said, /owned/);
  assert.doesNotMatch(said.replaceAll('\u202e', ''), CONTROL);
});
