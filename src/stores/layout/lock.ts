// One writer at a time for a directory that several programs of ours may use: a lock file, because Node has no flock.
// The lock is held for the time of a rename only; a lock whose owner is gone is taken over.
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { OnlayError } from '../../errors.ts';
import { errno } from '../file-range.ts';
import { refusal, temporaryPath } from '../replace-file.ts';
import { dirname } from 'node:path';

const PAUSE = 20;
/** Nobody needs the lock for so long; milliseconds. */
const STALE_AFTER = 60_000;
const GIVE_UP_AFTER = 90_000;

/** Runs `work` while holding the lock file at `path`. Throws TARGET_REFUSED, or CONFLICT when it stays taken. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  for (let waited = 0; !(await take(path)); waited += PAUSE) {
    if (waited >= GIVE_UP_AFTER)
      throw new OnlayError('CONFLICT', `${path} is held by another program`, {
        hint: 'remove this file if no other run is writing there',
      });
    if (await isStale(path)) await steal(path);
    else await sleep(PAUSE);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await using handle = await open(path, 'wx');
    await handle.writeFile(`${process.pid} ${hostname()}\n`);
    return true;
  } catch (error) {
    if (errno(error) === 'EEXIST') return false;
    throw refusal(error, path);
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    const [pid, host] = (await readFile(path, 'utf8')).trim().split(' ');
    if (Date.now() - mtimeMs > STALE_AFTER) return true;
    return host === hostname() && pid !== undefined && !isRunning(Number(pid));
  } catch (error) {
    if (errno(error) === 'ENOENT') return false;
    throw refusal(error, path);
  }
}

// by rename, so that only one of several waiting runs takes it away
async function steal(path: string): Promise<void> {
  const aside = temporaryPath(dirname(path));
  try {
    await rename(path, aside);
    await rm(aside, { force: true });
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw refusal(error, path);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errno(error) !== 'ESRCH';
  }
}
