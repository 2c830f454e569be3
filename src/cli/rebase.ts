// --rebase on the command line: the base that the source's patch layers name is opened where it moved.
import { findMovedBase, findOrigin } from '../patch/rebase.ts';
import type { PatchOptions } from '../patch/options.ts';
import { openSource } from './places.ts';
import type { OpenSource } from './places.ts';
import type { Session } from './session.ts';

export interface OpenBase extends AsyncDisposable {
  readonly source: OpenSource;
  readonly rebased: PatchOptions['rebased'];
}

/** Undefined when the base is still the one that was patched: then the image is patched as it is. */
export async function openMovedBase(patched: OpenSource, session: Session): Promise<OpenBase | undefined> {
  const origin = await findOrigin(patched);
  const base = await openSource(`docker://${String(origin.reference)}`, session);
  const dispose = async (): Promise<void> => base[Symbol.asyncDispose]();
  const digest = await findMovedBase(base, origin).catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  if (digest === undefined) return void (await dispose());
  session.terminal.log.info('The base moved and is patched as it is now', { base: base.name, digest });
  return {
    // what was found is what is patched, whatever happens to the tag meanwhile
    source: { ...base, digest },
    rebased: { from: patched, digest: origin.digest },
    [Symbol.asyncDispose]: dispose,
  };
}
